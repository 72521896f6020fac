"""Accounts that people of an allowed domain make for themselves, from the page to the team."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.cache import cache
from django.utils import timezone

from playground.models import AuditEntry, Membership, Role, User
from playground.rate_limits import Limit
from playground.services import people, signups
from playground.settings_mail import mail_settings
from tests import factories
from tests.support.mail_server import mail_server
from tests.views.test_account import _load_addresses

pytestmark = pytest.mark.pure

PAGE = "/account/signup/"
MAIL = "bo@example.com"
FINISH = {"name": "Bo Berg", "password": "a long enough password"}


@pytest.fixture
def open_domain(settings, db):
    cache.clear()
    settings.MAIL_IS_SET = True
    settings.SIGNUP_DOMAINS = ["example.com"]
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    _load_addresses()
    yield factories.make_team("Studio")
    settings.MAIL_IS_SET, settings.SIGNUP_DOMAINS = False, []
    _load_addresses()


def link_in(message) -> str:
    return re.search(r"http://localhost:8000(/account/signup/\S+)", message.body)[1]


def asked(client, email: str = MAIL) -> str:
    """The path of the link that was mailed."""
    assert client.post(PAGE, {"email": email}).status_code == 200
    return link_in(mail.outbox[-1])


def test_mail_leads_to_an_account_in_the_team(open_domain, client, mailoutbox):
    factories.make_user()
    assert "Make an account" in client.get("/account/login/").content.decode()
    path = asked(client, "Bo@Example.COM")
    assert not User.objects.filter(email=MAIL).exists()
    page = client.get(path)
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "You sign in as bo@example.com and join Studio." in page.content.decode()
    answer = client.post(path, FINISH)
    assert (answer.status_code, answer.url) == (302, "/gallery/")
    membership = Membership.objects.get(user__email=MAIL)
    assert (membership.team, membership.role) == (open_domain, Role.VIEWER)
    assert factories.is_proven(membership.user)
    assert client.get("/gallery/").status_code == 200
    assert AuditEntry.objects.get(kind="member_signed_up").data["way"] == "mail"


def test_link_is_used_once(open_domain, client, mailoutbox):
    path = asked(client)
    client.post(path, FINISH)
    client.logout()
    assert client.get(path).status_code == 410
    assert client.post(path, FINISH).status_code == 410
    assert User.objects.count() == 1


def test_link_is_good_for_an_hour(open_domain, mailoutbox):
    now = timezone.now()
    signups.ask(email=MAIL, base_url="http://localhost:8000", now=now)
    token = link_in(mailoutbox[0]).split("/")[3]
    assert signups.open_request(token=token, now=now + timedelta(minutes=59)) == MAIL
    with pytest.raises(people.LinkEnded):
        signups.open_request(token=token, now=now + timedelta(minutes=61))


@pytest.mark.parametrize("token", ["x", "a:b:c", "eyJlbWFpbCI6ImEifQ:1:2"])
def test_link_that_was_made_up_has_ended(open_domain, client, token):
    assert client.get(f"{PAGE}{token}/").status_code == 410


def test_link_of_another_domain_has_ended_once_that_is_taken_back(open_domain, client, settings, mailoutbox):
    path = asked(client)
    settings.SIGNUP_DOMAINS = ["example.org"]
    assert client.get(path).status_code == 410


@pytest.mark.parametrize(
    "email", ["bo@example.org", "bo@sub.example.com", "bo@notexample.com", "x@example.com@example.org"]
)
def test_other_addresses_are_refused_beside_the_field(open_domain, client, mailoutbox, email):
    answer = client.post(PAGE, {"email": email})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not mailoutbox


def test_address_with_an_account_gets_the_same_answer_and_another_mail(open_domain, client, mailoutbox):
    known = factories.make_user("known@example.com")
    new = client.post(PAGE, {"email": MAIL}).content.decode().replace(MAIL, "X")
    there = client.post(PAGE, {"email": known.email}).content.decode().replace(known.email, "X")
    strip = lambda page: re.sub(r'value="[^"]+"', "", page)  # noqa: E731
    assert strip(new) == strip(there)
    assert "It has one already" in mailoutbox[1].body
    assert "/signup/" not in mailoutbox[1].body


def test_weak_password_is_refused_and_the_link_stays_good(open_domain, client, mailoutbox):
    path = asked(client)
    answer = client.post(path, {**FINISH, "password": "short"})
    assert answer.status_code == 422
    assert "Bo Berg" in answer.content.decode()
    assert client.post(path, FINISH).status_code == 302


def test_role_and_team_are_those_of_the_settings(open_domain, client, settings, mailoutbox):
    other = factories.make_team("Other")
    settings.SIGNUP_TEAM, settings.SIGNUP_ROLE = other.slug, "creator"
    assert client.post(asked(client), FINISH).url == "/create/"
    assert Membership.objects.get().team == other
    assert Membership.objects.get().role == Role.CREATOR


def test_team_that_is_not_there_closes_the_page(open_domain, client, settings):
    settings.SIGNUP_TEAM = "gone"
    assert client.get(PAGE).url == "/account/login/"
    factories.make_user()
    assert "Make an account" not in client.get("/account/login/").content.decode()


def test_mail_server_that_is_away_is_said(open_domain, client, monkeypatch):
    def fails(self, *args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("django.core.mail.EmailMessage.send", fails)
    answer = client.post(PAGE, {"email": MAIL})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert "The mail could not be sent." in answer.content.decode()


@pytest.mark.parametrize("refused", [{"RCPT": b"550 nobody of that name"}, {"TEXT": b"554 looks like spam"}])
def test_mail_that_is_refused_by_itself_tells_nothing_of_who_has_an_account(open_domain, client, settings, refused):
    factories.make_user("known@example.com")
    with mail_server(refuses=refused) as server:
        for name, value in mail_settings(server.url).items():
            setattr(settings, name, value)
        answers = [client.post(PAGE, {"email": email}) for email in (MAIL, "known@example.com")]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not server.taken


def test_one_address_gets_three_mails_a_minute(open_domain, client, mailoutbox):
    answers = [client.post(PAGE, {"email": MAIL}).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    assert len(mailoutbox) == 3


def test_refused_mail_leaves_the_form_with_its_address(open_domain, client, settings, mailoutbox):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"signup_mail": Limit(1, 3600)}
    client.post(PAGE, {"email": MAIL})
    refused = client.post(PAGE, {"email": MAIL})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3600")
    assert f'value="{MAIL}"' in refused.text
    assert 'id="id_email_error"' in refused.text
    assert "Wait 60 minutes." in refused.text


def test_tries_of_one_client_are_limited_as_the_settings_say(open_domain, client, settings, mailoutbox):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"signup": Limit(2, 60)}
    answers = [client.post(PAGE, {"email": f"bo{number}@example.com"}) for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "60"
    assert "Too many tries. Wait a minute." in answers[2].text
    assert 'value="bo2@example.com"' in answers[2].text
    assert len(mailoutbox) == 2


def test_mails_to_one_address_are_limited_however_it_is_written(open_domain, client, settings, mailoutbox):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"signup_mail": Limit(1, 3600)}
    answers = [client.post(PAGE, {"email": email}) for email in (MAIL, MAIL.upper())]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["Retry-After"] == "3600"
    assert len(mailoutbox) == 1


def test_without_domains_or_mail_there_is_no_such_page(db, client, settings):
    assert client.get(PAGE).status_code in {302, 404}
    assert client.get(f"{PAGE}x/").status_code == 404
    settings.SIGNUP_DOMAINS = ["example.com"]
    assert not signups.is_open()
