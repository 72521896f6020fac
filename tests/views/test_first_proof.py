"""An account was made with an address that nobody proved: what becomes of it when the mailbox's owner comes."""

import re

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client

from playground.models import AuditEntry
from playground.services import profiles
from tests import factories
from tests.views.test_account import _load_addresses, signed_in, with_mail  # noqa: F401

NEW = "another long password"


def code_for(email: str, mailoutbox) -> tuple[Client, str, str]:
    """A browser of whoever reads the mailbox, the page that asks for the code, and the code."""
    client = Client()
    answer = client.post("/account/login/code/", {"email": email})
    found = re.search(r"^([A-Z0-9]{3,}-?[A-Z0-9]{3,})$", mailoutbox[-1].body, re.MULTILINE)
    return client, answer.url, found.group(1) if found else ""


def by_code(email: str, mailoutbox) -> Client:
    client, url, code = code_for(email, mailoutbox)
    answer = client.post(url, {"code": code, "action": "verify"}, follow=True)
    assert answer.status_code == 200
    client.last = answer
    return client


def by_link(email: str, mailoutbox) -> Client:
    client = Client()
    client.post("/account/password/reset/", {"email": email})
    path = re.search(r"https?://[^/]+(/account/password/reset/key/\S+)", mailoutbox[-1].body).group(1)
    form = client.get(path, follow=True)
    client.post(form.redirect_chain[-1][0], {"password1": NEW, "password2": NEW})
    assert client.post("/account/login/", {"login": email, "password": NEW}).status_code == 302
    return client


@pytest.mark.parametrize("comes", [by_code, by_link])
def test_first_who_reads_the_mailbox_gets_the_account_and_what_signed_in_before_ends(
    with_mail,  # noqa: F811
    member,
    mailoutbox,
    comes,
):
    """Whoever made it with somebody else's address is out: it would be theirs together else."""
    cache.clear()
    maker = signed_in(member)
    SocialAccount.objects.create(user=member.user, provider="google", uid="1")

    owner = comes(member.user.email, mailoutbox)

    assert owner.get("/gallery/").status_code == 200
    assert maker.get("/gallery/").status_code == 302, "the session of before has ended"
    wrong = {"login": member.user.email, "password": factories.PASSWORD}
    assert Client().post("/account/login/", wrong).status_code == 422
    assert not SocialAccount.objects.exists()
    assert profiles.is_proven(member.user)
    assert AuditEntry.objects.filter(team=member.team, kind="address_proven").count() == 1


def test_who_came_by_a_code_first_is_told_what_has_ended(with_mail, member, mailoutbox):  # noqa: F811
    cache.clear()
    assert "Your address is confirmed." in by_code(member.user.email, mailoutbox).last.text
    assert "Your address is confirmed." not in by_code(member.user.email, mailoutbox).last.text


def test_proven_account_keeps_all_by_a_code(with_mail, member, mailoutbox):  # noqa: F811
    cache.clear()
    profiles.prove(user=member.user)
    elsewhere = signed_in(member)

    by_code(member.user.email, mailoutbox)

    assert elsewhere.get("/gallery/").status_code == 200
    right = {"login": member.user.email, "password": factories.PASSWORD}
    assert Client().post("/account/login/", right).status_code == 302


@pytest.mark.parametrize("path", ["/account/login/code/", "/account/password/reset/"])
def test_no_mail_leads_past_the_second_factor_of_an_account_that_nobody_proved(
    with_mail,  # noqa: F811
    member,
    mailoutbox,
    path,
):
    cache.clear()
    Authenticator.objects.create(user=member.user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    Client().post(path, {"email": member.user.email})
    assert [mail.subject for mail in mailoutbox] == ["Video Playground: No account with this address"]
    assert not profiles.is_proven(member.user)


def test_code_is_wrong_where_a_second_factor_came_meanwhile(with_mail, member, mailoutbox):  # noqa: F811
    cache.clear()
    client, url, code = code_for(member.user.email, mailoutbox)
    Authenticator.objects.create(user=member.user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    assert client.post(url, {"code": code, "action": "verify"}).status_code == 422
    assert not profiles.is_proven(member.user)


def test_address_that_waits_goes_on_waiting_after_a_code(with_mail, member, mailoutbox):  # noqa: F811
    """A first proof of today's address says nothing of the one to come, and no mail goes there."""
    cache.clear()
    EmailAddress.objects.create(user=member.user, email="next@example.org")
    by_code(member.user.email, mailoutbox)
    assert EmailAddress.objects.filter(user=member.user, email="next@example.org", verified=False).exists()
    assert {mail.to[0] for mail in mailoutbox} == {member.user.email}
