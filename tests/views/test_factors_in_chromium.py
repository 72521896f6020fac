"""Passkeys with a virtual device, the app, the way through a provider; and every page of the account under axe."""

from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from playwright.sync_api import expect

from playground.models import User
from playground.services import profiles
from tests import factories
from tests.support.oidc import running_provider
from tests.views import test_account_in_chromium
from tests.views.test_account import _load_addresses
from tests.views.test_account_in_chromium import assert_fine, send
from tests.views.test_mfa import code_of

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300), pytest.mark.django_db(transaction=True)]

open_page = test_account_in_chromium.open_page

DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
MAIL = "bo@example.com"


@pytest.fixture(autouse=True)
def at_its_public_address(settings, live_server):
    settings.PUBLIC_URL = live_server.url


@pytest.fixture
def everything(settings, live_server):
    """Mail, a provider and an open domain are set, as far as addresses go."""
    with running_provider() as provider:
        settings.MAIL_IS_SET = settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
        settings.SIGNUP_DOMAINS = ["example.com"]
        settings.SOCIALACCOUNT_PROVIDERS = provider.settings()
        _load_addresses()
        yield provider
    settings.MAIL_IS_SET, settings.SIGNUP_DOMAINS, settings.SOCIALACCOUNT_PROVIDERS = False, [], {}
    _load_addresses()


def with_device(page):
    """The page's browser gets a device that keeps passkeys, and whose owner says yes."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = devtools.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]
    return devtools, device


def prove(page) -> None:
    page.wait_for_url("**/reauthenticate/**")
    send(page, password=factories.PASSWORD)


def add_passkey(page) -> None:
    page.goto("/account/passkeys/add/")
    if "reauthenticate" in page.url:
        prove(page)
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/account/recovery-codes/")


def sign_out(page) -> None:
    page.goto("/account/logout/")
    page.get_by_role("button", name="Sign out").last.click()
    page.wait_for_url("**/account/login/**")


def test_passkey_is_added_signs_in_alone_and_is_removed(open_page):
    member = factories.make_member()
    page = open_page("/account/", member)
    with_device(page)
    page.get_by_role("link", name="Add a passkey").click()
    prove(page)
    assert_fine(page)
    page.fill("[name=name]", "Blue key")
    page.get_by_role("button", name="Add a passkey").click()
    page.wait_for_url("**/account/recovery-codes/")
    assert_fine(page)
    sign_out(page)
    page.goto("/account/login/?next=/gallery/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(lambda url: urlsplit(url).path == "/gallery/")
    page.goto("/account/")
    expect(page.get_by_text("Blue key")).to_be_visible()
    assert_fine(page)
    page.get_by_role("link", name="Rename Blue key").click()
    page.wait_for_url("**/reauthenticate/**")
    assert_fine(page)


def test_passkey_stands_for_the_second_step_and_for_the_proof(open_page):
    member = factories.make_member()
    page = open_page("/account/", member)
    with_device(page)
    add_passkey(page)
    sign_out(page)
    send(page, login=member.user.email, password=factories.PASSWORD)
    page.wait_for_url("**/two-factor/authenticate/")
    assert_fine(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/create/")
    key = Authenticator.objects.get(type="webauthn")
    page.goto(f"/account/passkeys/{key.pk}/remove/")
    page.get_by_role("link", name="Use a passkey").click()
    page.wait_for_url("**/passkeys/reauthenticate/**")
    assert_fine(page)
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url(f"**/passkeys/{key.pk}/remove/")
    assert_fine(page)
    expect(page.get_by_text("It is your last second factor")).to_be_visible()
    page.get_by_role("button", name="Remove the passkey").click()
    page.wait_for_url("**/account/")
    assert not Authenticator.objects.exists()


def test_passkey_that_was_removed_here_is_refused_in_words(open_page):
    member = factories.make_member()
    page = open_page("/account/", member)
    with_device(page)
    add_passkey(page)
    Authenticator.objects.all().delete()
    sign_out(page)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="This passkey is not known here.")).to_be_visible()
    assert_fine(page)


def test_device_without_a_passkey_says_so_beside_the_button(open_page):
    factories.make_member()
    page = open_page("/account/login/")
    devtools, device = with_device(page)
    devtools.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="The browser gave no passkey")).to_be_visible()
    expect(page.get_by_role("button", name="Use a passkey")).to_be_enabled()
    assert_fine(page)


def test_device_has_one_passkey_for_an_account(open_page):
    member = factories.make_member()
    page = open_page("/account/", member)
    with_device(page)
    add_passkey(page)
    page.goto("/account/passkeys/add/")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("alert").filter(has_text="has a passkey for this account already")).to_be_visible()


def test_app_is_set_up_and_removed_and_codes_are_kept(open_page):
    member = factories.make_member()
    page = open_page("/account/", member)
    page.get_by_role("link", name="Set up an app").click()
    prove(page)
    assert_fine(page)
    send(page, code="000000")
    expect(page.locator("[name=code]")).to_be_focused()
    assert_fine(page)
    send(page, code=code_of(page.inner_text("#key").replace(" ", "")))
    page.wait_for_url("**/account/recovery-codes/")
    for path in ("/account/", "/account/recovery-codes/new/", "/account/app/remove/", "/account/devices/"):
        page.goto(path)
        assert_fine(page)


def test_way_through_a_provider_and_back_leaves_no_complaint(open_page, everything):
    """The policy lets a form lead only to this site, and browsers hold redirects to that too."""
    factories.make_member()
    everything.person("bo", email=MAIL, email_verified=True, name="Bo Berg")
    page = open_page("/account/login/")
    assert_fine(page)
    page.get_by_role("button", name="Go on with Acme login").click()
    page.wait_for_url("**/gallery/")
    assert User.objects.get(email=MAIL).name == "Bo Berg"
    page.goto("/account/linked/")
    assert_fine(page)


def test_pages_of_a_provider_are_fine(open_page, everything):
    member = factories.make_member(user=factories.make_user(MAIL))
    everything.person("bo", email=MAIL, email_verified=True)
    page = open_page("/account/oidc/login/")
    assert_fine(page)
    page.get_by_role("button", name="Go on with Acme login").click()
    expect(page.get_by_role("heading", name="This address has an account here.")).to_be_visible()
    assert_fine(page)
    for path in ("/account/linked/cancelled/", "/account/linked/error/", "/account/signup/"):
        page.goto(path)
        assert_fine(page)
    profiles.prove(user=member.user)
    SocialAccount.objects.create(user=member.user, provider="gone", uid="x")


def test_sign_up_by_domain_is_fine_from_page_to_team(open_page, everything, mailoutbox):
    from tests.views.test_signup import link_in

    factories.make_member()
    page = open_page("/account/signup/")
    send(page, email="bo@elsewhere.org")
    expect(page.locator("[name=email]")).to_be_focused()
    assert_fine(page)
    send(page, email=MAIL)
    assert_fine(page)
    mailoutbox[0].body = mailoutbox[0].body.replace(page.url.split("/account")[0], "http://localhost:8000")
    page.goto(link_in(mailoutbox[0]))
    assert_fine(page)
    send(page, name="Bo Berg", password="a long enough password")
    page.wait_for_url("**/gallery/")


def test_address_page_and_others_are_fine(open_page, everything, mailoutbox):
    member = factories.make_member()
    page = open_page("/account/email/", member)
    prove(page)
    assert_fine(page)
    send(page, email="new@example.org")
    assert_fine(page)
    link = next(word for word in mailoutbox[0].body.split() if "confirm-email" in word)
    page.goto(link)
    assert_fine(page)
    page.get_by_role("button", name="Use this address").click()
    page.wait_for_load_state()
    member.user.refresh_from_db()
    assert member.user.email == "new@example.org"
    page.goto(link)
    assert_fine(page)
