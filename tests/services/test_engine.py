"""Moves, claims and due times: what keeps two workers from doing one thing twice."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from playground.domain.status import IllegalMove, Status
from playground.models import Generation, Video
from playground.services import collect, engine, runs, submit, sweep
from playground.services.engine import Move
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
    from playground import queue

    queue.take_all()

    generation = bench.drive(queued.run)

    assert generation.state is Status.DONE
    assert len(bench.charges(generation)) == 1


def test_sender_killed_after_the_order_was_taken_is_charged_once(bench: Bench, queued: Generation) -> None:  # noqa: F811
    """The worst moment: the gateway has it, our answer is not stored."""
    from playground.services import gateways
    from playground.services.orders import order_of

    submit._claim(queued, now=timezone.now())
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
    submit._claim(queued, now=timezone.now())

    generation = bench.drive(queued.run)

    assert generation.state is Status.UNKNOWN
    assert bench.charges(generation) == []


def test_key_older_than_the_gateway_is_trusted_is_not_sent_again(queued: Generation) -> None:
    now = timezone.now()
    queued.sent_at, queued.attempts = now - timedelta(seconds=queued.gateway.key_trusted_seconds), 1

    assert not submit.may_send_again(queued, now=now)


def test_saver_killed_in_the_middle_is_succeeded(bench: Bench, queued: Generation) -> None:  # noqa: F811
    bench.drive(queued.run, until={Status.COMPLETED})
    engine.claim(queued.id, source=Status.COMPLETED, target=Status.STORING, event="saving_started", now=timezone.now())

    generation = bench.drive(queued.run)

    assert generation.state is Status.DONE
    assert generation.events.filter(kind="saving_abandoned").count() == 1


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


def test_waiting_order_is_cancelled_at_once_and_for_free(bench: Bench, queued: Generation) -> None:  # noqa: F811
    assert runs.cancel(by=bench.membership, generation=queued)
    run_queue()

    generation = bench.drive(queued.run)

    assert generation.state is Status.CANCELLED
    assert list(money(generation)) == ["hold", "release"]
    assert bench.charges(generation) == []


def test_sent_order_is_asked_to_stop_and_its_money_stays_aside(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:stuck]] sand")
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})

    assert runs.cancel(by=bench.membership, generation=generation)
    run_queue()
    generation = bench.drive(run)

    assert generation.state is Status.CANCELLED
    assert list(money(generation)) == ["hold"]


def test_cancel_after_finish_changes_nothing(bench: Bench, queued: Generation) -> None:  # noqa: F811
    generation = bench.drive(queued.run)

    assert not runs.cancel(by=bench.membership, generation=generation)

    generation.refresh_from_db()
    assert generation.state is Status.DONE


def test_late_success_is_kept_marked_and_settled_once(bench: Bench, queued: Generation) -> None:  # noqa: F811
    bench.drive(queued.run, until={Status.SUBMITTED, Status.RUNNING})
    now = timezone.now()
    Generation.objects.filter(id=queued.id).update(status=Status.EXPIRED, ended_at=now, next_check_at=now)

    generation = bench.drive(queued.run, until={Status.DONE})

    assert generation.is_late
    assert money(generation) == {"hold": generation.estimate_micros, "settle": generation.cost_micros}


def test_order_that_never_comes_is_forgotten_after_a_day_and_its_money_freed(bench: Bench) -> None:  # noqa: F811
    run = bench.start("[[sandbox:stuck]] snow")
    generation = bench.drive(run, until={Status.RUNNING, Status.SUBMITTED})
    long_ago = timezone.now() - timedelta(hours=25)
    Generation.objects.filter(id=generation.id).update(status=Status.EXPIRED, ended_at=long_ago, next_check_at=long_ago)

    bench.step()

    generation.refresh_from_db()
    assert generation.next_check_at is None
    assert list(money(generation)) == ["hold", "release"]
