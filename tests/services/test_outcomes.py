"""What the gateway's answers lead to: which cost counts, and one order whose answer cannot be written down."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.db import OperationalError, transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.errors import NotSent
from playground.gateway.types import Job, JobState, Output
from playground.models import Budget, Generation, LedgerEntry, Membership
from playground.services import batches, clocks, collect, engine, ledger, outcomes, repair, saving, spend, sweep
from playground.services.budgets import month_of
from playground.services.engine import Move
from playground.services.outcomes import Answer
from playground.views.cards import card_of
from tests import factories
from tests.bench import money
from tests.services.test_exactly_once import fresh
from tests.services.upstream import Upstream, model_of_gateway, running, upstream

pytestmark = pytest.mark.django_db(transaction=True)
FILE = Output("https://media.example/v.mp4")


@pytest.fixture
def gateway(settings: Any) -> Iterator[Upstream]:
    with upstream(settings, poll=lambda id: (200, {"id": id, "status": "failed"})) as made:
        yield made


@pytest.fixture
def order(gateway: Upstream) -> Generation:
    """Under way, with a price of $0.40."""
    return running(by=factories.make_member(), model=model_of_gateway(), upstream_id="v0", estimate_micros=400_000)


def told(row: Generation, answer: Answer) -> Generation:
    outcomes.record(gateway=row.gateway, answers=[(fresh(row), answer)], now=timezone.now())
    return fresh(row)


def job(state: JobState, cost: int | None = None) -> Job:
    return Job("v0", state, cost_micros=cost, output=FILE if state is JobState.COMPLETED else None)


def spent(row: Generation) -> int:
    """By the page "Spend"."""
    by = Membership.objects.get(user_id=row.run.created_by_id)
    return spend.report(by, month_of(row.team, row.created_at)).total.cost


@pytest.mark.parametrize(("days", "ends"), [(13, ["hold"]), (15, ["hold", "release"])])
def test_order_of_a_gateway_that_is_no_longer_set_up_keeps_its_money_for_two_weeks(
    order: Generation, days: int, ends: list[str]
) -> None:
    ended_at = timezone.now() - timedelta(days=days)
    Generation.objects.filter(id=order.id).update(status=Status.EXPIRED, ended_at=ended_at)

    after = told(order, NotSent("no key", code="not_configured"))

    assert list(money(order)) == ends
    assert (after.next_check_at is None) is (days > 14)


def test_gateway_that_is_silent_for_a_month_gives_no_money_back(order: Generation) -> None:
    Generation.objects.filter(id=order.id).update(status=Status.EXPIRED, ended_at=timezone.now() - timedelta(days=30))
    after = told(order, NotSent("away"))
    assert list(money(order)) == ["hold"]
    assert after.next_check_at is not None


@pytest.mark.parametrize("early", [400_000, 0])
def test_cost_that_is_told_before_the_end_is_not_that_of_an_order_that_failed(order: Generation, early: int) -> None:
    Generation.objects.filter(id=order.id).update(status=Status.SUBMITTED, started_at=None)
    assert told(order, job(JobState.RUNNING, early)).cost_micros is None

    row = told(order, job(JobState.FAILED))

    assert (row.state, row.cost_micros, money(row)) == (Status.FAILED, None, {"hold": 400_000, "release": 400_000})
    assert card_of(row, by=None).sentence.endswith("No charge was reported; the money set aside is free again.")
    assert spent(row) == 0


def test_nothing_that_is_told_before_the_end_makes_a_late_order_free(order: Generation) -> None:
    Generation.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
    row = told(order, job(JobState.RUNNING, 0))
    assert (row.state, money(row)) == (Status.EXPIRED, {"hold": 400_000})
    assert "Not charged" not in card_of(row, by=None).sentence

    Generation.objects.update(ended_at=timezone.now() - engine.LATE_FOR - timedelta(minutes=1))
    row = told(order, job(JobState.RUNNING, 0))
    assert (row.next_check_at, row.cost_micros, money(row)) == (None, None, {"hold": 400_000, "release": 400_000})
    assert "Not charged" not in card_of(row, by=None).sentence


def test_price_counts_for_a_video_whose_only_cost_was_told_while_it_was_made(order: Generation) -> None:
    Generation.objects.filter(id=order.id).update(cost_micros=0)  # as an older version wrote it
    row = told(order, job(JobState.COMPLETED))

    assert (row.state, row.cost_micros, saving.cost_of(row)) == (Status.COMPLETED, None, 400_000)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED])
def test_cost_that_is_told_with_the_end_counts_everywhere(order: Generation, state: JobState) -> None:
    row = told(order, job(state, 120_000))

    assert (row.cost_micros, row.next_check_at) == (120_000, None)
    assert money(row) == {"hold": 400_000, "settle": 120_000}
    assert "Cost $0.12." in card_of(row, by=None).sentence
    assert spent(row) == 120_000


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED])
def test_order_that_ended_at_no_cost_is_free_at_once_and_still_looked_for(order: Generation, state: JobState) -> None:
    for _ in range(3):
        row = told(order, job(state, 0))
        assert money(row) == {"hold": 400_000, "release": 400_000}
        assert row.next_check_at is not None
    Generation.objects.update(ended_at=timezone.now() - engine.LATE_FOR - timedelta(minutes=1))
    assert told(order, job(state, 0)).next_check_at is None


@pytest.mark.parametrize(("cost", "settled"), [(200_000, 200_000), (None, 400_000), (0, 0)])
@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.EXPIRED])
def test_late_video_of_an_order_that_ended_at_no_cost_costs_what_is_told_with_it(
    order: Generation, state: JobState, cost: int | None, settled: int
) -> None:
    """Without a word its price counts, as that of any other."""
    told(order, job(state, 0))
    row = told(order, job(JobState.COMPLETED, cost))
    assert (row.state, row.is_late, saving.cost_of(row)) == (Status.COMPLETED, True, settled)

    ledger.settle(generation=row, cost_micros=saving.cost_of(row), at=timezone.now())

    assert money(row) == {"hold": 400_000, "release": 400_000, "settle": settled}
    assert set(Budget.objects.values_list("held_micros", "spent_micros")) == {(0, settled)}


@pytest.mark.parametrize("is_stopped", [True, False])
def test_cost_of_nothing_that_is_told_after_the_end_frees_the_money_at_once(
    order: Generation, is_stopped: bool
) -> None:
    """Its gateway works a cost out a moment after it stopped the order, or it was past its time here first."""
    if is_stopped:
        told(order, job(JobState.CANCELLED))
    else:
        Generation.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
        told(order, job(JobState.RUNNING))
    assert list(money(order)) == ["hold"]
    for _ in range(2):
        row = told(order, job(JobState.CANCELLED, 0))

    assert money(row) == {"hold": 400_000, "release": 400_000}
    assert (row.cost_micros, row.next_check_at is not None) == (0, True)
    assert "Not charged so far." in card_of(row, by=None).sentence
    assert money(told(row, job(JobState.CANCELLED, 120_000)))["settle"] == 120_000


def test_cost_that_was_settled_stays_when_the_video_comes_after_all_with_another(order: Generation) -> None:
    row = told(order, job(JobState.CANCELLED, 300_000))
    assert money(row)["settle"] == 300_000
    row = told(row, job(JobState.COMPLETED, 380_000))

    assert (row.state, row.cost_micros, spent(row)) == (Status.COMPLETED, 300_000, 300_000)
    assert row.events.get(kind="cost_told_later").data == {"settled_micros": 300_000, "cost_micros": 380_000}


@pytest.mark.parametrize(
    ("status", "days", "closes"),
    [(400, 2, True), (422, 2, True), (404, 2, True), (410, 2, True), (400, 0.5, False), (410, 0.5, False)]
    + [(status, 20, False) for status in (401, 403, 429, 500, 503)],
)
def test_clear_refusal_to_speak_of_an_order_closes_it_after_a_day_and_no_trouble_does(
    settings: Any, status: int, days: float, closes: bool
) -> None:
    """Neither silence nor a key that is refused says anything of the order."""
    with upstream(settings, poll=lambda _id: (status, {"error": {"code": "x", "message": "y"}})):
        row = running(by=factories.make_member(), model=model_of_gateway(), upstream_id="v0")
        ended_at = timezone.now() - timedelta(days=days)
        Generation.objects.filter(id=row.id).update(status=Status.EXPIRED, ended_at=ended_at)
        sweep.sweep_once(now=timezone.now())

    assert list(money(row)) == (["hold", "release"] if closes else ["hold"])
    assert (fresh(row).next_check_at is None) is closes


@pytest.mark.parametrize("status", [404, 410])
def test_order_that_is_gone_at_the_gateway_is_missing_and_no_fault(settings: Any, status: int) -> None:
    with upstream(settings, poll=lambda id: (status, {}) if id == "v0" else (200, {"id": id, "status": "in_progress"})):
        by, model = factories.make_member(), model_of_gateway()
        gone, _other = (running(by=by, model=model, upstream_id=f"v{n}") for n in range(2))
        sweep.sweep_once(now=timezone.now())

    assert fresh(gone).not_found_count == 1


def answered(*rows: Generation, told_id: str, **job_fields: Any) -> list[dict[str, Any]]:
    """The first order is answered under `told_id`, the others well; gives the log."""
    first, *others = rows
    answers: list[tuple[Generation, Answer]] = [(fresh(first), replace(job(**job_fields), told_id=told_id))]
    answers += [(fresh(row), Job(str(row.upstream_id), JobState.RUNNING, told_id=row.upstream_id)) for row in others]
    with structlog.testing.capture_logs() as logs:
        outcomes.record(gateway=first.gateway, answers=answers, now=timezone.now())
    return [dict(entry) for entry in logs if entry["event"] == "answer_about_another_order"]


@pytest.mark.parametrize("state", [JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.RUNNING])
def test_answer_with_the_id_of_another_of_our_orders_says_nothing_of_this_one(
    order: Generation, state: JobState
) -> None:
    other = running(by=factories.make_member(), model=order.model, upstream_id="v1")

    (line,) = answered(order, other, told_id="v1", state=state, cost=120_000)

    row = fresh(order)
    assert (row.state, row.output_url, row.cost_micros, row.poll_failures) == (Status.RUNNING, "", None, 1)
    assert list(money(row)) == ["hold"]
    assert (line["log_level"], line["generation"], line["asked"], line["told"]) == ("error", str(row.id), "v0", "v1")
    assert fresh(other).poll_failures == 0


@pytest.mark.parametrize(("status", "kind"), [(Status.COMPLETED, "saving"), (Status.OUTPUT_LOST, "repair")])
def test_link_in_an_answer_about_another_order_is_not_followed(settings: Any, status: Status, kind: str) -> None:
    """When a file is asked for anew, and when a lost video is looked at again."""
    said = {"id": "v1", "status": "completed", "output": {"url": "https://media.example/v1.mp4"}}
    with upstream(settings, poll=lambda _id: (200, said)):
        by, model, now = factories.make_member(), model_of_gateway(), timezone.now()
        rows = [running(by=by, model=model, upstream_id=f"v{n}") for n in (0, 1)]
        Generation.objects.filter(id=rows[0].id).update(
            status=status,
            completed_at=now,
            ended_at=now if kind == "repair" else None,
            next_check_at=None if kind == "repair" else now,
        )
        Generation.objects.filter(id=rows[1].id).update(status=Status.DONE, next_check_at=None)
        if kind == "saving":
            collect.collect(rows[0].id)
        else:
            repair.run(now=now)

    row = fresh(rows[0])
    assert (row.state, row.output_url) == (status, "")
    if kind == "saving":
        assert row.error_code == "another_order"


@pytest.mark.parametrize("told_id", ["", "v0", "v1", "task-of-the-provider"])
def test_answer_with_its_own_id_or_one_that_no_order_of_this_gateway_has_is_believed(
    order: Generation, told_id: str
) -> None:
    elsewhere = factories.make_model(gateway=factories.make_gateway(is_sandbox=False))
    running(by=factories.make_member(), model=elsewhere, upstream_id="v1")

    assert answered(order, told_id=told_id, state=JobState.COMPLETED) == []

    assert (fresh(order).state, fresh(order).output_url) == (Status.COMPLETED, FILE.url)


def drifted(order: Generation) -> list[Generation]:
    """Three orders of another team; of the team of `order` the month's counter says that nothing is set aside."""
    Budget.objects.filter(team=order.team).update(held_micros=0)
    by = factories.make_member()
    return [running(by=by, model=order.model, upstream_id=f"v{n}") for n in (1, 2, 3)]


def due_again() -> None:
    Generation.objects.filter(next_check_at__isnull=False).update(next_check_at=timezone.now())


def test_order_whose_answer_cannot_be_written_keeps_no_other_from_ending(order: Generation) -> None:
    others = drifted(order)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            due_again()
            sweep.sweep_once(now=timezone.now())

    assert {fresh(row).state for row in others} == {Status.FAILED}
    assert all(money(row) == {"hold": 400_000, "release": 400_000} for row in others)
    culprit = fresh(order)
    assert (culprit.state, money(culprit)) == (Status.RUNNING, {"hold": 400_000})
    assert culprit.next_check_at is not None
    assert 250 < (culprit.next_check_at - timezone.now()).total_seconds() <= batches.REFUSED_S
    errors = [entry for entry in logs if entry["event"] == "order_not_written"]
    assert [entry["generation"] for entry in errors] == [str(order.id)] * 2
    assert all("budget_not_negative" in entry["why"] for entry in errors)
    assert culprit.events.filter(kind="not_written").count() == 1
    # Nobody who watches brings it forward, and no clock is taken for wrong by it.
    engine.viewed([order.id])
    clocks.set_right(now=timezone.now())
    assert fresh(order).next_check_at == culprit.next_check_at


def test_order_goes_on_once_its_answer_can_be_written(order: Generation) -> None:
    drifted(order)
    due_again()
    sweep.sweep_once(now=timezone.now())
    Budget.objects.filter(team=order.team).update(held_micros=400_000)
    due_again()
    sweep.sweep_once(now=timezone.now())

    assert (fresh(order).state, money(order)) == (Status.FAILED, {"hold": 400_000, "release": 400_000})


def test_database_that_is_locked_is_raised_and_nothing_is_set_back(
    order: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: object, **more: object) -> None:
        raise OperationalError("database is locked")

    before = order.next_check_at
    monkeypatch.setattr(batches.ledger, "release", locked)
    with pytest.raises(OperationalError, match="locked"):
        told(order, job(JobState.FAILED))

    assert (fresh(order).state, fresh(order).next_check_at) == (Status.RUNNING, before)


def test_part_of_a_batch_is_all_that_it_says_of_one_row() -> None:
    one, two = (factories.make_generation() for _ in range(2))
    now = timezone.now()
    batch = batches.Batch(taken=[now], settled={one.id: 5, two.id: None}, lost={two.id}, same={one.id: 2.0})
    batch.moves = [Move(two.id, Status.RUNNING, Status.LOST, "lost")]
    batch.found_again, batch.first_missing = [one.id], [two.id]

    assert batch.parts() == {
        one.id: batches.Batch(taken=[now], settled={one.id: 5}, same={one.id: 2.0}, found_again=[one.id]),
        two.id: batches.Batch(
            taken=[now], moves=batch.moves, settled={two.id: None}, lost={two.id}, first_missing=[two.id]
        ),
    }


def test_move_that_is_rolled_back_is_not_logged(order: Generation) -> None:
    def move() -> None:
        assert engine.advance(Move(order.id, Status.RUNNING, Status.FAILED, "failed", fields={"next_check_at": None}))

    with structlog.testing.capture_logs() as logs:
        with transaction.atomic():
            move()
            transaction.set_rollback(True)
        assert not logs
        move()

    assert [(entry["event"], entry["to"]) for entry in logs] == [("generation_moved", "failed")]
    assert not LedgerEntry.objects.exclude(kind="hold").exists()
