"""What is written of an order that ends without a video, and of one of which nothing can be written."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError
from django.db.models import Value

from playground.domain.status import Status
from playground.gateway.errors import FailureKind, NotFound
from playground.gateway.types import Job, JobError, JobState
from playground.models import Event, Generation
from playground.services import doubts, ledger, outcomes, pauses, refused
from tests import factories
from tests.bench import money

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def order(**fields) -> Generation:
    fields = {"status": Status.RUNNING, "upstream_id": "v0", "next_check_at": LATER, "deadline_at": LATER} | fields
    made = factories.make_generation(**fields)
    ledger.hold(generation=made, amount_micros=500_000, at=NOON)
    return made


def told(row: Generation, answer: outcomes.Answer) -> Generation:
    outcomes.record(gateway=row.gateway, answers=[(row, answer)], now=NOON)
    return Generation.objects.get(id=row.id)


def test_why_it_failed_is_on_the_row_and_in_its_history():
    error = JobError("moderated", "Not this prompt", FailureKind.MODERATION)
    row = told(order(), Job("v0", JobState.FAILED, error=error))
    assert (row.state, row.ended_at, row.next_check_at) == (Status.FAILED, NOON, None)
    assert (row.error_kind, row.error_code, row.error_message) == ("moderation", "moderated", "Not this prompt")
    event = Event.objects.get()
    assert (event.kind, event.at, event.data) == ("failed", NOON, {"kind": "moderation", "code": "moderated"})


def test_what_ends_without_a_reason_has_none():
    row = told(order(), Job("v0", JobState.FAILED))
    assert (row.error_kind, row.error_code, row.error_message) == ("", "", "")
    assert Event.objects.get().data == {"kind": "", "code": ""}


def test_lost_order_ends_and_its_money_is_free(monkeypatch):
    monkeypatch.setattr(doubts, "doubt", lambda *_what, **_how: "")
    monkeypatch.setattr(doubts, "is_lost", lambda _gateway, generation, *, now: generation.upstream_id == "v0")
    lost, other = order(submitted_at=NOON - timedelta(hours=1)), order(upstream_id="v1")
    row = told(lost, NotFound("unknown", code="not_found"))
    assert (row.state, row.ended_at, row.next_check_at) == (Status.LOST, NOON, None)
    assert list(money(row)) == ["hold", "release"]
    assert Generation.objects.get(id=other.id).state is Status.RUNNING


@pytest.mark.parametrize(("check_at", "held_s"), [(NOON + timedelta(seconds=200), 200), (NOON, 5), (None, 5)])
def test_doubted_gateway_is_not_asked_before_its_own_time(monkeypatch, check_at, held_s):
    monkeypatch.setattr(doubts, "doubt", lambda *_what, **_how: "keys")
    monkeypatch.setattr(pauses, "pause", lambda *_what, **_how: False)
    made = order(next_check_at=NOON)
    type(made.gateway).objects.filter(id=made.gateway_id).update(resume_check_at=check_at)
    row = told(made, NotFound("unknown", code="not_found"))
    assert (row.state, row.next_check_at) == (Status.RUNNING, NOON + timedelta(seconds=held_s))


def test_order_that_nothing_can_be_written_of_is_looked_at_later_and_says_why_once():
    row = order(next_check_at=NOON, poll_failures=2)
    until = Value(NOON + timedelta(seconds=refused.REFUSED_S))
    for _ in range(2):
        refused.set_back(row.id, IntegrityError("no such value\nmore of it"), until=until, now=NOON)
    now = Generation.objects.get(id=row.id)
    assert (now.next_check_at, now.poll_failures) == (NOON + timedelta(seconds=300), 4)
    event = Event.objects.get()
    assert (event.kind, event.at, event.data) == ("not_written", NOON, {"why": "no such value"})


@pytest.mark.parametrize("status", [Status.CANCELLED, Status.DONE, Status.UNKNOWN])
def test_order_that_nobody_looks_at_again_is_given_no_time(status):
    row = factories.make_generation(status=status)
    refused.set_back(row.id, IntegrityError("no"), until=Value(LATER), now=NOON)
    assert Generation.objects.get(id=row.id).next_check_at is None
