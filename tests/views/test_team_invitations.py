"""Open seats as admins see them: the link once, mail when it is set, revoking."""

import re
from smtplib import SMTPException

import pytest
from django.core import mail
from django.urls import reverse

from playground.models import Invitation
from playground.settings_mail import mail_settings
from tests import factories
from tests.support.mail_server import mail_server

pytestmark = pytest.mark.pure

ADDRESS = "/team/invitations/"
FORM = {"role": "creator", "email": "", "days": "7", "sees_spend": "on"}


def link_in(page: str) -> str:
    found = re.search(r'value="http://localhost:\d+(/invite/[\w-]{43}/)"', page)
    assert found, "no link on the page"
    return found.group(1)


def test_link_is_shown_once_and_leads_into_the_team(admin, browser_of, client):
    browser = browser_of(admin)
    answer = browser.post(ADDRESS, FORM | {"role": "viewer", "sees_spend": ""})
    assert "no-store" in answer["Cache-Control"]
    path = link_in(answer.content.decode())
    assert "/invite/" not in browser.get(ADDRESS).content.decode()
    assert client.get(path).status_code == 200
    row = Invitation.objects.get()
    assert (row.role, row.sees_spend, (row.expires_at - row.created_at).days) == ("viewer", False, 7)


@pytest.mark.parametrize(("field", "value"), [("role", "owner"), ("days", "400"), ("email", "nobody")])
def test_wrong_input_is_named_beside_its_field(admin, browser_of, field, value):
    answer = browser_of(admin).post(ADDRESS, FORM | {field: value})
    assert answer.status_code == 422
    assert f'id="id_{field}_error"' in answer.content.decode()
    assert not Invitation.objects.exists()


def test_who_is_in_the_team_is_not_invited(member, admin, browser_of):
    answer = browser_of(admin).post(ADDRESS, FORM | {"email": member.user.email.upper()})
    assert answer.status_code == 422
    assert "in the team already" in answer.content.decode()


def test_without_mail_nothing_is_mailed(admin, browser_of):
    page = browser_of(admin).post(ADDRESS, FORM | {"email": "new@example.com"}).content.decode()
    assert "Nothing is mailed" in page
    assert not mail.outbox


def test_with_mail_the_link_is_mailed_and_said_so(admin, browser_of, settings):
    settings.MAIL_IS_SET = True
    page = browser_of(admin).post(ADDRESS, FORM | {"email": "new@example.com"}).content.decode()
    assert "Mailed to new@example.com." in page
    assert link_in(page) in mail.outbox[0].body


def test_mail_that_fails_is_said_and_the_link_is_shown_all_the_same(admin, browser_of, settings, monkeypatch):
    settings.MAIL_IS_SET = True

    def broken(self):
        raise SMTPException("no")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", broken)
    page = browser_of(admin).post(ADDRESS, FORM | {"email": "new@example.com"}).content.decode()
    assert "The mail server did not take the mail" in page
    assert link_in(page)


@pytest.mark.parametrize("how", [{"refuses": {"RCPT": b"550 nobody"}}, {"refuses": {"MAIL": b"550 not you"}}])
def test_mail_that_is_refused_is_said_with_the_link(admin, browser_of, settings, how):
    settings.MAIL_IS_SET = True
    browser = browser_of(admin)
    with mail_server(**how) as server:
        for name, value in mail_settings(server.url).items():
            setattr(settings, name, value)
        page = browser.post(ADDRESS, FORM | {"email": "new@example.com"}).text
    assert "The mail server did not take the mail to new@example.com. Send the link yourself." in page
    assert link_in(page)
    says_it_fails = "The mail server did not take the last mail." in browser.get(ADDRESS).text
    assert says_it_fails == ("MAIL" in how["refuses"])


def test_revoked_link_has_ended(admin, browser_of, client):
    browser = browser_of(admin)
    path = link_in(browser.post(ADDRESS, FORM).content.decode())
    row = Invitation.objects.get()
    address = reverse("team_invitations.revoke", args=[row.id])
    assert browser.post(address).status_code == 303
    assert client.get(path).status_code == 410
    page = browser.get(ADDRESS).content.decode()
    assert "revoked" in page
    assert browser.post(address).status_code == 303, "a second press is told that it changed nothing"


def test_seats_of_another_team_are_missing(admin, stranger, member, browser_of, client):
    path = link_in(browser_of(admin).post(ADDRESS, FORM).content.decode())
    row = Invitation.objects.get()
    for other in (stranger, member):
        assert browser_of(other).post(reverse("team_invitations.revoke", args=[row.id])).status_code == 404
    assert client.get(path).status_code == 200
    assert str(row.id) not in browser_of(stranger).get(ADDRESS).content.decode()


def test_removed_person_is_invited_again_by_one_press(admin, member, browser_of):
    user = factories.make_user("gone@example.com")
    page = browser_of(admin).post(ADDRESS, FORM | {"email": user.email}).content.decode()
    assert "Only for an account with the address gone@example.com." in page
