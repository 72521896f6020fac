"""Signing in at an identity provider: a real one on loopback, and everything it may say that must not be believed."""

import copy
import html
import re
from urllib.parse import urlsplit

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from playground.models import AuditEntry, Invitation, Membership, Role, User
from playground.rate_limits import Limit
from playground.services import invitations, profiles
from tests import factories
from tests.support.oidc import running_provider
from tests.views.test_account import _load_addresses
from tests.views.test_mfa import with_app

pytestmark = pytest.mark.pure

START = "/account/oidc/login/"
MAIL = "bo@example.com"


@pytest.fixture(scope="module")
def server():
    with running_provider() as server:
        yield server


@pytest.fixture
def provider(server, settings, db):
    """Switched on, and no account made yet."""
    cache.clear()
    server.asked.clear()
    settings.SOCIALACCOUNT_PROVIDERS = server.settings()
    _load_addresses()
    yield server
    settings.SOCIALACCOUNT_PROVIDERS = {}
    _load_addresses()


@pytest.fixture
def open_domain(settings):
    settings.SIGNUP_DOMAINS = ["example.com"]


def come_back(client: Client, path: str = START, **data: str):
    """Press the button, go where its page goes, and come back with what the provider says."""
    page = client.post(path, data)
    assert page.status_code == 200, page
    target = html.unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())[1])
    back = urlsplit(requests.get(target, allow_redirects=False, timeout=10).headers["Location"])
    return client.get(f"{back.path}?{back.query}")


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def refused_as(answer, words: str) -> bool:
    return answer.status_code == 403 and words in answer.content.decode() and not is_signed_in(answer.client)


def test_pages_are_not_there_without_a_provider(db, client):
    for path in (START, "/account/google/login/", "/account/github/login/", "/account/linked/"):
        assert client.get(path).status_code in {302, 404}
        assert client.post(path).status_code in {302, 404}
    assert "Go on with" not in client.get("/account/login/").content.decode()


def test_opening_the_address_asks_first(provider, client):
    factories.make_user()
    assert "Go on with Acme login" in client.get("/account/login/").content.decode()
    page = client.get(START)
    assert page.status_code == 200
    assert "Go on with Acme login?" in page.content.decode()
    assert "/authorize" not in provider.asked


def test_way_out_is_a_page_since_a_form_may_not_lead_elsewhere(provider, client):
    page = client.post(START)
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "code_challenge" in page.content.decode()


def test_verified_address_of_an_allowed_domain_makes_an_account(provider, open_domain, client):
    team = factories.make_team()
    provider.person("bo", email="Bo@Example.com", email_verified=True, name="Bo Berg")
    answer = come_back(client)
    assert (answer.status_code, answer.url) == (302, "/gallery/")
    user = User.objects.get()
    assert (user.email, user.name, user.has_usable_password()) == (MAIL, "Bo Berg", False)
    assert Membership.objects.get(user=user).role == Role.VIEWER
    assert factories.is_proven(user)
    entry = AuditEntry.objects.get(kind="member_signed_up")
    assert (entry.team, entry.by, entry.data["way"]) == (team, user, "oidc")
    again = Client()
    assert come_back(again).status_code == 302
    assert is_signed_in(again)
    assert User.objects.count() == 1


@pytest.mark.parametrize("is_invited", [True, False])
def test_address_that_waits_for_somebody_else_keeps_nobody_out(provider, open_domain, client, is_invited):
    admin = factories.make_member(role=Role.ADMIN)
    EmailAddress.objects.create(user=factories.make_user(), email=MAIL)
    EmailAddress.objects.create(user=factories.make_user(), email="another@example.com")
    provider.person("bo", email=MAIL, email_verified=not is_invited)
    if is_invited:
        invited(admin, client)
    answer = come_back(client)
    assert (answer.status_code, is_signed_in(client)) == (302, True)
    assert User.objects.get(email=MAIL).memberships.get().team == admin.team
    assert set(EmailAddress.objects.values_list("email", flat=True)) == {MAIL, "another@example.com"}


@pytest.mark.parametrize("claim", [False, None, "false", "no", 0])
def test_unverified_address_makes_no_account(provider, open_domain, client, claim):
    factories.make_team()
    provider.person("bo", email=MAIL, email_verified=claim)
    assert refused_as(come_back(client), "does not say that bo@example.com was verified")
    assert not User.objects.exists()
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize(
    "email", ["bo@example.org", "bo@sub.example.com", "bo@notexample.com", "bo@example.com.evil.net"]
)
def test_address_of_another_domain_makes_no_account(provider, open_domain, client, email):
    factories.make_team()
    provider.person("bo", email=email, email_verified=True)
    assert refused_as(come_back(client), "Accounts are made by invitation")
    assert not User.objects.exists()


def test_without_domains_nobody_is_let_in(provider, client):
    factories.make_team()
    provider.person("bo", email=MAIL, email_verified=True)
    assert refused_as(come_back(client), "Accounts are made by invitation")


def test_no_address_makes_no_account(provider, open_domain, client):
    factories.make_team()
    provider.person("bo")
    assert refused_as(come_back(client), "told no e-mail address")


def test_proven_address_signs_in_and_is_linked_from_then_on(provider, client):
    member = factories.make_member(user=factories.make_user(MAIL))
    profiles.prove(user=member.user)
    provider.person("bo", email=MAIL, email_verified=True)
    assert come_back(client).url == "/create/"
    member.user.refresh_from_db()
    assert member.user.check_password(factories.PASSWORD)
    assert SocialAccount.objects.get().user == member.user
    provider.person("bo", email="changed@elsewhere.org", email_verified=True)
    again = Client()
    come_back(again)
    assert again.session["_auth_user_id"] == str(member.user.id)


def test_address_that_was_only_typed_here_is_not_signed_into(provider, client):
    """Somebody who had an invitation may have typed another's address, and a password that they know."""
    member = factories.make_member(user=factories.make_user(MAIL))
    provider.person("bo", email=MAIL, email_verified=True)
    assert refused_as(come_back(client), "This address has an account here.")
    EmailAddress.objects.create(user=member.user, email=MAIL, verified=False, primary=True)
    assert refused_as(come_back(client), "This address has an account here.")
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("claim", [False, None, "false"])
def test_unverified_address_of_an_account_does_not_sign_in(provider, open_domain, client, claim):
    member = factories.make_member(user=factories.make_user(MAIL))
    profiles.prove(user=member.user)
    provider.person("mallory", email=MAIL, email_verified=claim)
    assert refused_as(come_back(client), "does not say that")
    assert not SocialAccount.objects.exists()


def test_answer_of_two_people_is_refused(provider, client):
    member = factories.make_member(user=factories.make_user(MAIL))
    profiles.prove(user=member.user)
    provider.person("mallory", email="m@example.org", email_verified=True)
    provider.userinfo = {"sub": "bo", "email": MAIL, "email_verified": True}
    assert refused_as(come_back(client), "speaks of two people")


def test_second_step_is_asked_for_after_a_provider_too(provider, client):
    member = factories.make_member(user=factories.make_user(MAIL))
    profiles.prove(user=member.user)
    with_app(member)
    provider.person("bo", email=MAIL, email_verified=True)
    assert come_back(client).url == "/account/two-factor/authenticate/"
    assert not is_signed_in(client)


def test_switched_off_account_stays_out(provider, client):
    member = factories.make_member(user=factories.make_user(MAIL))
    profiles.prove(user=member.user)
    User.objects.update(is_active=False)
    provider.person("bo", email=MAIL, email_verified=True)
    assert come_back(client).url == "/account/inactive/"
    assert not is_signed_in(client)


def test_cancelled_or_broken_answers_sign_nobody_in(provider, client):
    provider.person("bo", email=MAIL, email_verified=True)
    provider.answers_with = "access_denied"
    answer = come_back(client)
    assert "You cancelled it." in client.get(answer.url).content.decode()
    provider.answers_with = "server_error"
    assert come_back(client).status_code == 401
    provider.answers_with = "code"
    assert client.get("/account/oidc/login/callback/?code=x&state=forged").status_code == 401
    assert client.get("/account/oidc/login/callback/").status_code == 401
    assert not is_signed_in(client)


def test_token_for_another_client_is_refused(provider, open_domain, client):
    factories.make_team()
    provider.person("bo", email=MAIL, email_verified=True, aud="another")
    assert come_back(client).status_code == 401
    assert not User.objects.exists()


# --- invitations -----------------------------------------------------------------------------------------------------


def invited(admin: Membership, client: Client, email: str = "", role: Role = Role.CREATOR) -> Invitation:
    invitation, url = invitations.invite(by=admin, role=role, email=email, base_url="")
    page = client.post(url, {"provider": "oidc"})
    assert page.status_code == 200
    client.session.save()
    return invitation


def test_invited_person_lands_in_the_team(provider, admin, client):
    invitation = invited(admin, client)
    provider.person("bo", email="bo@elsewhere.org", email_verified=False, given_name="Bo", family_name="Berg")
    answer = come_back(client)
    assert (answer.status_code, answer.url) == (302, "/create/")
    membership = Membership.objects.get(user__email="bo@elsewhere.org")
    assert (membership.team, membership.role, membership.user.name) == (admin.team, Role.CREATOR, "Bo Berg")
    assert not factories.is_proven(membership.user)
    invitation.refresh_from_db()
    assert invitation.accepted_by == membership.user
    assert "invitation" not in client.session
    assert client.get("/create/").status_code == 200


def test_invitation_for_an_address_is_taken_by_no_other(provider, admin, client):
    invitation = invited(admin, client, email="ann@example.com")
    provider.person("bo", email=MAIL, email_verified=True)
    assert refused_as(come_back(client), "The invitation is for another address.")
    invitation.refresh_from_db()
    assert invitation.accepted_at is None
    assert not User.objects.filter(email=MAIL).exists()


def test_invitation_does_not_lead_into_an_account_that_is_there(provider, admin, client):
    factories.make_user(MAIL)
    invited(admin, client)
    provider.person("mallory", email=MAIL, email_verified=False)
    assert refused_as(come_back(client), "This address has an account here.")
    assert not SocialAccount.objects.exists()


def test_revoked_invitation_lets_nobody_in(provider, admin, client):
    invitation = invited(admin, client)
    invitations.revoke(by=admin, invitation=invitation)
    provider.person("bo", email=MAIL, email_verified=True)
    assert refused_as(come_back(client), "Accounts are made by invitation")


# --- linking ---------------------------------------------------------------------------------------------------------


def test_account_is_linked_and_unlinked_by_its_owner_after_a_proof(provider, member, client):
    client.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    provider.person("bo", email="bo@elsewhere.org", email_verified=False)
    answer = come_back(client, f"{START}?process=connect")
    assert answer.url == "/account/reauthenticate/"
    assert not SocialAccount.objects.exists()
    client.post(answer.url, {"password": factories.PASSWORD})
    linked = SocialAccount.objects.get()
    assert linked.user == member.user
    assert "Acme login" in client.get("/account/linked/").content.decode()
    assert client.post("/account/linked/", {"account": linked.pk}).status_code == 302
    assert not SocialAccount.objects.exists()


def test_account_of_somebody_else_is_not_taken_over_by_linking(provider, member, stranger, client):
    SocialAccount.objects.create(user=stranger.user, provider="oidc", uid="bo")
    client.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    provider.person("bo", email=MAIL, email_verified=True)
    answer = come_back(client, f"{START}?process=connect")
    assert "linked with somebody else" in client.get(answer.url).content.decode()
    assert SocialAccount.objects.get().user == stranger.user


def test_last_way_in_is_not_unlinked(provider, member, browser_of):
    member.user.set_unusable_password()
    member.user.save()
    mine = SocialAccount.objects.create(user=member.user, provider="oidc", uid="bo")
    answer = browser_of(member).post("/account/linked/", {"account": mine.pk})
    assert answer.status_code == 422
    assert "Set a password first" in answer.content.decode()


def test_linked_accounts_of_others_are_not_unlinked(provider, member, stranger, browser_of):
    theirs = SocialAccount.objects.create(user=stranger.user, provider="oidc", uid="bo")
    assert browser_of(member).post("/account/linked/", {"account": theirs.pk}).status_code == 422
    assert SocialAccount.objects.exists()


def test_provider_that_is_away_is_said_and_is_no_fault(provider, client, settings):
    away = copy.deepcopy(settings.SOCIALACCOUNT_PROVIDERS)
    away["openid_connect"]["APPS"][0]["settings"]["server_url"] = "http://127.0.0.1:9"
    settings.SOCIALACCOUNT_PROVIDERS = away
    answer = client.post(START, follow=True)
    assert answer.redirect_chain[-1] == ("/account/login/", 302)
    assert "The provider does not answer as it should." in answer.content.decode()


@pytest.mark.parametrize("sub", [None, "", 5, "x" * 192, "a\0b", {"of": "somebody"}])
def test_who_is_nobody_in_particular_signs_in_as_nobody(provider, open_domain, client, sub):
    factories.make_team()
    provider.person("bo", email=MAIL, email_verified=True)
    provider.claims["sub"] = sub
    answer = come_back(client)
    assert answer.status_code in {302, 403}
    assert not is_signed_in(client)
    assert not User.objects.exists()


@pytest.mark.parametrize("said", [{"email": 5}, {"email": ["bo@example.com"]}, {"name": {"first": "Bo"}}, {"sub": ...}])
def test_claims_of_another_kind_lead_back_with_words(provider, open_domain, client, said):
    factories.make_team()
    provider.person("bo", email=MAIL, email_verified=True)
    provider.userinfo = {name: value for name, value in (provider.claims | said).items() if value is not ...}
    answer = come_back(client)
    assert answer.status_code in {302, 403}
    assert is_signed_in(client) is ("name" in said)


def test_address_that_only_small_letters_make_anothers_is_not_theirs(provider, open_domain, client):
    owner = factories.make_user(email="ok@example.com")
    EmailAddress.objects.create(user=owner, email=owner.email, verified=True, primary=True)
    factories.make_team()
    provider.person("kelvin", email="o\u212a@example.com", email_verified=True)
    come_back(client)
    assert not is_signed_in(client)
    assert not SocialAccount.objects.exists()


def test_way_to_the_provider_is_begun_only_so_often_and_leaves_a_short_session(provider, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "provider": Limit(2, 60)}
    begun = Client()
    assert [begun.post(START).status_code, Client().post(START).status_code] == [200, 200]
    assert begun.session.get_expiry_age() == 3600
    refused = Client().post(START)
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    assert "session" not in refused.cookies


@pytest.mark.parametrize("method", ["get", "head", "options", "put"])
@pytest.mark.parametrize("path", [START, f"{START}callback/", f"{START}callback/?code=x&state=y"])
def test_only_a_press_of_the_button_leaves_a_session(provider, path, method):
    answer = getattr(Client(), method)(path)
    assert "session" not in answer.cookies
    assert not Session.objects.exists()
    assert (answer.status_code == 405) is (method in {"options", "put"})
