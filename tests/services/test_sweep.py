"""The sweep over real rows and a gateway on a real socket: who asks for what, and how often."""

import multiprocessing
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from itertools import pairwise
from multiprocessing.synchronize import Event as Signal
from pathlib import Path

import pytest
from django.db import connection, connections
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation, Run
from playground.services import asking, gateways, history, pace, sweep, timing
from playground.services.asking import Asker
from tests.factories import make_member, make_model, make_run
from tests.gateway.fake import Fake, Heard, fake, reply
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_known_before() -> None:
    history.forget()
    pace.load()


@pytest.fixture
def gateway_says(settings: object) -> Iterator[Fake]:
    """A gateway that answers "in progress" to everything; `behave` may be set anew."""

    def running(heard: Heard, sock: object) -> None:
        name = heard.target.rpartition("/")[2]
        sock.sendall(reply(200, {"id": name, "status": "in_progress"}))  # type: ignore[attr-defined]

    with fake(running) as server:
        settings.SANDBOX_PORT = server.port  # type: ignore[attr-defined]
        yield server


@pytest.fixture
def run(gateway_says: Fake) -> Run:
    gateway = gateways.ensure_default()
    return make_run(by=make_member(), model=make_model(gateway=gateway))


def make_due(run: Run, count: int, *, cap: int = 10_000, **fields: object) -> list[Generation]:
    run.gateway.rate_cap = cap
    run.gateway.save()
    now = timezone.now()
    times = {"created_at": now - timedelta(minutes=2), "submitted_at": now - timedelta(minutes=2)}
    plain = {"status": Status.RUNNING, "next_check_at": now, "deadline_at": now + timedelta(hours=1), **times, **fields}
    return Generation.objects.bulk_create(
        Generation(
            run=run, team=run.team, gateway=run.gateway, model=run.model, position=n, upstream_id=f"video_{n}", **plain
        )
        for n in range(count)
    )


def asked_for(server: Fake) -> Counter[str]:
    return Counter(heard.target.rpartition("/")[2] for heard in server.heard)


def test_two_that_sweep_at_the_same_time_ask_for_no_row_twice(
    run: Run, gateway_says: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SURGE", 1000.0)
    monkeypatch.setattr(asking, "BATCH", 40)
    make_due(run, 300)
    now, together = timezone.now(), threading.Barrier(2)

    def work() -> None:
        together.wait()
        with closing(Asker()) as asker:
            while sweep.hand_out(asker, now=now) or asker.under_way:
                asker.record(wait_s=0.02)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    counts = asked_for(gateway_says)
    assert (len(counts), set(counts.values())) == (300, {1})
    assert not Generation.objects.filter(next_check_at__lte=now).exists()


def sweep_until(over: Signal, said: Path) -> None:
    """In a process of its own; leaves how many questions it sent."""
    count = 0
    with closing(Asker()) as asker:
        while not over.is_set():
            count += sweep.hand_out(asker, now=timezone.now())
            asker.record(wait_s=0.02)
    said.write_text(str(count))
    connections.close_all()


def test_two_processes_that_sweep_ask_for_no_row_twice_within_its_interval(
    run: Run, gateway_says: Fake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both at once, as if the lease did not hold. Rows that somebody watches are due again after a second."""
    monkeypatch.setattr(pace, "SURGE", 1000.0)
    monkeypatch.setattr(asking, "BATCH", 10)
    make_due(run, 60, viewed_at=timezone.now())
    asked: dict[str, list[float]] = defaultdict(list)
    plain = gateway_says.behave

    def note(heard: Heard, sock: object) -> None:
        asked[heard.target.rpartition("/")[2]].append(time.monotonic())
        plain(heard, sock)  # type: ignore[arg-type]

    gateway_says.behave = note
    connections.close_all()  # a connection is not for two processes
    forked = multiprocessing.get_context("fork")
    over, said = forked.Event(), [tmp_path / "first", tmp_path / "second"]
    workers = [forked.Process(target=sweep_until, args=(over, each), daemon=True) for each in said]
    for worker in workers:
        worker.start()
    try:
        wait_until(lambda: len(asked) == 60 and min(map(len, list(asked.values()))) >= 2, what="two of each row")
    finally:
        over.set()
    for worker in workers:
        worker.join(20)

    assert [worker.exitcode for worker in workers] == [0, 0]
    assert all(int(each.read_text()) > 0 for each in said), "one of them did nothing"
    gaps = [later - sooner for times in asked.values() for sooner, later in pairwise(times)]
    assert min(gaps) >= timing.WATCHED_S


def test_row_under_way_comes_up_again_only_when_its_sweep_was_lost(run: Run, gateway_says: Fake) -> None:
    make_due(run, 1)
    now = timezone.now()
    taken = asking.take(run.gateway, [Status.RUNNING], 10, now=now)
    assert len(taken) == 1
    assert asking.take(run.gateway, [Status.RUNNING], 10, now=now + timedelta(seconds=11)) == []
    assert len(asking.take(run.gateway, [Status.RUNNING], 10, now=now + asking.TAKEN_FOR)) == 1


def test_row_brought_forward_while_it_is_asked_for_stays_due(run: Run, gateway_says: Fake) -> None:
    """As a webhook does that comes between the gateway's answer and our writing it down."""
    first, second = make_due(run, 2)
    now = timezone.now()
    with closing(Asker()) as asker:
        sweep.hand_out(asker, now=now)
        Generation.objects.filter(id=first.id).update(next_check_at=now)
        while asker.under_way:
            asker.record(wait_s=1.0)

    first.refresh_from_db()
    second.refresh_from_db()
    assert first.next_check_at == now
    assert first.last_checked_at is not None
    assert second.next_check_at is not None
    assert second.next_check_at > now + timedelta(seconds=4)


def test_longest_due_are_asked_for_first_and_only_as_many_as_the_cap_allows(run: Run, gateway_says: Fake) -> None:
    rows = make_due(run, 30, cap=5)
    now = timezone.now()
    for row in rows:
        row.next_check_at = now - timedelta(seconds=row.position)
    Generation.objects.bulk_update(rows, ["next_check_at"])

    asked = sweep.sweep_once(now=now)

    assert asked == 5
    assert set(asked_for(gateway_says)) == {f"video_{number}" for number in range(25, 30)}


def test_gateway_that_says_429_is_left_alone_for_as_long_as_it_says(run: Run, gateway_says: Fake) -> None:
    gateway_says.behave = lambda heard, sock: sock.sendall(reply(429, {}, Retry_After="20"))
    make_due(run, 5, cap=2)
    now = timezone.now()

    assert sweep.sweep_once(now=now) == 2
    assert pace.of(run.gateway_id).share == 0.5
    assert sweep.sweep_once(now=now + timedelta(seconds=15)) == 0
    waits = Generation.objects.filter(poll_failures=1).values_list("next_check_at", flat=True)
    assert len(waits) == 2
    assert all(at is not None and at >= now + timedelta(seconds=20) for at in waits)


def test_slice_leaves_its_pace_to_the_next_one(run: Run, gateway_says: Fake) -> None:
    gateway_says.behave = lambda heard, sock: sock.sendall(reply(429, {}, Retry_After="60"))
    make_due(run, 1)

    assert sweep.run_slice(slice_s=0.3, tick_s=0.05)

    pace.load()
    assert pace.met(run.gateway_id, cap=100, in_flight=1).share == 0.5


def test_nothing_due_costs_one_statement(run: Run, django_assert_num_queries: object) -> None:
    make_due(run, 3, next_check_at=timezone.now() + timedelta(hours=1))
    with closing(Asker()) as asker, django_assert_num_queries(1):  # type: ignore[operator]
        assert sweep.hand_out(asker, now=timezone.now()) == 0


def test_row_brought_forward_while_it_is_asked_for_is_asked_for_again_only_afterwards(
    run: Run, gateway_says: Fake
) -> None:
    may_answer, plain = threading.Event(), gateway_says.behave

    def slow(heard: Heard, sock: object) -> None:
        may_answer.wait(20)
        plain(heard, sock)  # type: ignore[arg-type]

    gateway_says.behave = slow
    (generation,) = make_due(run, 1)
    with closing(Asker()) as asker:
        sweep.hand_out(asker, now=timezone.now())
        Generation.objects.filter(id=generation.id).update(next_check_at=timezone.now())
        for _ in range(3):
            sweep.hand_out(asker, now=timezone.now())
        assert asker.under_way == 1
        may_answer.set()
        while asker.under_way:
            asker.record(wait_s=20)
        assert len(gateway_says.heard) == 1
        assert sweep.hand_out(asker, now=timezone.now()) == 1
        while asker.under_way:
            asker.record(wait_s=20)
    assert len(gateway_says.heard) == 2
