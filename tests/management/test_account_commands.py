"""What an admin at the machine does for people: taking lost factors away, changing an address."""

import io

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from playground.models import AuditEntry
from tests import factories
from tests.views.conftest import plain_static_files  # noqa: F401  a fixture
from tests.views.test_mfa import SIGN_IN, with_app

pytestmark = pytest.mark.django_db


def run(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_lost_factors_are_taken_away_and_sessions_ended():
    cache.clear()
    member = factories.make_member()
    client, _, _ = with_app(member)
    said = run("reset_second_factor", member.user.email.upper())
    assert "authenticator app: yes, passkeys: 0, recovery codes: yes. Sessions ended: 1." in said
    assert "manage.py signin_link" in said
    assert not Authenticator.objects.exists()
    assert client.get("/gallery/").status_code == 302
    entry = AuditEntry.objects.get(kind="second_factor_reset")
    assert (entry.team, entry.by, entry.data["totp"]) == (member.team, None, 1)
    fresh = Client()
    fresh.post(SIGN_IN, {"login": member.user.email, "password": factories.PASSWORD})
    assert fresh.get("/gallery/").status_code == 200


def test_reset_of_somebody_without_a_team_is_written_down_too():
    user = factories.make_user()
    run("reset_second_factor", user.email)
    assert AuditEntry.objects.get(kind="second_factor_reset").team is None


@pytest.mark.parametrize("command", [("reset_second_factor", "x@y.z"), ("change_email", "x@y.z", "a@b.example")])
def test_nobody_of_that_address_is_said(command):
    with pytest.raises(CommandError, match="Nobody has this e-mail address"):
        run(*command)


def test_address_is_changed_and_signs_in():
    cache.clear()
    member = factories.make_member()
    EmailAddress.objects.create(user=member.user, email=member.user.email, verified=True, primary=True)
    assert "new@example.org is the address" in run("change_email", member.user.email, "New@Example.org")
    member.user.refresh_from_db()
    assert factories.is_proven(member.user)
    assert EmailAddress.objects.count() == 1
    answer = Client().post(SIGN_IN, {"login": "new@example.org", "password": factories.PASSWORD})
    assert answer.status_code == 302
    assert AuditEntry.objects.get(kind="email_changed").team == member.team


@pytest.mark.parametrize("new", ["no address", "x" * 250 + "@example.org", "taken@example.org"])
def test_address_that_cannot_be_is_refused(new):
    factories.make_user("taken@example.org")
    user = factories.make_user()
    with pytest.raises(CommandError):
        run("change_email", user.email, new)
