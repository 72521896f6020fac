"""The sweep: one query over everything that is due, then what each row needs.

It is one task at a time, guarded by a lease, that works for ten seconds and enqueues its successor. Sending and saving
are tasks of their own; asking the gateway is done here, all due rows of a gateway at once over one asyncio session.
Rows that did not change get a new due time in one UPDATE a gateway, in plain batches.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway import poller
from playground.models import Gateway, Generation
from playground.services import engine, gateways, leases, outcomes, submit

log = structlog.get_logger(__name__)

LEASE = "sweep"
LEASE_S = 5.0
SLICE_S = 10.0
TICK_S = 0.2
BATCH = 500
POLL_CONCURRENCY = 64
POLL_TOTAL_S = 8.0
MAX_COLLECTS = 4
SUBMIT_TIMEOUT_S = 150
COLLECT_TIMEOUT_S = 900
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
    with leases.kept(LEASE, holder=holder, seconds=LEASE_S) as lost:
        while time.monotonic() < ends_at:
            if sweep_once(now=clock()) < BATCH:
                sleep(tick_s)
            if lost.is_set():
                return False
    leases.give_back(LEASE, holder=holder, now=clock())
    seed()
    return True


def seed() -> None:
    """Enqueue a sweep. One too many is harmless: it finds the lease taken and leaves."""
    queue.enqueue("sweep", timeout_s=SWEEP_TIMEOUT_S)


def sweep_once(*, now: datetime) -> int:
    """Do what is due now; returns how many rows were due."""
    due = list(
        Generation.objects.filter(next_check_at__lte=now).order_by("next_check_at").only(*outcomes.FIELDS)[:BATCH]
    )
    by_status: dict[Status, list[Generation]] = defaultdict(list)
    for generation in due:
        by_status[generation.state].append(generation)
    for status in (Status.QUEUED, Status.SUBMITTING):
        _hand_to_submit(status, by_status.pop(status, []), now=now)
    _abandoned(by_status.pop(Status.STORING, []), now=now)
    _hand_to_collect(by_status.pop(Status.COMPLETED, []), now=now)
    _poll([generation for group in by_status.values() for generation in group], now=now)
    return len(due)


def _hand_to_submit(status: Status, rows: Sequence[Generation], *, now: datetime) -> None:
    for generation in rows:
        if status is Status.QUEUED:
            engine.push_back([generation.id], status=status, until=now + HANDED_OVER, now=now)
        elif not submit.may_send_again(generation, now=now):
            submit.park(generation, code="sender_lost", message="", now=now)
            continue
        queue.enqueue("submit", str(generation.id), timeout_s=SUBMIT_TIMEOUT_S)


def _abandoned(rows: Sequence[Generation], *, now: datetime) -> None:
    """Whoever was saving it is gone: it is up for saving again."""
    engine.advance_many(
        [
            engine.Move(
                generation.id,
                Status.STORING,
                Status.COMPLETED,
                "saving_abandoned",
                claim=generation.claim_id,
                fields={"next_check_at": now, "claim_id": None},
            )
            for generation in rows
        ],
        now=now,
    )


def _hand_to_collect(rows: Sequence[Generation], *, now: datetime) -> None:
    """At most MAX_COLLECTS downloads at once; those whose link ends first go first."""
    if not rows:
        return
    room = MAX_COLLECTS - Generation.objects.filter(status=Status.STORING).count()
    far = now + timedelta(days=365)
    for generation in sorted(rows, key=lambda row: row.output_expires_at or far)[: max(room, 0)]:
        if engine.push_back([generation.id], status=Status.COMPLETED, until=now + HANDED_OVER, now=now):
            queue.enqueue("collect", str(generation.id), timeout_s=COLLECT_TIMEOUT_S)


def _poll(rows: Sequence[Generation], *, now: datetime) -> None:
    groups: dict[UUID, list[Generation]] = defaultdict(list)
    for generation in rows:
        if generation.upstream_id:
            groups[generation.gateway_id].append(generation)
    for gateway in Gateway.objects.filter(id__in=groups):
        _poll_gateway(gateway, groups[gateway.id], now=now)


def _poll_gateway(gateway: Gateway, rows: list[Generation], *, now: datetime) -> None:
    try:
        config = gateways.config_of(gateway)
    except gateways.GatewayNotConfigured:
        log.warning("gateway_not_configured", gateway=gateway.slug, waiting=len(rows))
        ids = [row.id for row in rows]
        Generation.objects.filter(id__in=ids).update(next_check_at=now + timedelta(seconds=60))
        return
    rows = rows[: max(1, gateway.rate_cap)]
    by_upstream = {str(row.upstream_id): row for row in rows}
    answers = poller.poll(config, list(by_upstream), concurrency=POLL_CONCURRENCY, total_s=POLL_TOTAL_S)
    pairs = [(by_upstream[upstream_id], answer) for upstream_id, answer in answers.items()]
    outcomes.record(gateway=gateway, answers=pairs, now=timezone.now())
