"""Moves, claims and due times: what keeps two workers from doing one thing twice."""

from datetime import timedelta

import pytest
import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from playground import queue
from playground.domain.money import set_aside_micros
from playground.domain.status import STOP_FAILED, IllegalMove, Status
from playground.gateway.errors import AccountRefused, NotFound, NotSent, Refused
from playground.gateway.types import Job, JobState
from playground.models import Gateway, Generation, Video
from playground.services import (
    accepted,
    collect,
    doubts,
    engine,
    outcomes,
    parking,
    pauses,
    replies,
    saving,
    stops,
    submit,
    sweep,
)
from playground.services.engine import Move
from playground.views.cards import card_of
from tests.bench import Bench, bench, money, run_queue, sandbox  # noqa: F401  fixtures


@pytest.fixture
def queued(bench: Bench) -> Generation:  # noqa: F811
    return bench.start("A kite over a field").generations.get()


def test_move_writes_status_version_and_event_together(queued: Generation) -> None:
    now = timezone.now()

    moved = engine.advance(Move(queued.id, Status.QUEUED, Status.CANCELLED, "cancelled"), now=now)

    queued.refresh_from_db()
    event = queued.events.last()
    assert moved
    assert (queued.status, queued.version) == (Status.CANCELLED, 2)
    assert event is not None
    assert (event.kind, event.from_status, event.to_status) == ("cancelled", "queued", "cancelled")


def test_second_mover_changes_nothing(queued: Generation) -> None:
    move = Move(queued.id, Status.QUEUED, Status.CANCELLED, "cancelled")
    engine.advance(move)

    assert not engine.advance(move)
    assert queued.events.filter(kind="cancelled").count() == 1


def test_illegal_move_is_a_fault_in_the_code(queued: Generation) -> None:
    with pytest.raises(IllegalMove):
        engine.advance(Move(queued.id, Status.QUEUED, Status.DONE, "stored"))


def test_active_row_without_due_time_is_refused_by_the_database(queued: Generation) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Generation.objects.filter(id=queued.id).update(next_check_at=None)


def test_two_claims_give_one_owner(queued: Generation) -> None:
    now = timezone.now()
    claims = [
        engine.claim(queued.id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=now)
        for _ in range(2)
    ]

    assert [claim is not None for claim in claims] == [True, False]


def test_thawed_worker_writes_nothing_after_its_claim_was_taken_over(queued: Generation) -> None:
    now = timezone.now()
    old = engine.claim(queued.id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=now)
    later = now + engine.CLAIM_FOR + timedelta(seconds=1)
    new = engine.reclaim(queued.id, status=Status.SUBMITTING, now=later)

    assert new not in (None, old)
    assert old is not None
    assert not engine.advance(Move(queued.id, Status.SUBMITTING, Status.QUEUED, "put_back", claim=old))
    assert not engine.renew(queued.id, old, now=later)


def test_claim_that_has_not_run_out_cannot_be_taken_over(queued: Generation) -> None:
    now = timezone.now()
    engine.claim(queued.id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=now)

    assert engine.reclaim(queued.id, status=Status.SUBMITTING, now=now + timedelta(seconds=1)) is None


def test_order_whose_queue_entry_was_lost_is_found_by_the_sweep(bench: Bench, queued: Generation) -> None:  # noqa: F811
    queue.take_all()

    generation = bench.drive(queued.run)

    assert generation.state is Status.DONE
    assert len(bench.charges(generation)) == 1


def test_sender_killed_after_the_order_was_taken_is_charged_once(bench: Bench, queued: Generation) -> None:  # noqa: F811
    """The worst moment: the gateway has it, our answer is not stored."""
    from playground.services import gateways
    from playground.services.orders import order_of

    submit.claim_queued(queued, now=timezone.now())
    with gateways.client_for(queued.gateway) as client:
        client.create(order_of(queued))

    generation = bench.drive(queued.run)

    assert generation.state is Status.DONE
    assert len(bench.charges(generation)) == 1


def test_sender_killed_at_a_gateway_without_keys_is_parked_for_a_person(
    bench: Bench,  # noqa: F811
    queued: Generation,
) -> None:
    queued.gateway.__class__.objects.update(honours_idempotency_key=False)
    queued.refresh_from_db()
    submit.claim_queued(queued, now=timezone.now())

    generation = bench.drive(queued.run)

    assert generation.state is Status.UNKNOWN
    assert bench.charges(generation) == []


def test_key_older_than_the_gateway_is_trusted_is_not_sent_again(queued: Generation) -> None:
    now = timezone.now()
    queued.sent_at, queued.attempts = now - timedelta(seconds=queued.gateway.key_trusted_seconds), 1

    assert not replies.may_send_again(queued, now=now)


def test_saver_killed_in_the_middle_is_succeeded(bench: Bench, queued: Generation) -> None:  # noqa: F811
    bench.drive(queued.run, until={Status.COMPLETED})
    engine.claim(queued.id, source=Status.COMPLETED, target=Status.STORING, event="saving_started", now=timezone.now())

    generation = bench.drive(queued.run)

    assert generation.state is Status.DONE
    assert [event.data for event in generation.events.filter(kind="saving_failed")] == [
        {"code": "saver_lost", "why": "saver", "try": 1}
    ]


def test_saver_that_lost_its_claim_leaves_no_video_and_no_file(
    bench: Bench,  # noqa: F811
    queued: Generation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from playground.media import storage

    bench.drive(queued.run, until={Status.COMPLETED})
    stored: list[str] = []
    adopt = storage.adopt

    def steal_then_adopt(path: object, key: str) -> None:
        stored.append(key)
        Generation.objects.filter(id=queued.id).update(claim_id=None)
        adopt(path, key)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "adopt", steal_then_adopt)
    collect.collect(queued.id)

    assert len(stored) == 3
    assert not any(storage.exists(key) for key in stored)
    assert not Video.objects.exists()


def test_at_most_four_are_saved_at_once(bench: Bench) -> None:  # noqa: F811
    bench.start("Rain on a roof", count=4)
    extra = bench.start("Rain on a window", count=2)
    now = timezone.now()
    Generation.objects.update(status=Status.STORING, next_check_at=now + timedelta(hours=1))
    extra.generations.update(status=Status.COMPLETED, next_check_at=now)
    run_queue()

    sweep.sweep_once(now=now)

    assert queue.waiting_for("collect") == 0
    assert extra.generations.filter(status=Status.COMPLETED, next_check_at=now).count() == 2


def test_order_that_cannot_be_sent_before_its_deadline_ends_for_free(bench: Bench, queued: Generation) -> None:  # noqa: F811
    Generation.objects.filter(id=queued.id).update(deadline_at=timezone.now())

    generation = bench.drive(queued.run)

    assert generation.state is Status.CANCELLED
    assert list(money(generation)) == ["hold", "release"]
    assert bench.charges(generation) == []


def test_watched_row_is_asked_for_sooner(queued: Generation) -> None:
    now = timezone.now()
    far = now + timedelta(seconds=20)
    Generation.objects.filter(id=queued.id).update(status=Status.RUNNING, next_check_at=far, upstream_id="x")

    engine.viewed([queued.id], now=now)

    queued.refresh_from_db()
    assert queued.viewed_at == now
    assert queued.next_check_at == now + timedelta(seconds=1)


def test_watching_is_written_in_one_statement_that_finds_only_stale_rows(
    queued: Generation, django_assert_num_queries
) -> None:
    now = timezone.now()
    far, lately = now + timedelta(seconds=20), now - timedelta(seconds=4)
    rows = Generation.objects.filter(id=queued.id)
    rows.update(status=Status.RUNNING, next_check_at=far, upstream_id="x", viewed_at=lately)

    with django_assert_num_queries(1):
        engine.viewed([queued.id], now=now)

    queued.refresh_from_db()
    assert (queued.viewed_at, queued.next_check_at) == (lately, far)


def test_watching_does_not_hurry_a_gateway_that_does_not_answer(queued: Generation) -> None:
    now = timezone.now()
    far = now + timedelta(seconds=20)
    rows = Generation.objects.filter(id=queued.id)
    rows.update(status=Status.RUNNING, next_check_at=far, upstream_id="x", poll_failures=3)

    engine.viewed([queued.id], now=now)

    queued.refresh_from_db()
    assert (queued.viewed_at, queued.next_check_at) == (now, far)


def test_waiting_order_is_cancelled_at_once_and_for_free(bench: Bench, queued: Generation) -> None:  # noqa: F811
    assert stops.cancel(by=bench.membership, generation=queued)
    run_queue()

    generation = bench.drive(queued.run)

    assert generation.state is Status.CANCELLED
    assert list(money(generation)) == ["hold", "release"]
    assert bench.charges(generation) == []


def test_sent_order_is_asked_to_stop_and_its_money_stays_aside(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:stuck]] sand")
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})

    assert stops.cancel(by=bench.membership, generation=generation)
    run_queue()
    generation = bench.drive(run)

    assert generation.state is Status.CANCELLED
    assert list(money(generation)) == ["hold"]


def test_cancel_after_finish_changes_nothing(bench: Bench, queued: Generation) -> None:  # noqa: F811
    generation = bench.drive(queued.run)

    assert not stops.cancel(by=bench.membership, generation=generation)

    generation.refresh_from_db()
    assert generation.state is Status.DONE


def test_late_success_is_kept_marked_and_settled_once(bench: Bench, queued: Generation) -> None:  # noqa: F811
    bench.drive(queued.run, until={Status.SUBMITTED, Status.RUNNING})
    now = timezone.now()
    Generation.objects.filter(id=queued.id).update(status=Status.EXPIRED, ended_at=now, next_check_at=now)

    generation = bench.drive(queued.run, until={Status.DONE})

    assert generation.is_late
    assert money(generation) == {"hold": set_aside_micros(generation.estimate_micros), "settle": generation.cost_micros}


def test_order_that_never_comes_is_forgotten_after_a_day_and_its_money_freed(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:stuck]] snow")
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})
    long_ago = timezone.now() - timedelta(hours=25)
    Generation.objects.filter(id=generation.id).update(status=Status.EXPIRED, ended_at=long_ago, next_check_at=long_ago)

    bench.step()

    generation.refresh_from_db()
    assert generation.next_check_at is None
    assert list(money(generation)) == ["hold", "release"]


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        (AccountRefused("empty", reason="balance", status=402), Status.UNKNOWN),
        (Refused("no such model", status=404), Status.UNKNOWN),
        (NotSent("no connection"), Status.SUBMITTING),
    ],
)
def test_a_clear_no_after_an_unclear_try_is_no_proof(queued: Generation, error: Exception, ends: Status) -> None:
    claim = submit.claim_queued(queued, now=timezone.now())
    assert claim is not None
    Generation.objects.filter(id=queued.id).update(unclear_at=timezone.now())
    Gateway.objects.update(has_request_log=False)
    queued.refresh_from_db()

    replies.refused_or_unclear(queued, claim, error)  # type: ignore[arg-type]

    queued.refresh_from_db()
    assert queued.state is ends
    assert list(money(queued)) == ["hold"]


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_id_that_comes_after_an_order_was_parked_is_kept(queued: Generation, state: JobState) -> None:
    claim = submit.claim_queued(queued, now=timezone.now())
    assert claim is not None
    parking.park(queued, code="sender_lost", message="", now=timezone.now())

    accepted.keep(queued, Job(id="paid-1", state=state))

    queued.refresh_from_db()
    assert (queued.state, queued.upstream_id) == (Status.SUBMITTED, "paid-1")
    assert queued.next_check_at is not None


def test_row_of_a_silent_sender_is_handed_out_once(queued: Generation) -> None:
    submit.claim_queued(queued, now=timezone.now())
    queue.take_all()
    later = timezone.now() + engine.CLAIM_FOR + timedelta(seconds=1)

    for tick in range(5):
        sweep.sweep_once(now=later + timedelta(seconds=tick / 5))

    assert len(queue.take_all()) == 1


def test_file_that_kills_its_saver_is_given_up_after_some_tries(bench: Bench, queued: Generation) -> None:  # noqa: F811
    bench.drive(queued.run, until={Status.COMPLETED})
    for _ in range(saving.MAX_TRIES[saving.Why.SAVER]):
        engine.claim(
            queued.id, source=Status.COMPLETED, target=Status.STORING, event="saving_started", now=timezone.now()
        )
        queued.refresh_from_db()
        with structlog.testing.capture_logs() as logs:
            saving.abandoned(queued, now=timezone.now())

    queued.refresh_from_db()
    assert queued.state is Status.OUTPUT_LOST
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["output_lost"]
    assert "settle" in money(queued)


@pytest.mark.parametrize(("age", "ends"), [(0, Status.COMPLETED), (1, Status.OUTPUT_LOST)])
def test_unreachable_file_is_given_up_only_a_day_after_its_link_ended(
    bench: Bench,  # noqa: F811
    settings: object,
    queued: Generation,
    age: int,
    ends: Status,
) -> None:
    bench.drive(queued.run, until={Status.COMPLETED})
    link_ended = timezone.now() - age * (saving.KEEP_TRYING + timedelta(minutes=1))
    Generation.objects.filter(id=queued.id).update(output_expires_at=link_ended, collect_attempts=99)
    settings.SANDBOX_PORT = 1  # type: ignore[attr-defined]

    collect.collect(queued.id)

    queued.refresh_from_db()
    assert queued.state is ends


def seen_running(bench: Bench, run: object) -> Generation:  # noqa: F811
    return bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})  # type: ignore[arg-type]


def test_order_is_lost_only_while_the_gateway_knows_our_key(bench: Bench, settings: object) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    old = timezone.now() - doubts.LOST_AFTER - timedelta(minutes=1)
    Generation.objects.filter(id=generation.id).update(submitted_at=old, not_found_count=4)
    engine.note(generation.id, "not_found", now=old)
    generation.refresh_from_db()
    port, settings.SANDBOX_PORT = settings.SANDBOX_PORT, 1  # type: ignore[attr-defined]
    answers = [(generation, NotFound("not found", status=404))]

    outcomes.record(gateway=generation.gateway, answers=answers, now=timezone.now())
    generation.refresh_from_db()
    assert generation.is_active

    settings.SANDBOX_PORT = port  # type: ignore[attr-defined]
    outcomes.record(gateway=generation.gateway, answers=answers, now=timezone.now() + pauses.KNOWS_US_KEPT)
    generation.refresh_from_db()
    assert generation.is_active, "one that did not answer is not asked again so soon"

    outcomes.record(gateway=generation.gateway, answers=answers, now=timezone.now() + pauses.NOT_ASKED_KEPT)
    generation.refresh_from_db()
    assert generation.state is Status.LOST


def test_good_answer_between_ends_the_row_of_404s(bench: Bench) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    Generation.objects.filter(id=generation.id).update(not_found_count=4)

    bench.step()

    generation.refresh_from_db()
    assert generation.not_found_count == 0


def test_cost_of_an_order_that_failed_after_it_was_given_up_is_on_its_row(bench: Bench) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    now = timezone.now()
    Generation.objects.filter(id=generation.id).update(status=Status.EXPIRED, ended_at=now, next_check_at=now)
    generation.refresh_from_db()
    job = Job(id=str(generation.upstream_id), state=JobState.FAILED, cost_micros=120_000)

    outcomes.record(gateway=generation.gateway, answers=[(generation, job)], now=now)

    generation.refresh_from_db()
    assert (generation.cost_micros, generation.next_check_at) == (120_000, None)
    assert money(generation)["settle"] == 120_000


def test_key_gone_from_the_environment_does_not_keep_a_row_for_ever(bench: Bench) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    generation.gateway.__class__.objects.update(is_sandbox=False, slug="gone")
    Generation.objects.filter(id=generation.id).update(deadline_at=timezone.now())

    bench.step()

    generation.refresh_from_db()
    assert generation.state is Status.EXPIRED


def test_stop_that_did_not_get_through_may_be_asked_again(bench: Bench, settings: object) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    stops.cancel(by=bench.membership, generation=generation)
    port, settings.SANDBOX_PORT = settings.SANDBOX_PORT, 1  # type: ignore[attr-defined]
    stops.ask_to_stop(generation.id)
    settings.SANDBOX_PORT = port  # type: ignore[attr-defined]

    generation.refresh_from_db()
    assert "could not be told to stop" in card_of(generation, by=bench.membership).sentence
    assert stops.cancel(by=bench.membership, generation=generation)
    generation.refresh_from_db()
    assert card_of(generation, by=bench.membership).sentence.startswith("Stopping.")


def test_stop_that_did_not_get_through_leaves_no_mark_on_what_is_made(bench: Bench) -> None:  # noqa: F811
    generation = seen_running(bench, bench.start("[[sandbox:stuck]] sea"))
    Generation.objects.filter(id=generation.id).update(error_code=STOP_FAILED)
    generation.refresh_from_db()
    job = Job(id=str(generation.upstream_id), state=JobState.FAILED)

    outcomes.record(gateway=generation.gateway, answers=[(generation, job)], now=timezone.now())

    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == (Status.FAILED, "")


def test_no_more_than_five_long_tasks_run_at_once() -> None:
    from contextlib import ExitStack

    from playground.services import slots

    with ExitStack() as stack:
        taken = [stack.enter_context(slots.taken("work", slots.WORK)) for _ in range(slots.WORK + 1)]
    with slots.taken("work", slots.WORK) as free:
        assert free

    assert taken == [True] * slots.WORK + [False]
