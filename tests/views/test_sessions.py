"""How long a session lasts, what extends it, what ends it, and what its cookie says."""

from urllib.parse import urlsplit

import pytest
import time_machine
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from playground import sessions
from playground.models import Role, User
from playground.services import factors, invitations, people
from tests import factories
from tests.views.test_signup import FINISH, asked, open_domain  # noqa: F401  a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
DAY = 24 * 3600
START = "2026-11-01 12:00:00+00:00"
POLL = {"HX-Request": "true"}


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as clock:
        yield clock


def is_in(client) -> bool:
    """Asked the way pages ask, which extends nothing."""
    return client.get("/notices/", headers=POLL).status_code == 200


@pytest.fixture
def client(clock, member, browser_of):
    return browser_of(member)


def test_session_ends_after_two_weeks_without_a_page(client, clock):
    clock.shift(14 * DAY - 60)
    assert is_in(client)
    clock.shift(61)
    assert not is_in(client)


def test_page_that_is_opened_extends_it(client, clock):
    clock.shift(13 * DAY)
    assert client.get("/gallery/").cookies["session"]["max-age"] == 14 * DAY
    clock.shift(13 * DAY)
    assert is_in(client)


def test_press_extends_it_too(client, clock):
    clock.shift(13 * DAY)
    client.post("/notices/seen/")
    clock.shift(13 * DAY)
    assert is_in(client)


@pytest.mark.parametrize("path", ["/generations/cards/", "/gallery/newer/", "/notices/", "/gallery/"])
def test_what_pages_ask_by_themselves_does_not_extend_it(client, clock, path):
    for _ in range(14):
        answer = client.get(path, headers=POLL)
        assert answer.status_code in {200, 204}
        assert "session" not in answer.cookies
        clock.shift(DAY)
    assert not is_in(client)


def test_pictures_and_players_do_not_extend_it(client, clock, member):
    video = factories.make_video(by=member)
    clock.shift(13 * DAY)
    assert client.get(f"/media/videos/{video.id}/poster/").status_code == 200
    clock.shift(2 * DAY)
    assert not is_in(client)


def test_nobody_stays_in_for_more_than_a_month(client, clock):
    for _ in range(29):
        clock.shift(DAY)
        assert client.get("/gallery/").status_code == 200
    assert client.session.get_expiry_age() <= DAY
    clock.shift(DAY)
    assert client.get("/gallery/").status_code == 302


def test_session_from_before_these_rules_counts_from_its_next_page(client, clock):
    session = client.session
    del session[sessions.BEGAN], session[sessions.SEEN]
    session.save()
    assert client.get("/gallery/").status_code == 200
    for _ in range(29):
        clock.shift(DAY)
        assert client.get("/gallery/").status_code == 200
    clock.shift(DAY)
    assert not is_in(client)


def test_database_is_written_to_once_an_hour(client, clock):
    clock.shift(3599)
    assert "session" not in client.get("/gallery/").cookies
    clock.shift(1)
    assert "session" in client.get("/gallery/").cookies
    assert "session" not in client.get("/gallery/").cookies


def test_id_is_renewed_at_signing_in_and_the_old_one_is_worth_nothing(member, client):
    visitor = Client()
    visitor.post("/create/", {"prompt": "A boat"})  # kept in a session of somebody without an account
    before = visitor.cookies["session"].value
    visitor.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    after = visitor.cookies["session"].value
    assert before != after
    assert not Session.objects.filter(session_key=before).exists()
    thief = Client()
    thief.cookies["session"] = before
    assert not is_in(thief)


def test_new_password_ends_all_other_sessions_and_not_this_one(member, browser_of):
    here, elsewhere = browser_of(member), browser_of(member)
    new = "another long password"
    fields = {"oldpassword": factories.PASSWORD, "password1": new, "password2": new}
    before = here.cookies["session"].value
    assert here.post("/account/password/change/", fields).status_code == 302
    assert (is_in(here), is_in(elsewhere)) == (True, False)
    assert here.cookies["session"].value != before


def test_signing_out_ends_it_on_the_server(member, browser_of):
    client = browser_of(member)
    kept = client.cookies["session"].value
    client.post("/account/logout/")
    assert not Session.objects.filter(session_key=kept).exists()


@pytest.mark.parametrize("path", ["/gallery/", "/create/price/", "/notices/seen/", "/generations/cards/"])
def test_htmx_of_somebody_signed_out_is_led_to_sign_in_and_gets_no_page_into_a_fragment(db, path):
    client = Client(headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/gallery/?model=x"})
    for answer in (client.get(path), client.post(path)):
        assert answer.status_code == 401
        assert answer.headers["HX-Redirect"] == "/account/login/?next=%2Fgallery%2F%3Fmodel%3Dx"
        assert answer.content == b""


EMAIL, PASSWORD = "new@example.com", "a long enough password"


def by_invitation(client, admin) -> None:
    _, url = invitations.invite(by=admin, role=Role.CREATOR, base_url="http://testserver")
    client.post(urlsplit(url).path, {"name": "A Person", "email": EMAIL, "password": PASSWORD})


def by_welcome(client) -> None:
    path = urlsplit(people.first_admin_link("http://testserver") or "").path
    client.post(path, {"name": "A Person", "team_name": "Film", "email": EMAIL, "password": PASSWORD})


def by_one_time_link(client, member) -> None:
    client.post(urlsplit(people.signin_link(email=member.user.email, base_url="http://testserver")).path)


def ends_with_all(client) -> None:
    """The session is listed among its person's, and ending all of them ends it."""
    assert is_in(client)
    user = User.objects.get(id=client.session["_auth_user_id"])
    assert [row.session_key for row in UserSession.objects.filter(user=user)] == [client.session.session_key]
    assert factors.reset(user=user)["sessions"] == 1
    assert not is_in(client)


def test_session_of_who_took_an_invitation_is_listed_and_ended(admin):
    client = Client()
    by_invitation(client, admin)
    ends_with_all(client)


def test_session_of_the_first_admin_is_listed_and_ended():
    client = Client()
    by_welcome(client)
    ends_with_all(client)


def test_session_of_who_signed_up_by_mail_is_listed_and_ended(open_domain, mailoutbox):  # noqa: F811
    client = Client()
    client.post(asked(client, EMAIL), FINISH)
    ends_with_all(client)


def test_session_by_a_one_time_link_is_listed_and_ended(member):
    client = Client()
    by_one_time_link(client, member)
    ends_with_all(client)


def test_session_that_was_never_listed_is_over(member, browser_of):
    """Of before each way of signing in listed one."""
    client = browser_of(member)
    session = client.session
    del session[sessions.LISTED]
    session.save()
    assert not is_in(client)
    assert not Session.objects.filter(session_key=session.session_key).exists()


def test_session_under_another_key_than_the_listed_one_is_over(member, browser_of):
    client = browser_of(member)
    session = client.session
    session.cycle_key()
    session.save()
    client.cookies["session"] = session.session_key
    assert not is_in(client)


@pytest.mark.parametrize("has_password", [True, False])
def test_session_is_listed_under_its_new_key_after_a_new_password(clock, member, browser_of, has_password):
    if not has_password:
        member.user.set_unusable_password()
        member.user.save()
    client = browser_of(member)
    before = client.session.session_key
    new = {"password1": "another long password", "password2": "another long password"}
    if has_password:
        client.post("/account/password/change/", new | {"oldpassword": factories.PASSWORD})
    else:
        client.post("/account/password/set/", new)
    assert client.session.session_key != before
    assert is_in(client)
    assert factors.reset(user=member.user)["sessions"] == 1
    assert not is_in(client)


def test_listing_stands_whoever_looks_at_the_list_meanwhile(member):
    """Who looks drops what leads to no signed-in session; the one that is being signed in is none of these."""
    seen = []

    def look(user, **_kwargs):
        seen.extend(UserSession.objects.purge_and_list(user))

    user_logged_in.connect(look)
    try:
        Client().post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    finally:
        user_logged_in.disconnect(look)
    assert len(seen) == 1
    assert UserSession.objects.get(user=member.user).session_key == seen[0].session_key


def kept_for(client) -> int:
    return int(
        (Session.objects.get(session_key=client.session.session_key).expire_date - timezone.now()).total_seconds()
    )


def test_words_of_who_is_signed_out_are_kept_for_an_hour(clock, db):
    visitor = Client()
    answer = visitor.post("/create/", {"prompt": "A boat"})
    assert answer.cookies["session"]["max-age"] == 3600
    assert kept_for(visitor) == 3600


def test_session_that_kept_words_is_as_long_as_any_after_signing_in(clock, member):
    visitor = Client()
    visitor.post("/create/", {"prompt": "A boat in the fog"})
    answer = visitor.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    assert answer.cookies["session"]["max-age"] == 14 * DAY
    assert kept_for(visitor) == 14 * DAY
    factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    assert "A boat in the fog" in visitor.get("/create/").text
    for _ in range(29):
        clock.shift(DAY)
        assert visitor.get("/gallery/").status_code == 200
    clock.shift(DAY)
    assert not is_in(visitor)


def test_so_is_one_that_signs_in_by_a_link(clock, member):
    visitor = Client()
    visitor.post("/create/", {"prompt": "A boat in the fog"})
    by_one_time_link(visitor, member)
    assert kept_for(visitor) == 14 * DAY
    factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    assert "A boat in the fog" in visitor.get("/create/").text
