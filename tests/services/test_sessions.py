"""Ending what somebody is signed in with costs the same however many others are."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from playground.models import Role
from playground.services import members, sessions
from tests import factories

pytestmark = pytest.mark.django_db


def others(count: int) -> None:
    """Sessions of whoever else, as a form kept for somebody signed out leaves them."""
    data = SessionStore().encode({"create_draft": {"prompt": "x" * 1000}})
    until = timezone.now() + timedelta(hours=1)
    Session.objects.bulk_create(
        Session(session_key=f"other{number}", session_data=data, expire_date=until) for number in range(count)
    )


def removal_with(count: int, admin) -> int:
    """Of how many statements it was."""
    member = factories.make_member(team=admin.team)
    Client().force_login(member.user)
    Session.objects.filter(session_key__startswith="other").delete()
    others(count)
    with CaptureQueriesContext(connection) as queries:
        members.remove(by=admin, member=member)
    assert not UserSession.objects.filter(user=member.user).exists()
    assert Session.objects.count() == count
    return len(queries)


def test_removal_reads_no_session_of_others(monkeypatch):
    admin = factories.make_member(role=Role.ADMIN)
    without = removal_with(0, admin)

    def decoded(*_args):
        raise AssertionError("a session was looked into")

    monkeypatch.setattr(Session, "get_decoded", decoded)
    assert removal_with(8000, admin) == without


def test_all_of_one_person_end_and_none_of_others():
    one, other = factories.make_member(), factories.make_member()
    for by in (one, one, other):
        Client().force_login(by.user)
    assert sessions.end_all(user=one.user) == 2
    assert [row.user for row in UserSession.objects.all()] == [other.user]
    assert Session.objects.count() == 1
    assert sessions.end_all(user=one.user) == 0


def test_browser_without_address_and_with_an_endless_name_is_listed():
    by = factories.make_member()
    sessions.keep_listed(user=by.user, key="a" * 32, address="", program="x" * 5000)
    sessions.keep_listed(user=by.user, key="a" * 32, address="192.0.2.8", program="x")
    row = UserSession.objects.get()
    assert (row.session_key, str(row.ip), row.user_agent) == ("a" * 32, "192.0.2.8", "x")
