"""Signing in and out, and the password; with mail and without."""

import re
import sys
from importlib import import_module, reload
from urllib.parse import unquote

import pytest
from django import forms
from django.conf import settings as real_settings
from django.core.cache import cache
from django.template.loader import render_to_string
from django.test import Client
from django.urls import clear_url_caches, reverse

from playground.services import invitations, mailing, profiles
from playground.settings_mail import mail_settings
from tests import factories
from tests.support.mail_server import mail_server

pytestmark = pytest.mark.pure


@pytest.fixture
def with_mail(settings):
    """The address list as it is when EMAIL_URL is set; put back afterwards."""
    settings.MAIL_IS_SET = True
    settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = True
    _load_addresses()
    yield
    settings.MAIL_IS_SET = False
    _load_addresses()


def _load_addresses() -> None:
    for name in ("playground.views.account", real_settings.ROOT_URLCONF):
        reload(sys.modules.get(name) or import_module(name))
    clear_url_caches()


def test_sign_in_page_says_what_to_do_while_nobody_has_an_account(db, client):
    page = client.get("/account/login/").content.decode()
    assert "./scripts/up" in page
    assert "manage.py signin_link" in page
    assert 'type="password"' not in page


def test_signing_in_leads_to_where_one_was_going(db, client):
    user = factories.make_user("a@example.com")
    factories.make_member(user=user)
    answer = client.post(
        "/account/login/", {"login": "A@Example.com", "password": factories.PASSWORD, "next": "/gallery/?model=x"}
    )
    assert (answer.status_code, answer.url) == (302, "/gallery/?model=x")


def test_wrong_password_is_422_and_keeps_the_address(db, client):
    factories.make_user("a@example.com")
    answer = client.post("/account/login/", {"login": "a@example.com", "password": "not the right one"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'value="a@example.com"' in page
    assert re.search(r'role="alert"><p>E-mail address or password is wrong.', page)
    assert "not the right one" not in page
    assert re.search(r'name="password"[^>]*\bautofocus', page)


def test_without_mail_nothing_that_needs_mail_is_offered(db, client):
    factories.make_user()
    page = client.get("/account/login/").content.decode()
    assert "code" not in re.sub(r"</?code>", "", page[page.index("<main") : page.index("</main")])
    for path in ("login/code/", "login/code/confirm/", "password/reset/", "signup/", "email/", "confirm-email/"):
        assert client.get(f"/account/{path}").status_code == 404


def test_signing_out_asks_first(member, browser_of):
    client = browser_of(member)
    assert "Sign out?" in client.get("/account/logout/").content.decode()
    assert client.get("/gallery/").status_code == 200
    client.post("/account/logout/")
    assert client.get("/gallery/").status_code == 302


def test_password_is_changed_after_the_old_one(member, browser_of):
    client = browser_of(member)
    fields = {"oldpassword": "wrong", "password1": "another long password", "password2": "another long password"}
    assert client.post("/account/password/change/", fields).status_code == 422
    assert client.post("/account/password/change/", {**fields, "oldpassword": factories.PASSWORD}).status_code == 302
    member.user.refresh_from_db()
    assert member.user.check_password("another long password")


def test_person_who_came_by_link_may_set_a_password(member, browser_of):
    member.user.set_unusable_password()
    member.user.save()
    client = browser_of(member)
    assert client.get("/account/password/change/").url == reverse("account_set_password")
    assert client.get("/account/password/set/").status_code == 200
    fields = {"password1": "another long password", "password2": "another long password"}
    assert client.post("/account/password/set/", fields).status_code == 302


def test_with_mail_a_code_signs_in(with_mail, member, client, mailoutbox):
    page = client.get("/account/login/").content.decode()
    assert "Mail me a code" in page
    answer = client.post("/account/login/code/", {"email": member.user.email})
    assert answer.status_code == 302
    assert client.get(answer.url).status_code == 200
    assert mailoutbox[0].subject == "Video Playground: Your code to sign in"
    code = re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mailoutbox[0].body, re.MULTILINE).group(1)
    assert client.post(answer.url, {"code": "WRONG1", "action": "verify"}).status_code == 422
    assert client.post(answer.url, {"code": code, "action": "verify"}).status_code == 302
    assert client.get("/gallery/").status_code == 200


def test_with_mail_a_forgotten_password_is_set_anew(with_mail, member, client, mailoutbox):
    assert client.get("/account/password/reset/").status_code == 200
    answer = client.post("/account/password/reset/", {"email": member.user.email})
    assert client.get(answer.url).status_code == 200
    assert mailoutbox[0].subject == "Video Playground: Set a new password"
    path = re.search(r"https?://[^/]+(/account/password/reset/key/\S+)", mailoutbox[0].body).group(1)
    form = client.get(path, follow=True)
    fields = {"password1": "another long password", "password2": "another long password"}
    done = client.post(form.redirect_chain[-1][0], fields, follow=True)
    assert done.status_code == 200
    member.user.refresh_from_db()
    assert member.user.check_password("another long password")


def test_with_mail_an_unknown_address_is_not_told_apart(with_mail, db, client, mailoutbox):
    known = factories.make_user("a@example.com")
    answers = [client.post("/account/password/reset/", {"email": mail}) for mail in (known.email, "b@example.com")]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert answers[0].url == answers[1].url


def test_with_mail_a_used_link_says_so(with_mail, db, client):
    page = client.get("/account/password/reset/key/abc-def/").content.decode()
    assert "It was used already, or it is too old." in page


def test_with_mail_a_code_can_be_asked_for_three_times_a_minute(with_mail, member, mailoutbox):
    cache.clear()
    answers = [Client().post("/account/login/code/", {"email": member.user.email}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [302, 302, 302, 429]
    assert answers[3].headers["Retry-After"] == "60"
    assert "Too many tries" in answers[3].content.decode()
    assert len(mailoutbox) == 3


def test_fields_of_every_account_page_speak_alike(member, browser_of):
    page = browser_of(member).get("/account/password/change/").content.decode()
    assert re.findall(r'<label class="label"[^>]*>([^<]+)', page) == [
        "Password now",
        "New password",
        "New password again",
    ]
    assert "At least 10 characters, not a common word." in page


@pytest.mark.parametrize("template", ["account/confirm_login_code.html", "account/email/login_code_message.txt"])
def test_code_is_good_for_as_long_as_is_said(template, settings, with_mail):
    settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 420
    context = {"email": "owner@example.com", "code": "ABC-DEF", "verify_form": forms.Form()}
    assert "good for 7 minutes" in render_to_string(template, context)


def test_with_mail_wrong_codes_end_whatever_the_session_says(with_mail, member, client, mailoutbox, settings):
    """What a session counts may be overtaken by tries at once; the count of the database is not."""
    settings.ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 100
    asked = client.post("/account/login/code/", {"email": member.user.email})
    statuses = [client.post(asked.url, {"code": f"WRON{n}", "action": "verify"}).status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]
    code = re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mailoutbox[0].body, re.MULTILINE).group(1)
    assert client.post(asked.url, {"code": code, "action": "verify"}).status_code == 429


def test_with_mail_codes_for_unknown_addresses_end_alike(with_mail, member, mailoutbox, settings):
    settings.ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 100

    def statuses(email: str) -> list[int]:
        client = Client()
        asked = client.post("/account/login/code/", {"email": email})
        return [client.post(asked.url, {"code": f"WRON{n}", "action": "verify"}).status_code for n in range(12)]

    assert statuses(member.user.email) == statuses("nobody@example.com") == [422] * 10 + [429] * 2


def test_signing_in_renews_the_id_of_the_session(member, client):
    client.get("/account/login/")
    client.session["x"] = 1
    client.session.save()
    before = client.session.session_key
    client.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    assert client.session.session_key != before


def signed_in(member) -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"})
    client.post("/account/login/", {"login": member.user.email, "password": factories.PASSWORD})
    assert client.get("/gallery/").status_code == 200
    return client


def test_changed_password_ends_the_other_sessions(member):
    cache.clear()
    here, there = signed_in(member), signed_in(member)
    new = "another long password"
    here.post("/account/password/change/", {"oldpassword": factories.PASSWORD, "password1": new, "password2": new})
    assert here.get("/gallery/").status_code == 200
    assert there.get("/gallery/").status_code == 302


def test_switched_off_account_is_out_at_once(member):
    cache.clear()
    client = signed_in(member)
    member.user.is_active = False
    member.user.save()
    assert client.get("/gallery/").status_code == 302


def test_devices_are_listed_and_the_others_signed_out(member):
    cache.clear()
    here, there = signed_in(member), signed_in(member)
    page = here.get("/account/devices/").content.decode()
    assert page.count("Firefox on Linux") == 2
    assert page.count("this one") == 1
    assert here.post("/account/devices/").status_code == 302
    assert here.get("/gallery/").status_code == 200
    assert there.get("/gallery/").status_code == 302
    assert "You are signed in nowhere else." in here.get("/account/devices/").content.decode()


def test_account_page_gathers_everything_and_takes_a_name(member, browser_of):
    client = browser_of(member)
    page = client.get("/account/").content.decode()
    assert member.user.email in page
    assert member.team.name in page
    assert "manage.py change_email" in page
    assert client.post("/account/", {"name": " Bo <b>Berg</b> "}).status_code == 302
    member.user.refresh_from_db()
    assert member.user.name == "Bo <b>Berg</b>"
    assert "Bo &lt;b&gt;Berg&lt;/b&gt;" in client.get("/account/").content.decode()
    assert client.post("/account/", {"name": "x" * 101}).status_code == 422


def test_account_page_is_there_for_whoever_is_in_no_team(db):
    client = Client()
    client.force_login(factories.make_user())
    assert "You are in no team yet." in client.get("/account/").content.decode()


def test_new_address_counts_once_its_link_is_opened_and_the_old_one_until_then(with_mail, member, mailoutbox):
    cache.clear()
    client, old = signed_in(member), member.user.email
    assert client.get("/account/email/").url.startswith("/account/reauthenticate/")
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    for new in ("first@example.org", "new@example.org"):
        assert client.post("/account/email/", {"email": new, "action_add": "1"}).status_code == 302
        member.user.refresh_from_db()
        assert member.user.email == old
    assert "new@example.org takes its place" in client.get("/account/").content.decode()
    path = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    assert "Use this address?" in client.get(path).content.decode()
    member.user.refresh_from_db()
    assert member.user.email == old
    assert f"({old})" in mailoutbox[-1].body
    client.post(path)
    member.user.refresh_from_db()
    assert member.user.email == "new@example.org"
    assert "This link has ended." in client.get(path).content.decode()


def test_new_address_leaves_no_seat_of_ones_team_to_the_old_one(with_mail, member, admin, mailoutbox):
    """Whether the old one was proven or not: who was removed would come back by it."""
    cache.clear()
    invitations.invite(by=admin, role="admin", email=member.user.email, base_url="http://x")
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    client.post("/account/email/", {"email": "new@example.org", "action_add": "1"})
    assert invitations.open_ones().exists()
    client.post(re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1])
    assert not invitations.open_ones().exists()


def test_new_address_is_confirmed_by_the_account_that_asked_alone(with_mail, member, admin, mailoutbox):
    """Else its reader would give their own address, and their single sign-on with it, to somebody else's account."""
    cache.clear()
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    client.post("/account/email/", {"email": "new@example.org", "action_add": "1"})
    path = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    for answer in (Client().get(path), Client().post(path)):
        assert unquote(answer.url) == f"/account/login/?next={path}"
    other = signed_in(admin)
    assert "This link has ended." in other.get(path).content.decode()
    assert other.post(path).status_code == 404
    member.user.refresh_from_db()
    assert member.user.email != "new@example.org"
    assert "Use this address?" in client.get(path).content.decode()


def waits_for(member, email) -> Client:
    """A browser of this member, who has typed `email` and not proven it."""
    cache.clear()
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    assert client.post("/account/email/", {"email": email, "action_add": "1"}).status_code == 302
    return client


@pytest.mark.parametrize("path", ["/account/login/code/", "/account/password/reset/"])
def test_address_that_waits_to_be_proven_is_nobodys(with_mail, member, mailoutbox, path):
    """Else whoever types a colleague's address gets the colleague into their own account."""
    waits_for(member, "colleague@example.org")
    mailoutbox.clear()
    assert Client().post(path, {"email": "colleague@example.org"}).status_code == 302
    assert [mail.subject for mail in mailoutbox] == ["Video Playground: No account with this address"]
    mailoutbox.clear()
    assert Client().post(path, {"email": member.user.email.upper()}).status_code == 302
    assert [mail.to for mail in mailoutbox] == [[member.user.email]]


def test_nobody_signs_in_by_an_address_that_waits_to_be_proven(with_mail, member):
    waits_for(member, "colleague@example.org")
    wrong = {"login": "colleague@example.org", "password": factories.PASSWORD}
    answer = Client().post("/account/login/", wrong)
    assert answer.status_code == 422
    assert "E-mail address or password is wrong." in answer.text


def test_code_to_an_address_ends_with_it(with_mail, member, mailoutbox):
    """An admin changes it where somebody else has the mailbox."""
    cache.clear()
    clients = [Client(), Client()]
    for client, address in zip(clients, (member.user.email, "new@example.org"), strict=True):
        profiles.change_email(user=member.user, email=address)
        client.post("/account/login/code/", {"email": address.upper()})
    for client, mail, status in zip(clients, mailoutbox, (422, 302), strict=True):
        code = re.search(r"^[A-Z]{4}-[A-Z]{4}$", mail.body, re.MULTILINE)[0]
        assert client.post("/account/login/code/confirm/", {"code": code}).status_code == status


def test_address_that_waits_for_one_is_taken_by_whoever_proves_it_first(with_mail, member, admin, mailoutbox):
    waiting = waits_for(member, "shared@example.org")
    first = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    client = waits_for(admin, "shared@example.org")
    path = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    assert client.post(path).status_code == 302
    admin.user.refresh_from_db()
    assert admin.user.email == "shared@example.org"
    assert "Another account has this address." in waiting.post(first, follow=True).text
    member.user.refresh_from_db()
    assert member.user.email != "shared@example.org"


@pytest.mark.parametrize("path", ["/account/login/code/", "/account/password/reset/"])
def test_mail_goes_to_an_address_as_it_is_kept_and_not_to_one_that_a_database_takes_for_it(
    with_mail, member, mailoutbox, path
):
    member.user.email = "kim@example.org"
    member.user.save()
    for typed in ("k\N{LATIN SMALL LETTER DOTLESS I}m@example.org", "\N{KELVIN SIGN}im@example.org"):
        Client().post(path, {"email": typed})
    unknown, known = mailoutbox
    assert unknown.subject == "Video Playground: No account with this address"
    assert known.to == ["kim@example.org"]


def test_links_in_mails_lead_to_the_public_address_whatever_host_was_asked(with_mail, member, mailoutbox, settings):
    cache.clear()
    settings.PUBLIC_URL = "https://videos.example.com"
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    stray = {"headers": {"host": "localhost:9999"}}
    client.post("/account/email/", {"email": "new@example.org", "action_add": "1"}, **stray)
    Client().post("/account/password/reset/", {"email": member.user.email}, **stray)
    assert [re.search(r"https?://[^/]+/account/\w", mail.body)[0] for mail in mailoutbox] == [
        "https://videos.example.com/account/c",
        "https://videos.example.com/account/p",
    ]


def test_new_address_that_somebody_took_meanwhile_is_refused(with_mail, member, mailoutbox):
    cache.clear()
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    client.post("/account/email/", {"email": "new@example.org", "action_add": "1"})
    factories.make_user("new@example.org")
    path = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    assert "This link has ended." in client.post(path).content.decode()
    member.user.refresh_from_db()
    assert member.user.email != "new@example.org"


@pytest.mark.django_db(transaction=True)
def test_mail_server_that_is_away_takes_no_change_back(with_mail, member, settings, monkeypatch):
    def fails(self, *args, **kwargs):
        raise ConnectionRefusedError

    cache.clear()
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
    client, new = signed_in(member), "another long password"
    monkeypatch.setattr("django.core.mail.EmailMessage.send", fails)
    fields = {"oldpassword": factories.PASSWORD, "password1": new, "password2": new}
    assert client.post("/account/password/change/", fields).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_change_is_told_by_mail(with_mail, member, settings, mailoutbox):
    cache.clear()
    settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
    client, new = signed_in(member), "another long password"
    client.post("/account/password/change/", {"oldpassword": factories.PASSWORD, "password1": new, "password2": new})
    assert mailoutbox[0].subject == "Video Playground: Password changed"
    assert "from 127.0.0.1" in mailoutbox[0].body
    assert new not in mailoutbox[0].body


SENDS = [("/account/login/code/", {}), ("/account/password/reset/", {})]


def use_mail_of(settings, url):
    for name, value in mail_settings(url).items():
        setattr(settings, name, value)


@pytest.mark.parametrize(("path", "fields"), SENDS)
def test_mail_server_that_takes_no_mail_is_said_alike_for_known_and_unknown(
    with_mail, member, client, settings, path, fields
):
    with mail_server(refuses={"MAIL": b"550 not from you"}) as server:
        use_mail_of(settings, server.url)
        answers = [
            client.post(path, fields | {"email": email}) for email in (member.user.email, "nobody@elsewhere.example")
        ]
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
        assert re.search(r'role="alert"><p>The mail could not be sent.', answer.text)
    assert f'value="{member.user.email}"' in answers[0].text
    assert "SMTPSenderRefused" in client.get("/readyz").json()["mail"]


@pytest.mark.parametrize("refused", [{"RCPT": b"550 nobody of that name"}, {"TEXT": b"554 looks like spam"}])
@pytest.mark.parametrize(("path", "fields"), SENDS)
def test_mail_that_is_refused_by_itself_tells_a_stranger_nothing(
    with_mail, member, client, settings, path, fields, refused
):
    with mail_server(refuses=refused) as server:
        use_mail_of(settings, server.url)
        answers = [
            Client().post(path, fields | {"email": email}) for email in (member.user.email, "nobody@elsewhere.example")
        ]
    assert [(answer.status_code, answer.url) for answer in answers] == [(302, answers[0].url)] * 2
    assert not server.taken
    assert mailing.failing() == ""


def ask_for(client, email):
    return client.post("/account/email/", {"email": email, "action_add": "1"})


@pytest.mark.parametrize("refused", [{"MAIL": b"550 not from you"}, {"RCPT": b"550 nobody of that name"}])
def test_new_address_that_no_link_went_to_waits_for_nothing(with_mail, member, settings, mailoutbox, refused):
    cache.clear()
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    first = ask_for(client, "first@example.org")
    assert first.status_code == 302
    path = re.search(r"http://[^/]+(/account/confirm-email/\S+)", mailoutbox[-1].body)[1]
    with mail_server(refuses=refused) as server:
        use_mail_of(settings, server.url)
        answer = ask_for(client, "second@example.org")
        assert answer.status_code == 503
        assert "The mail could not be sent. Nothing was changed." in answer.text
        assert 'value="second@example.org"' in answer.text
        assert "A link went to first@example.org" in client.get("/account/email/").text
        cache.clear()
        again = client.post("/account/email/", {"email": "first@example.org", "action_send": "1"}, follow=True)
        assert "The mail could not be sent." in again.text
    assert "Use this address?" in client.get(path).text, "the earlier link goes on"


def test_new_address_of_somebody_else_is_refused_in_the_same_words(with_mail, member, settings):
    cache.clear()
    factories.make_user("taken@example.org")
    client = signed_in(member)
    client.post("/account/reauthenticate/", {"password": factories.PASSWORD})
    with mail_server(refuses={"RCPT": b"550 nobody of that name"}) as server:
        use_mail_of(settings, server.url)
        answers = [ask_for(client, email) for email in ("taken@example.org", "free@example.org")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert "A link went to" not in client.get("/account/email/").text
