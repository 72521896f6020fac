"""The sweep: one query over everything that is due, then what each row needs.

It is one task at a time, guarded by a lease, that works for ten seconds and enqueues its successor. Sending and saving
are tasks of their own; asking the gateway is done here, all due rows of a gateway at once over one asyncio session.
Rows that did not change get a new due time in one UPDATE a gateway, in plain batches.

What asks and what saves is imported where it is used: web processes import this module too, and start without aiohttp,
PyAV and numpy.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.errors import NotSent
from playground.gateway.types import GatewayConfig
from playground.models import Gateway, Generation
from playground.services import engine, gateways, leases, outcomes, saving, submit

log = structlog.get_logger(__name__)

LEASE = "sweep"
LEASE_S = 5.0
SLICE_S = 10.0
TICK_S = 0.2
BATCH = 500
SHARE = 100
"""Rows of one kind in one round."""
ASKED = (Status.SUBMITTED, Status.RUNNING, Status.CANCELLED, Status.EXPIRED)
GATEWAY_FIELDS = (
    "gateway__slug",
    "gateway__is_sandbox",
    "gateway__dialect",
    "gateway__rate_cap",
    "gateway__honours_idempotency_key",
    "gateway__key_trusted_seconds",
    "gateway__has_dry_run",
    "gateway__has_cancel",
    "gateway__name",
)
POLL_CONCURRENCY = 64
POLL_TOTAL_S = 8.0
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
    """Do what is due now; returns how many rows were due. Each kind has its own share, so none starves another."""
    sending = _due([Status.QUEUED, Status.SUBMITTING], SHARE, now=now)
    storing = _due([Status.STORING], SHARE, now=now)
    asked = _due(ASKED, BATCH, now=now)
    for generation in sending:
        _hand_to_submit(generation, now=now)
    _abandoned(storing, now=now)
    fetched = saving.hand_over(now=now)
    _poll(asked, now=now)
    return len(sending) + len(storing) + fetched + len(asked)


def _due(statuses: Sequence[Status], limit: int, *, now: datetime) -> list[Generation]:
    rows = Generation.objects.filter(status__in=statuses, next_check_at__lte=now).order_by("next_check_at")
    return list(rows.select_related("gateway").only(*outcomes.FIELDS, *GATEWAY_FIELDS)[:limit])


def _hand_to_submit(generation: Generation, *, now: datetime) -> None:
    """A fresh row is claimed by its task; one that was tried before is claimed here, so it is handed out once."""
    if generation.state is Status.QUEUED and not generation.attempts:
        if engine.push_back([generation.id], status=Status.QUEUED, until=now + HANDED_OVER, now=now):
            # fault: submit-due
            queue.enqueue("submit", str(generation.id), timeout_s=submit.TIMEOUT_S)
        return
    claim = submit.claim_queued if generation.state is Status.QUEUED else submit.take_over
    claim_id = claim(generation, now=now)
    if claim_id is not None:
        queue.enqueue("submit", str(generation.id), str(claim_id), timeout_s=submit.TIMEOUT_S)


def _abandoned(rows: Sequence[Generation], *, now: datetime) -> None:
    """Whoever was saving it is gone."""
    for generation in rows:
        saving.abandoned(generation, now=now)


def _poll(rows: Sequence[Generation], *, now: datetime) -> None:
    """Ask all gateways side by side, so that one that hangs delays none but its own rows."""
    groups: dict[UUID, list[Generation]] = defaultdict(list)
    for generation in rows:
        if generation.upstream_id:
            groups[generation.gateway_id].append(generation)
    asked = {}
    for group in groups.values():
        gateway = group[0].gateway
        allowed = group[: _allowance(gateway)]
        try:
            asked[gateway] = (allowed, gateways.config_of(gateway))
        except gateways.GatewayNotConfigured as missing:
            error = NotSent(str(missing), code="not_configured")
            outcomes.record(gateway=gateway, answers=[(row, error) for row in group], now=now)
    if not asked:
        return
    with ThreadPoolExecutor(len(asked)) as pool:
        rounds = {gateway: pool.submit(_ask, config, rows) for gateway, (rows, config) in asked.items() if rows}
    for gateway, answers in rounds.items():
        outcomes.record(gateway=gateway, answers=answers.result(), now=timezone.now(), asked_at=now)


def _ask(config: GatewayConfig, rows: Sequence[Generation]) -> list[tuple[Generation, outcomes.Answer]]:
    by_upstream = {str(row.upstream_id): row for row in rows}
    from playground.gateway import poller

    answers = poller.poll(config, list(by_upstream), concurrency=POLL_CONCURRENCY, total_s=POLL_TOTAL_S)
    return [(by_upstream[upstream_id], answer) for upstream_id, answer in answers.items()]


_asked_at: dict[UUID, float] = {}


def _allowance(gateway: Gateway) -> int:
    """How many questions the gateway's rate cap leaves for this round: its share of the time since the last one."""
    now = time.monotonic()
    since = min(1.0, now - _asked_at.get(gateway.id, now - 1.0))
    allowance = int(gateway.rate_cap * since)
    if allowance:
        _asked_at[gateway.id] = now
    return allowance
