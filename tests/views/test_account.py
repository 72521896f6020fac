"""Signing in and out, and the password; with mail and without."""

import re
import sys
from importlib import import_module, reload

import pytest
from django import forms
from django.conf import settings as real_settings
from django.core.cache import cache
from django.template.loader import render_to_string
from django.test import Client
from django.urls import clear_url_caches, reverse

from tests import factories

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
