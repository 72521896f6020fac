"""The sweep: one query over everything that is due, then what each row needs.

It is one task at a time, guarded by a lease, that works for ten seconds and enqueues its successor. Sending and saving
are tasks of their own, put on the queue as it has room (`services/backlog.py`). Asking is done here, each gateway at
its own pace (`services/asking.py`); rows that did not change get a new due time in plain batches.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import structlog
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.models import Gateway, Generation
from playground.services import asking, backlog, engine, leases, pace, saving, submit
from playground.services.asking import Asker
from playground.services.refused import set_back_if_refused

log = structlog.get_logger(__name__)

LEASE = "sweep"
LEASE_S = 5.0
SLICE_S = 10.0
TICK_S = 0.2
LAST_ANSWERS_S = 2.0
"""How long a slice waits at its end for answers under way; rows without one come up again."""
BUSY_TICK_S = 0.02
"""The pause while so much is under way that waiting for all of it would be idle."""
SHARE = 100
"""Rows of one kind in one turn."""
SUBMIT_TIMEOUT_S = submit.TIMEOUT_S
SWEEP_TIMEOUT_S = 30
HANDED_OVER = timedelta(seconds=10)
"""A row given to a task comes up again after this, should the task be lost."""


def run_slice(
    *,
    slice_s: float = SLICE_S,
    tick_s: float = TICK_S,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = timezone.now,
) -> bool:
    """Sweep for `slice_s` seconds, then enqueue the successor. False when another holds the lease, or took it."""
    holder = uuid4()
    if not leases.take(LEASE, holder=holder, seconds=LEASE_S, now=clock()):
        return False
    ends_at = time.monotonic() + slice_s
    pace.load()
    asker = Asker()
    with leases.kept(LEASE, holder=holder, seconds=LEASE_S) as lost, closing(asker):
        while time.monotonic() < ends_at and not lost.is_set():
            _turn(asker, tick_s=tick_s, sleep=sleep, clock=clock)
        if not lost.is_set():
            asker.record(wait_s=LAST_ANSWERS_S)
        if lost.is_set():
            return False
    pace.save()
    leases.give_back(LEASE, holder=holder, now=clock())
    seed()
    return True


def _turn(asker: Asker, *, tick_s: float, sleep: Callable[[float], None], clock: Callable[[], datetime]) -> None:
    """Hand out what is due, then wait for answers for the length of a tick, or until all are there."""
    began = time.monotonic()
    hand_out(asker, now=clock())
    is_busy = asker.under_way >= asking.BATCH
    asker.record(wait_s=BUSY_TICK_S if is_busy else tick_s)
    left = tick_s - (time.monotonic() - began)
    if left > 0 and not is_busy:
        sleep(left)


def seed() -> None:
    """Enqueue a sweep. One too many is harmless: it finds the lease taken and leaves."""
    queue.enqueue("sweep", timeout_s=SWEEP_TIMEOUT_S)


def sweep_once(*, now: datetime) -> int:
    """Do what is due now, and wait for what the gateways say; returns how many rows were due."""
    with closing(Asker()) as asker:
        count = hand_out(asker, now=now)
        while asker.under_way:
            asker.record(wait_s=asking.POLL_TOTAL_S)
    return count


def hand_out(asker: Asker, *, now: datetime) -> int:
    """One turn: each kind of row has its own share, so none starves another. Returns how many rows were due."""
    seen = asking.overview()
    due = {(status, gateway_id) for (status, gateway_id), rows in seen.items() if rows.first_at <= now}
    if not due:
        return 0
    by_id = Gateway.objects.in_bulk({gateway_id for _, gateway_id in due})
    count = _send(due, by_id, now=now)
    kinds = {status for status, _ in due}
    storing = _due(Status.STORING, now=now) if Status.STORING in kinds else []
    _abandoned(storing, now=now)
    count += len(storing) + (saving.hand_over(now=now) if Status.COMPLETED in kinds else 0)
    return count + asker.ask(by_id.values(), seen, now=now)


def _due(status: Status, *, now: datetime) -> list[Generation]:
    rows = Generation.objects.filter(status=status, next_check_at__lte=now).order_by("next_check_at")
    return list(rows.select_related("gateway").only(*asking.FIELDS, "gateway__slug")[:SHARE])


def _send(due: set[tuple[Status, UUID]], by_id: dict[UUID, Gateway], *, now: datetime) -> int:
    """Hand orders to their senders, as many as the queue and each gateway take, teams in turn."""
    sending = {gateway_id for status, gateway_id in due if status in (Status.QUEUED, Status.SUBMITTING)}
    room = backlog.room_on_queue() if sending else 0
    count = 0
    for gateway_id in sending:
        allowed = backlog.room_at(gateway_id, now=now)
        ready = backlog.next_to_send(by_id[gateway_id], min(allowed, room - count), now=now) if room > count else []
        for generation in ready:
            with set_back_if_refused(generation.id, now=now):
                _hand_to_submit(generation, claimed=allowed < backlog.FREELY, now=now)
        count += len(ready)
    return count


def _hand_to_submit(generation: Generation, *, claimed: bool, now: datetime) -> None:
    """A fresh row is claimed by its task; one that was tried before, or whose turn it is, is claimed here."""
    if generation.state is Status.QUEUED and not generation.attempts and not claimed:
        if engine.push_back([generation.id], status=Status.QUEUED, until=now + HANDED_OVER, now=now):
            # fault: submit-due
            queue.enqueue("submit", str(generation.id), timeout_s=submit.TIMEOUT_S)
        return
    is_queued = generation.state is Status.QUEUED
    claim = partial(submit.claim_queued, begins=False) if is_queued else submit.take_over
    claim_id = claim(generation, now=now)
    if claim_id is not None:
        queue.enqueue("submit", str(generation.id), str(claim_id), timeout_s=submit.TIMEOUT_S)


def _abandoned(rows: Sequence[Generation], *, now: datetime) -> None:
    """Whoever was saving it is gone."""
    for generation in rows:
        with set_back_if_refused(generation.id, now=now):
            saving.abandoned(generation, now=now)
