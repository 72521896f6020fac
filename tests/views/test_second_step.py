"""REQUIRE_MFA: who has to have a second factor goes nowhere else before."""

import pytest
from allauth.mfa.models import Authenticator

from tests import factories
from tests.support.sharing import make_link
from tests.views.test_forgery import ADDRESSES

pytestmark = pytest.mark.pure

PAGE = "/account/second-step/"


@pytest.fixture
def required_of(settings):
    def switch(whom: str) -> None:
        settings.REQUIRE_MFA = whom

    return switch


def test_by_default_nobody_is_asked(admin, browser_of):
    assert browser_of(admin).get("/gallery/").status_code == 200
    assert browser_of(admin).get(PAGE).url == "/create/"


def test_admins_are_led_there_and_others_are_not(admin, member, browser_of, required_of):
    required_of("admins")
    assert browser_of(admin).get("/gallery/").url == PAGE
    assert browser_of(member).get("/gallery/").status_code == 200


def test_admin_of_one_of_several_teams_is_asked_in_all(member, browser_of, required_of):
    factories.make_member(user=member.user, role="admin")
    required_of("admins")
    assert browser_of(member).get("/gallery/").url == PAGE


@pytest.mark.parametrize("path", ["/create/", "/runs/", "/", "/spend/export.csv", "/generations/cards/"])
def test_all_means_all_people_and_pages(viewer, browser_of, required_of, path):
    required_of("all")
    assert browser_of(viewer).get(path).url == PAGE
    assert browser_of(viewer).post(path).url == PAGE


def test_what_htmx_asks_for_leads_the_whole_page_there(member, browser_of, required_of):
    required_of("all")
    answer = browser_of(member, htmx=True).get("/generations/cards/")
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, PAGE)


def test_the_way_to_set_one_up_and_out_is_open(member, browser_of, required_of):
    required_of("all")
    client = browser_of(member)
    page = client.get(PAGE).content.decode()
    assert "Add a passkey" in page
    assert "Set up an app" in page
    assert client.get("/account/").status_code == 200
    assert client.get("/account/app/add/").url.startswith("/account/reauthenticate/")
    assert client.get("/account/logout/").status_code == 200
    assert client.get("/healthz").status_code == 200


def test_whoever_has_one_goes_on_and_recovery_codes_are_none(member, browser_of, required_of):
    required_of("all")
    client = browser_of(member)
    Authenticator.objects.create(user=member.user, type="recovery_codes", data={})
    assert client.get("/gallery/").url == PAGE
    Authenticator.objects.create(user=member.user, type="totp", data={})
    assert client.get("/gallery/").status_code == 200


def test_signed_out_pages_are_as_ever(db, client, required_of):
    required_of("all")
    assert client.get("/account/login/").status_code == 200


def test_share_links_ask_nobody_who_they_are(member, browser_of, required_of):
    required_of("all")
    video = factories.make_video(by=member, files=False)
    _link, token = make_link(by=member, video=video)
    assert browser_of(member).get(f"/s/{token}/").status_code == 200
    assert browser_of(member).get("/s/wrong/").status_code == 404


def test_nothing_else_is_open(member, browser_of, required_of):
    """By name, so that an address whose name begins like an open one is seen here."""
    required_of("all")
    client, is_open = browser_of(member), set()
    for name, path in ADDRESSES.items():
        answer = client.get(path)
        if answer.status_code != 302 or answer.url != PAGE:
            is_open.add(name.partition(".")[0] if "." in name else name.partition("_")[0])
    assert is_open == {
        "account",
        "shares",
        "share_media",
        "health",
        "metrics",
        "hooks",
        "mfa",
        "usersessions",
    }
