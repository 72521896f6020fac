"""One row that the database refuses, or that ends at a bad moment, holds up nobody else."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.types import Job, JobState
from playground.models import Budget, Gateway, Generation, LedgerEntry, Membership, Role
from playground.services import accepted, clocks, outcomes, pauses, repair, stops, submit, sweep, unclear
from playground.services.worker import Watcher
from playground.views.history import history
from tests import factories
from tests.bench import money
from tests.services.upstream import model_of_gateway, queued, upstream

pytestmark = pytest.mark.django_db(transaction=True)
POSTGRES = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer")
FAILED = {"status": "failed", "error": {"code": "x", "message": "y"}}


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


def beside(*actions: Callable[[], object]) -> list[BaseException]:
    """Run them in threads with connections of their own; what they raised."""
    raised: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            raised.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return raised


def running(by: Membership, model: Any, number: int, **fields: Any) -> Generation:
    row = queued(by=by, model=model)
    now = timezone.now()
    fields = {"next_check_at": now - timedelta(seconds=1), **fields}
    Generation.objects.filter(id=row.id).update(
        status=Status.RUNNING, upstream_id=f"video_{number}", submitted_at=now, **fields
    )
    return Generation.objects.select_related("gateway").get(id=row.id)


@pytest.mark.parametrize("stuck", [Status.QUEUED, Status.STORING])
def test_order_whose_money_cannot_be_given_back_keeps_no_other_from_ending(settings: Any, stuck: Status) -> None:
    with upstream(settings, poll=lambda id: (200, {"id": id} | FAILED)):
        model, now = model_of_gateway(), timezone.now()
        poor = queued(by=factories.make_member(), model=model, deadline_at=now, attempts=1)
        if stuck is Status.STORING:
            for try_number in range(12):
                poor.events.create(kind="saving_failed", data={"why": "saver", "try": try_number})
            Generation.objects.filter(id=poor.id).update(
                status=stuck, upstream_id="video_9", claim_id=poor.id, estimate_micros=7, completed_at=now
            )
        Budget.objects.update(held_micros=0)  # it has drifted
        other = running(factories.make_member(), model, 1)
        sweep.sweep_once(now=timezone.now())

    rows = {row.id: row for row in Generation.objects.all()}
    assert (rows[other.id].state, rows[poor.id].state) == (Status.FAILED, stuck)
    assert rows[poor.id].next_check_at > now + timedelta(minutes=4)
    assert rows[poor.id].events.filter(kind="not_written").count() == 1


@pytest.mark.parametrize("honours", [True, False])
def test_refusal_ends_an_order_also_beside_a_drifted_counter_and_repair_gives_its_money_back(
    settings: Any, member: Membership, honours: bool
) -> None:
    refusal = (400, {"error": {"code": "moderation_blocked", "message": "no"}})
    with upstream(settings, refuses=refusal) as gateway:
        model = model_of_gateway(honours_idempotency_key=honours, has_request_log=False)
        row = queued(by=member, model=model)
        Budget.objects.update(held_micros=0)  # it has drifted
        submit.submit_queued(row.id)
        refused, held = Generation.objects.get(id=row.id), money(row)
        repair.run(now=timezone.now())

    assert (refused.state, refused.error_code, refused.next_check_at) == (Status.REJECTED, "moderation_blocked", None)
    assert len(gateway.posts) == 1
    assert held == {"hold": 400_000}
    assert refused.events.filter(kind="money_not_freed").count() == 1
    assert not any("every five minutes" in str(line.words) for line in history([refused]))
    assert money(row) == {"hold": 400_000, "release": 400_000}
    assert set(Budget.objects.values_list("held_micros", "spent_micros")) == {(0, 0)}


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN])
def test_order_is_cancelled_and_closed_also_beside_a_drifted_counter(settings: Any, status: Status) -> None:
    with upstream(settings):
        by = factories.make_member(role=Role.ADMIN)
        row = queued(by=by, model=model_of_gateway())
        Budget.objects.update(held_micros=0)  # it has drifted
        if status is Status.QUEUED:
            assert stops.cancel(by=by, generation=row)
        else:
            Generation.objects.filter(id=row.id).update(status=status, next_check_at=None, unclear_at=timezone.now())
            unclear.close(by=by, generation=Generation.objects.get(id=row.id))
        assert list(money(row)) == ["hold"]
        repair.run(now=timezone.now())

    assert Generation.objects.get(id=row.id).state in (Status.CANCELLED, Status.REJECTED)
    assert list(money(row)) == ["hold", "release"]
    assert set(Budget.objects.values_list("held_micros", flat=True)) == {0}


def test_row_that_ended_with_a_due_time_is_put_right_and_stops_no_worker() -> None:
    row = factories.make_generation(status=Status.FAILED, next_check_at=timezone.now())

    clocks.set_right(now=timezone.now())

    row.refresh_from_db()
    assert row.next_check_at is None


def test_errand_that_a_worker_cannot_do_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*, now: Any) -> int:
        raise KeyError(now)

    monkeypatch.setattr(clocks, "set_right", broken)
    watcher = Watcher(["sleep", "30"])
    monkeypatch.setattr(watcher, "_tidy", watcher.stop.set)  # the last errand of a look

    watcher.run()

    assert watcher.stop.is_set()


@POSTGRES
def test_going_on_gives_no_due_time_to_an_order_that_ends_meanwhile(member: Membership) -> None:
    gateway = factories.make_gateway(is_sandbox=False)
    row = running(member, factories.make_model(gateway=gateway), 1, next_check_at=timezone.now() + timedelta(seconds=9))
    Gateway.objects.filter(id=gateway.id).update(paused_at=timezone.now(), paused_reason="key")
    gateway.refresh_from_db()
    written = threading.Event()

    def ends() -> None:
        with transaction.atomic():
            outcomes.record(gateway=gateway, answers=[(row, Job(id="1", state=JobState.FAILED))], now=timezone.now())
            written.set()
            time.sleep(0.5)

    def goes_on() -> None:
        written.wait(10)
        pauses.resume(gateway, by=None, now=timezone.now())

    assert beside(ends, goes_on) == []
    row.refresh_from_db()
    assert (row.state, row.next_check_at) == (Status.FAILED, None)


def slowly_swept(rows: list[Generation], at: threading.Event) -> None:
    """Answers to the last row first, all in one transaction; `at` is set once the first of them is written.

    It does not look for a deadlock for so long that PostgreSQL ends the other, however busy the machine is.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '15s'")
        for row in reversed(rows):
            job = Job(id=str(row.upstream_id), state=JobState.RUNNING, progress=50)
            outcomes.record(gateway=row.gateway, answers=[(row, job)], now=timezone.now())
            at.set()
            time.sleep(0.7)


@POSTGRES
def test_refused_key_makes_no_order_unclear_while_answers_are_written(settings: Any, member: Membership) -> None:
    """Its pause touches every row of the gateway, which the sweep writes in another order."""
    refusal = (401, {"error": {"code": "invalid_api_key", "message": "no"}})
    with upstream(settings, refuses=refusal):
        model = model_of_gateway(honours_idempotency_key=False, has_request_log=False)
        soon = timezone.now() + timedelta(seconds=10)
        rows = [running(member, model, number, next_check_at=soon) for number in range(2)]
        order, at = queued(by=member, model=model), threading.Event()

        def sends() -> None:
            at.wait(10)
            submit.submit_queued(order.id)

        raised = beside(lambda: slowly_swept(rows, at), sends)
    order.refresh_from_db()
    assert order.state is Status.QUEUED
    assert order.gateway.__class__.objects.get(id=order.gateway_id).paused_reason == "key"
    assert all(isinstance(error, OperationalError) for error in raised)


@POSTGRES
def test_probe_that_fails_while_answers_are_written_raises_nothing_and_holds_all_questions(
    settings: Any, member: Membership
) -> None:
    """It waits for a row that the sweep has, which then waits for one that the probe has: PostgreSQL ends the probe."""
    refusal = (401, {"error": {"code": "invalid_api_key", "message": "no"}})
    with upstream(settings, balance=refusal):
        model, now = model_of_gateway(), timezone.now()
        rows = [running(member, model, number, next_check_at=now + timedelta(seconds=10)) for number in range(2)]
        paused = {"paused_at": now - timedelta(minutes=2), "paused_reason": "key", "resume_check_at": now}
        Gateway.objects.update(**paused)
        at = threading.Event()

        def probes() -> None:
            at.wait(10)
            pauses.probe_due()

        raised = beside(lambda: slowly_swept(rows, at), probes)

    assert raised == []
    until = Gateway.objects.get(id=rows[0].gateway_id).resume_check_at
    assert until is not None
    assert set(Generation.objects.values_list("next_check_at", flat=True)) == {until}


@pytest.mark.parametrize("times", [1, 99])
def test_id_of_a_paid_order_is_kept_also_when_the_database_is_away_as_it_comes(
    settings: Any, member: Membership, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, times: int
) -> None:
    store, calls = accepted._store, []

    def away(*given: Any, **named: Any) -> bool:
        calls.append(1)
        if len(calls) <= times:
            raise OperationalError("the database system is shutting down")
        return store(*given, **named)

    monkeypatch.setattr(accepted, "_store", away)
    monkeypatch.setattr(accepted, "AGAIN_S", (0.01, 0.01))
    with upstream(settings) as gateway:
        row = queued(by=member, model=model_of_gateway(honours_idempotency_key=False, has_request_log=False))
        if times == 1:
            submit.submit_queued(row.id)
        else:
            with pytest.raises(OperationalError):
                submit.submit_queued(row.id)

    upstream_id = gateway.charged[0].id
    row.refresh_from_db()
    assert upstream_id in caplog.text
    assert row.upstream_id == (upstream_id if times == 1 else None)
    assert LedgerEntry.objects.get(generation=row).kind == "hold"
