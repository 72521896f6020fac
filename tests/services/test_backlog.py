"""Orders that wait to be sent: how many go, and whose turn it is."""

from collections import Counter
from contextlib import closing
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.models import Gateway, Generation, Membership
from playground.services import backlog, replies, submit, sweep
from playground.services.asking import Asker
from tests.bench import Bench, bench, run_queue, sandbox  # noqa: F401  fixtures
from tests.factories import make_gateway, make_generation, make_member, make_model, make_run

NOW = timezone.now()


@pytest.fixture
def gateway(db: None) -> Gateway:
    cache.clear()
    return make_gateway()


def make_waiting(gateway: Gateway, count: int, *, by: Membership | None = None) -> Membership:
    by = by or make_member()
    run = make_run(by=by, model=gateway.models.first() or make_model(gateway=gateway))
    Generation.objects.bulk_create(
        Generation(
            run=run,
            team=run.team,
            gateway=gateway,
            model=run.model,
            position=number,
            next_check_at=NOW,
            deadline_at=NOW + timedelta(hours=1),
        )
        for number in range(count)
    )
    return by


def sent_one_by_one(gateway: Gateway, count: int) -> list[Generation]:
    """What a gateway that takes one order at a time gets, in its order."""
    sent = []
    for _ in range(count):
        (row,) = backlog.next_to_send(gateway, 1, now=NOW)
        Generation.objects.filter(id=row.id).update(status=Status.CANCELLED, next_check_at=None)
        sent.append(row)
    return sent


def test_team_with_few_orders_waits_for_its_share_and_not_for_the_long_line_of_another(gateway: Gateway) -> None:
    long, short, single = (make_waiting(gateway, count).team_id for count in (40, 5, 1))

    order = [row.team_id for row in sent_one_by_one(gateway, 16)]

    assert order.index(single) < 3
    assert len(order) - order[::-1].index(short) <= 3 * 5
    assert Counter(order) == {long: 10, short: 5, single: 1}


def test_turns_go_on_over_several_at_once(gateway: Gateway) -> None:
    teams = [make_waiting(gateway, 20).team_id for _ in range(5)]
    taken: Counter[object] = Counter()
    for _ in range(10):
        rows = backlog.next_to_send(gateway, 3, now=NOW)
        assert len({row.team_id for row in rows}) == 3
        Generation.objects.filter(id__in=[row.id for row in rows]).update(status=Status.CANCELLED, next_check_at=None)
        taken.update(row.team_id for row in rows)
    assert taken == dict.fromkeys(teams, 6)


def test_within_a_team_the_first_ordered_goes_first(gateway: Gateway) -> None:
    make_waiting(gateway, 6)
    assert [row.id for row in sent_one_by_one(gateway, 6)] == sorted(Generation.objects.values_list("id", flat=True))


def test_order_whose_sender_went_silent_goes_before_waiting_ones(gateway: Gateway) -> None:
    by = make_waiting(gateway, 3)
    run = make_run(by=by, model=gateway.models.get())
    silent = make_generation(run=run, status=Status.SUBMITTING, next_check_at=NOW, attempts=1)
    assert [row.id for row in backlog.next_to_send(gateway, 1, now=NOW)] == [silent.id]


def test_after_a_429_none_then_one_at_a_time_then_freely(gateway: Gateway) -> None:
    now = timezone.now()  # what the cache forgets goes by the real clock
    backlog.throttled(gateway.id, asked_s=10, now=now)
    at = [backlog.allowed(gateway.id, now=now + timedelta(seconds=s)) for s in (0, 9, 11, 69, 71)]
    assert at == [0, 0, 1, 1, backlog.FREELY]


def test_one_at_a_time_means_that_the_next_waits_for_the_answer_to_the_last(gateway: Gateway) -> None:
    now = timezone.now()
    make_waiting(gateway, 3)
    backlog.throttled(gateway.id, asked_s=0, now=now - timedelta(seconds=1))
    with closing(Asker()) as asker:
        for _ in range(3):
            sweep.hand_out(asker, now=timezone.now())
        under_way = Generation.objects.get(status=Status.SUBMITTING)
        assert queue.length() == 1
        Generation.objects.filter(id=under_way.id).update(status=Status.CANCELLED, next_check_at=None, claim_id=None)
        sweep.hand_out(asker, now=timezone.now())
    assert queue.length() == 2


def test_order_that_is_looked_for_or_whose_sender_is_silent_holds_up_no_line(gateway: Gateway) -> None:
    now = timezone.now()
    run = make_run(by=make_waiting(gateway, 1), model=gateway.models.get())
    later = now + timedelta(minutes=5)
    make_generation(run=run, position=7, status=Status.SUBMITTING, next_check_at=later, claim_id=None, attempts=1)
    make_generation(run=run, position=8, status=Status.SUBMITTING, next_check_at=now, claim_id=uuid4(), attempts=1)
    backlog.throttled(gateway.id, asked_s=0, now=now - timedelta(seconds=1))
    assert backlog.room_at(gateway.id, now=now) == 1


def test_shorter_wait_does_not_cut_a_longer_one_short(gateway: Gateway) -> None:
    now = timezone.now()
    backlog.throttled(gateway.id, asked_s=30, now=now)
    backlog.throttled(gateway.id, asked_s=1, now=now)
    assert backlog.allowed(gateway.id, now=now + timedelta(seconds=20)) == 0


def test_pause_grows_with_refusals_in_a_row_and_begins_anew_once_an_order_was_taken(gateway: Gateway) -> None:
    at, pauses = timezone.now(), []
    for number in range(8):
        if number == 6:
            backlog.taken(gateway.id)
        pauses.append(backlog.throttled(gateway.id, asked_s=None, now=at))
        at += timedelta(seconds=pauses[-1])
    assert pauses == [*backlog.WAIT_S, *backlog.WAIT_S[:2]]


def test_several_orders_that_run_into_one_refusal_lengthen_the_pause_once(gateway: Gateway) -> None:
    now = timezone.now()
    assert [backlog.throttled(gateway.id, asked_s=None, now=now) for _ in range(3)] == [backlog.WAIT_S[0]] * 3
    assert backlog.throttled(gateway.id, asked_s=None, now=now + timedelta(seconds=2)) == backlog.WAIT_S[1]


def test_long_line_stays_in_the_table_and_not_on_the_queue(gateway: Gateway) -> None:
    make_waiting(gateway, 200)
    with closing(Asker()) as asker:
        for tick in range(20):
            sweep.hand_out(asker, now=NOW + timedelta(seconds=tick))
    assert queue.length() == backlog.LINE


def test_new_order_behind_a_long_line_waits_for_its_turn_in_the_sweep(bench: Bench) -> None:  # noqa: F811
    make_waiting(bench.model().gateway, backlog.FEW)
    generation = bench.start("A kite").generations.get()
    assert queue.length() == 0
    assert generation.next_check_at is not None
    assert generation.next_check_at <= timezone.now()


def test_orders_that_a_gateway_throttles_are_sent_later_one_by_one_and_paid_once(bench: Bench) -> None:  # noqa: F811
    """The first is refused for now; the others, already on the queue, do not run into the same wall."""
    now = timezone.now()
    runs = [bench.start(f"A kite {number}") for number in range(3)]
    backlog.throttled(bench.model().gateway_id, asked_s=30, now=now)

    run_queue()

    assert set(Generation.objects.values_list("status", "attempts")) == {(Status.QUEUED, 0)}
    cache.clear()
    for run in runs:
        assert len(bench.charges(bench.drive(run))) == 1


def test_one_at_a_time_is_claimed_before_it_is_handed_out(bench: Bench) -> None:  # noqa: F811
    """Else its own task would find the line and leave."""
    now = timezone.now()
    run = bench.start("A kite")
    queue.take_all()
    Generation.objects.update(next_check_at=now)
    backlog.throttled(bench.model().gateway_id, asked_s=0, now=now - timedelta(seconds=1))
    assert backlog.allowed(bench.model().gateway_id, now=now) == 1

    sweep.sweep_once(now=now)

    generation = run.generations.get()
    assert (generation.status, generation.attempts) == (Status.SUBMITTING, 0)
    run_queue()
    assert len(bench.charges(generation)) == 1


def test_throttled_answer_holds_the_whole_gateway(bench: Bench) -> None:  # noqa: F811
    from playground.gateway.errors import Throttled

    generation = bench.start("A kite").generations.get()
    queue.take_all()
    claim_id = submit.claim_queued(generation, now=timezone.now())
    assert claim_id is not None
    generation.refresh_from_db()

    replies.refused_or_unclear(generation, claim_id, Throttled("slow down", retry_after_s=20.0))

    assert backlog.allowed(generation.gateway_id, now=timezone.now()) == 0
