"""No mail is handed over inside a transaction: every mail there is, on the way that people take to it."""

import re
from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client

from playground.models import Membership, Role, User
from playground.services import mailing, profiles
from tests import factories
from tests.support.oidc import running_provider
from tests.support.passkey import Passkey
from tests.views.test_account import _load_addresses
from tests.views.test_mfa import code_of, confirmed
from tests.views.test_passkeys import question_in
from tests.views.test_social import START, come_back

pytestmark = [pytest.mark.pure, pytest.mark.django_db(transaction=True)]

OURS = {"invitation", "sign-up"}
NEVER = {"account_already_exists", "email_confirm", "email_confirmation_signup", "password_reset_code"}
"""Of allauth, for its own sign-up and for codes by which a password is set anew: neither is switched on."""
NEW = "another long password"


@pytest.fixture
def handed_over(settings, monkeypatch) -> list[tuple[str, bool]]:
    """Each mail by its name, and whether it was inside a transaction; with all that mails switched on."""
    found: list[tuple[str, bool]] = []
    send = mailing.send

    def seen(message, *, what):
        found.append((what, connection.in_atomic_block))
        send(message, what=what)

    monkeypatch.setattr(mailing, "send", seen)
    cache.clear()
    settings.MAIL_IS_SET = settings.ACCOUNT_LOGIN_BY_CODE_ENABLED = settings.ACCOUNT_EMAIL_NOTIFICATIONS = True
    settings.SIGNUP_DOMAINS = ["example.net"]
    settings.ACCOUNT_RATE_LIMITS = False
    with running_provider() as provider:
        settings.SOCIALACCOUNT_PROVIDERS = provider.settings()
        _load_addresses()
        found_by_provider(provider)
        yield found
    settings.MAIL_IS_SET, settings.SIGNUP_DOMAINS, settings.SOCIALACCOUNT_PROVIDERS = False, [], {}
    _load_addresses()


def found_by_provider(provider) -> None:
    provider.person("bo", email="bo@elsewhere.org", email_verified=False)


def somebody(role: Role = Role.CREATOR) -> Membership:
    """With a proven address, to which they are told of changes."""
    member = factories.make_member(role=role)
    profiles.prove(user=member.user)
    return member


def link_in_mail(name: str) -> str:
    return re.search(rf"http://localhost:8000(/account/{name}/\S+)", mail.outbox[-1].body)[1]


def codes_and_passwords() -> None:
    member, client = somebody(), Client()
    for email in (member.user.email, "nobody@elsewhere.org"):
        Client().post("/account/login/code/", {"email": email})
        client.post("/account/password/reset/", {"email": email})
    client.post("/account/password/reset/", {"email": member.user.email})
    form = client.get(link_in_mail("password/reset/key")).url
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    client = confirmed(somebody())
    fields = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    assert client.post("/account/password/change/", fields).status_code == 302
    member = somebody()
    client = confirmed(member)
    User.objects.filter(id=member.user_id).update(password="!")
    client.force_login(User.objects.get(id=member.user_id))
    assert client.post("/account/password/set/", {"password1": NEW, "password2": NEW}).status_code == 302


def addresses() -> None:
    member = somebody()
    client = confirmed(member)
    for action in ({"action_add": "1"}, {"action_send": "1"}, {"action_remove": "1"}, {"action_add": "1"}):
        assert client.post("/account/email/", {"email": "new@elsewhere.org"} | action).status_code == 302
    assert client.post(link_in_mail("confirm-email")).status_code == 302
    assert EmailAddress.objects.get(user=member.user).email == "new@elsewhere.org"


def factors() -> None:
    client = confirmed(somebody())
    secret = client.get("/account/app/add/").context["secret"]
    assert client.post("/account/app/add/", {"code": code_of(secret)}).status_code == 302
    assert client.post("/account/recovery-codes/new/").status_code == 302
    question = question_in(client.get("/account/passkeys/add/"))
    assert client.post("/account/passkeys/add/", {"credential": Passkey().made(question)}).status_code == 302
    made = Authenticator.objects.get(type="webauthn")
    assert client.post(f"/account/passkeys/{made.pk}/remove/").status_code == 302
    assert client.post("/account/app/remove/").status_code == 302


def accounts_elsewhere() -> None:
    client = confirmed(somebody())
    come_back(client, f"{START}?process=connect")
    assert client.post("/account/linked/", {"account": SocialAccount.objects.get().pk}).status_code == 302


def newcomers() -> None:
    admin = somebody(Role.ADMIN)
    client = confirmed(admin)
    fields = {"team": admin.team.slug, "role": "viewer", "email": "x@elsewhere.org", "days": "7", "sees_spend": "on"}
    assert client.post("/team/invitations/", fields).status_code == 200
    factories.make_user("known@example.net")
    for email in ("new@example.net", "known@example.net"):
        assert Client().post("/account/signup/", {"email": email}).status_code == 200


def test_no_mail_is_handed_over_inside_a_transaction(handed_over):
    for way in (codes_and_passwords, addresses, factors, accounts_elsewhere, newcomers):
        way()
    assert [what for what, is_inside in handed_over if is_inside] == []
    kinds = Path(allauth.__file__).parent.glob("templates/*/email/*_subject.txt")
    assert {what for what, _ in handed_over} == {
        kind.name.removesuffix("_subject.txt") for kind in kinds
    } - NEVER | OURS
