"""A clock that was an hour ahead and was set right: what it left behind is looked at again."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.core.cache import cache
from django.db import IntegrityError, connection
from django.db.models import DateTimeField, Value
from django.utils import timezone

from playground import queue
from playground.domain.status import ACTIVE, LATE_SUCCESS, Status
from playground.models import Generation
from playground.services import backlog, catalogue, clocks, engine, pace, refused
from tests import factories

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def waiting(status: Status, *, due: Any, **fields: Any) -> Generation:
    return factories.make_generation(status=status, next_check_at=due, deadline_at=due + engine.DEADLINE, **fields)


@pytest.mark.parametrize("status", sorted(clocks.LONGEST))
def test_order_due_later_than_any_wait_of_its_state_is_due_now_and_one_within_it_stays(status: Status) -> None:
    now = timezone.now()
    longest = clocks.LONGEST[status] + clocks.SLACK
    wrong, right = waiting(status, due=now + longest + HOUR), waiting(status, due=now + longest)

    with structlog.testing.capture_logs() as logs:
        assert clocks.set_right(now=now) == 1
        assert clocks.set_right(now=now) == 0

    wrong.refresh_from_db()
    assert (wrong.next_check_at, wrong.deadline_at) == (now, now + engine.DEADLINE)
    assert Generation.objects.get(id=right.id).next_check_at == now + longest
    assert [line["orders"] for line in logs if line["event"] == "clock_was_ahead"] == [1]


@pytest.mark.parametrize("status", sorted(ACTIVE | LATE_SUCCESS))
def test_row_that_the_database_refused_and_is_set_back_is_taken_for_no_wrong_clock(status: Status) -> None:
    now = timezone.now()
    row = waiting(status, due=now, claim_id=uuid4() if status in clocks.CLAIMED else None)
    cache.set("price", 1, 7200)
    until = Value(now + timedelta(seconds=refused.REFUSED_S), output_field=DateTimeField())
    refused.set_back(row.id, IntegrityError("budget_not_negative"), until=until, now=now)

    with structlog.testing.capture_logs() as logs:
        assert clocks.set_right(now=now + timedelta(seconds=1)) == 0

    row.refresh_from_db()
    assert row.next_check_at == now + timedelta(seconds=refused.REFUSED_S)
    assert cache.get("price") == 1
    assert not logs


@pytest.mark.pure
def test_one_wrong_due_time_of_a_row_that_ended_rewrites_that_row_alone() -> None:
    model = factories.make_model()
    run, due = factories.make_run(by=factories.make_member(), model=model), timezone.now()
    rows = [factories.make_generation(run=run, status=Status.FAILED) for _ in range(9)]
    Generation.objects.filter(id=rows[0].id).update(next_check_at=due)

    with connection.cursor() as cursor:
        counts = []
        for act in (lambda: None, lambda: clocks.set_right(now=due)):
            act()
            counts.append(cursor.execute("SELECT total_changes()").fetchone()[0])

    assert counts[1] - counts[0] == 1
    assert Generation.objects.get(id=rows[0].id).next_check_at is None


@pytest.mark.parametrize("status", clocks.CLAIMED)
def test_claim_of_that_clock_ends_as_soon_as_any_other_and_not_at_once(status: Status) -> None:
    now = timezone.now()
    held = waiting(status, due=now + timedelta(minutes=15), claim_id=uuid4())

    assert clocks.set_right(now=now) == 1

    assert Generation.objects.get(id=held.id).next_check_at == now + engine.CLAIM_FOR


def test_probe_of_a_paused_gateway_tasks_and_what_is_held_back_are_brought_back_too() -> None:
    now = timezone.now()
    gateway = factories.make_gateway(is_default=True, paused_at=now, resume_check_at=now + HOUR, sync_tried_at=now)
    queue.enqueue("cancel", str(uuid4()), timeout_s=60, delay_s=HOUR.total_seconds())
    queue.enqueue("housekeeping", timeout_s=60, delay_s=60)
    backlog.throttled(gateway.id, asked_s=300, now=now + HOUR)
    cache.set("price", 1, 7200)

    clocks.set_right(now=now)

    gateway.refresh_from_db()
    assert gateway.resume_check_at == now
    assert (queue.waiting_for("cancel"), queue.waiting_for("housekeeping"), queue.length()) == (1, 0, 2)
    assert backlog.allowed(gateway.id, now=now) == backlog.FREELY
    assert cache.get("price") is None


def test_gateway_held_back_by_that_clock_is_asked_and_sent_to_without_waiting_for_the_next_look() -> None:
    now, gateway = timezone.now(), factories.make_gateway(is_default=True)
    backlog.throttled(gateway.id, asked_s=300, now=now + HOUR)
    known = pace.Pace()
    known.throttled(retry_after_s=300, now=now + HOUR)
    gateway.sync_tried_at = now + HOUR
    gateway.save()

    assert backlog.allowed(gateway.id, now=now) == backlog.FREELY
    assert known.allowance(now=now) > 0
    assert catalogue.is_due(now=now)


def test_when_no_clock_was_wrong_three_small_statements_are_all(django_assert_max_num_queries: Any) -> None:
    waiting(Status.RUNNING, due=timezone.now())
    cache.set("price", 1, 60)
    with django_assert_max_num_queries(4), structlog.testing.capture_logs() as logs:
        assert clocks.set_right(now=timezone.now()) == 0
    assert not logs
    assert cache.get("price") == 1


def test_clock_that_differs_from_the_databases_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    row = waiting(Status.RUNNING, due=now + HOUR)
    monkeypatch.setattr(clocks, "_off_by", lambda now: -HOUR)

    with structlog.testing.capture_logs() as logs:
        assert clocks.set_right(now=now) == 0

    assert Generation.objects.get(id=row.id).next_check_at == now + HOUR
    assert [line["event"] for line in logs] == ["clock_differs_from_that_of_the_database"]
