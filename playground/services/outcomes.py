"""What the gateway's answers to "how is it going" mean, row by row.

Faults of the way (no connection, 5xx, rate limits) never end a job: it is asked again, later each time. A 404 for one
order counts towards "lost" by the rules below; a 404 or 401 for most orders at once is a wrong key or a broken gateway
and changes no job.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Case, F, Value, When

from playground.domain.status import LATE_SUCCESS, Status
from playground.gateway.errors import AccountRefused, GatewayError, NotFound
from playground.gateway.types import Job, JobState
from playground.models import Dialect, Gateway, Generation
from playground.services import engine, gateways, ledger
from playground.services.engine import Move
from playground.services.timing import interval_s

log = structlog.get_logger(__name__)

FIELDS = (
    "id",
    "status",
    "gateway_id",
    "upstream_id",
    "claim_id",
    "attempts",
    "sent_at",
    "created_at",
    "submitted_at",
    "viewed_at",
    "ended_at",
    "deadline_at",
    "stop_requested_at",
    "progress",
    "poll_failures",
    "collect_attempts",
    "completed_at",
    "unclear_at",
    "cost_micros",
    "not_found_count",
    "output_expires_at",
    "error_code",
    "estimate_micros",
    "started_at",
)
LOST_AFTER_TIMES = 5
LOST_AFTER = timedelta(minutes=10)
NEW_FOR = timedelta(minutes=2)
"""A gateway may not know a brand-new order everywhere at once."""

Answer = Job | GatewayError
Number = TypeVar("Number", int, float)


@dataclass(slots=True)
class _Batch:
    """What one round of answers leads to."""

    asked_at: datetime
    moves: list[Move] = field(default_factory=list)
    settled: dict[UUID, int | None] = field(default_factory=dict)
    """Generation to cost; None gives the money back."""
    same: dict[UUID, float] = field(default_factory=dict)
    """Unchanged generation to seconds until the next question."""
    progress: dict[UUID, int] = field(default_factory=dict)
    failed: dict[UUID, float] = field(default_factory=dict)
    not_found: list[UUID] = field(default_factory=list)
    found_again: list[UUID] = field(default_factory=list)
    closed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    """Stopped or given-up generation, not looked for any more, to what was learnt last."""


def record(
    *, gateway: Gateway, answers: Sequence[tuple[Generation, Answer]], now: datetime, asked_at: datetime | None = None
) -> None:
    """Write down what the gateway said of these rows, which were found due at `asked_at` (`now` unless given).

    A due time that was set since then stays: what set it, such as a webhook, may know more than this answer.
    """
    # fault: polled
    batch = _Batch(asked_at=asked_at or now)
    doubtful = _is_doubtful([answer for _, answer in answers])
    if doubtful:
        log.error("gateway_answers_doubtful", gateway=gateway.slug, asked=len(answers))
    knows_us = cache(lambda: _knows_us(gateway))
    for generation, answer in answers:
        if isinstance(answer, Job):
            _job(batch, generation, answer, now=now)
        elif isinstance(answer, NotFound) and not doubtful:
            _not_found(batch, generation, knows_us=knows_us, now=now)
        else:
            _fault(batch, generation, answer, now=now)
    _write(batch, now=now)


def _knows_us(gateway: Gateway) -> bool:
    """Whether the gateway takes our key at all. Asked once a round, and only before an order is called lost."""
    try:
        with gateways.client_for(gateway) as client:
            client.balance() if gateway.dialect == Dialect.LUMENFALL else client.models()
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        log.error("gateway_answers_doubtful", gateway=gateway.slug, why=str(error)[:200])
        return False
    return True


def _is_doubtful(answers: Sequence[Answer]) -> bool:
    """More than half of several answers are 404 or 401: the key or the gateway is wrong, not the orders."""
    bad = sum(isinstance(answer, NotFound | AccountRefused) for answer in answers)
    return len(answers) >= 4 and bad * 2 > len(answers)


def _job(batch: _Batch, generation: Generation, job: Job, *, now: datetime) -> None:
    known = _known(job)
    match job.state:
        case JobState.COMPLETED:
            _completed(batch, generation, job, known, now=now)
        case JobState.FAILED | JobState.CANCELLED | JobState.EXPIRED:
            _ended(batch, generation, job, known, now=now)
        case _ if generation.state in LATE_SUCCESS:
            _late_or_forget(batch, generation, now=now)
        case _ if generation.deadline_at and now >= generation.deadline_at:
            fields = known | {"ended_at": now, "next_check_at": now + timedelta(minutes=1)}
            batch.moves.append(Move(generation.id, generation.state, Status.EXPIRED, "given_up", fields=fields))
        case JobState.RUNNING if generation.state is Status.SUBMITTED:
            fields = known | {"started_at": now, "progress": job.progress}
            fields["next_check_at"] = _unless_set(batch, now, interval_s(generation, now=now))
            batch.moves.append(Move(generation.id, Status.SUBMITTED, Status.RUNNING, "started", fields=fields))
        case _:
            if job.progress is not None and job.progress != generation.progress:
                batch.progress[generation.id] = job.progress
            if generation.not_found_count:
                batch.found_again.append(generation.id)
            batch.same[generation.id] = interval_s(generation, now=now)


def _known(job: Job) -> dict[str, Any]:
    """What the answer tells beside the status; empty words do not overwrite known ones."""
    fields: dict[str, Any] = {"poll_failures": 0, "not_found_count": 0}
    if job.provider:
        fields["provider"] = job.provider[:100]
    if job.executed_model:
        fields["executed_model"] = job.executed_model[:200]
    if job.cost_micros is not None:
        fields["cost_micros"] = job.cost_micros
    return fields


def _completed(batch: _Batch, generation: Generation, job: Job, known: dict[str, Any], *, now: datetime) -> None:
    fields = known | {
        "completed_at": now,
        "next_check_at": now,
        "progress": None,
        "collect_attempts": 0,
        "ended_at": None,
        "is_late": generation.state in LATE_SUCCESS,
        "output_url": (job.output.url or "") if job.output else "",
        "output_size_bytes": job.output.size_bytes if job.output else None,
        "output_expires_at": job.expires_at,
    }
    if not generation.started_at:
        fields["started_at"] = now
    if generation.deadline_at is None:
        fields["deadline_at"] = now + engine.DEADLINE
    batch.moves.append(Move(generation.id, generation.state, Status.COMPLETED, "completed", fields=fields))


def _ended(batch: _Batch, generation: Generation, job: Job, known: dict[str, Any], *, now: datetime) -> None:
    """The gateway says it will not come. Its own cost counts; without one a failed order's money is free again.

    A stopped one without a cost may still turn out to have been made: its money stays set aside while it is looked for.
    """
    is_final = job.state is JobState.FAILED or job.cost_micros is not None
    if generation.state in LATE_SUCCESS:
        if is_final:
            batch.settled[generation.id] = job.cost_micros
            batch.closed[generation.id] = known
        else:
            _late_or_forget(batch, generation, now=now)
        return
    fields = known | {"ended_at": now, "progress": None, "next_check_at": None}
    if job.error:
        fields |= {
            "error_kind": job.error.kind.value,
            "error_code": job.error.code[:100],
            "error_message": job.error.message,
        }
    target, event = {
        JobState.FAILED: (Status.FAILED, "failed"),
        JobState.CANCELLED: (Status.CANCELLED, "stopped"),
        JobState.EXPIRED: (Status.EXPIRED, "expired_at_gateway"),
    }[job.state]
    if is_final:
        batch.settled[generation.id] = job.cost_micros
    else:
        fields["next_check_at"] = now + timedelta(seconds=30)
    data = {"kind": fields.get("error_kind", ""), "code": fields.get("error_code", "")}
    batch.moves.append(Move(generation.id, generation.state, target, event, data=data, fields=fields))


def _late_or_forget(batch: _Batch, generation: Generation, *, now: datetime) -> None:
    if generation.ended_at and now - generation.ended_at > engine.LATE_FOR:
        batch.settled[generation.id] = None
        batch.closed[generation.id] = {}
    else:
        batch.same[generation.id] = interval_s(generation, now=now)


def _not_found(batch: _Batch, generation: Generation, *, knows_us: Callable[[], bool], now: datetime) -> None:
    """Five in a row, over at least ten minutes, after the first two: the gateway has lost it."""
    age = now - (generation.submitted_at or generation.created_at)
    times = generation.not_found_count + 1
    if generation.state in LATE_SUCCESS:
        _late_or_forget(batch, generation, now=now)
    elif age > LOST_AFTER and times >= LOST_AFTER_TIMES and knows_us():
        fields = {"next_check_at": None, "ended_at": now}
        batch.settled[generation.id] = None
        batch.moves.append(Move(generation.id, generation.state, Status.LOST, "lost", fields=fields))
    else:
        if age > NEW_FOR:
            batch.not_found.append(generation.id)
        batch.same[generation.id] = max(5.0, LOST_AFTER.total_seconds() / LOST_AFTER_TIMES / 4)


def _fault(batch: _Batch, generation: Generation, error: GatewayError, *, now: datetime) -> None:
    """Asked in vain. Past the deadline it is given up all the same, and still looked for during a day."""
    is_over = generation.deadline_at and now >= generation.deadline_at and generation.state not in LATE_SUCCESS
    if is_over:
        fields = {"ended_at": now, "next_check_at": now + timedelta(minutes=1), "error_code": error.code[:100]}
        batch.moves.append(Move(generation.id, generation.state, Status.EXPIRED, "given_up", fields=fields))
        return
    if generation.state in LATE_SUCCESS:
        _late_or_forget(batch, generation, now=now)
        return
    backoff = min(60.0, 2.0 ** min(generation.poll_failures, 6))
    batch.failed[generation.id] = max(backoff, error.retry_after_s or 0.0)


def _unless_set(batch: _Batch, now: datetime, seconds: float) -> Case:
    """The next due time, but for a row that somebody else has given one since the question went out."""
    due = Value(now + timedelta(seconds=seconds))
    return Case(When(next_check_at__gt=batch.asked_at, then=F("next_check_at")), default=due)


def _write(batch: _Batch, *, now: datetime) -> None:
    with transaction.atomic():
        moved = set(engine.advance_many(batch.moves, now=now))
        _write_times(batch, now=now)
        # fault: before-settle
        ended = {move.generation_id for move in batch.moves}
        for generation_id, cost in batch.settled.items():
            if generation_id in ended and generation_id not in moved:
                continue
            _close_money(generation_id, cost, now=now)
    # fault: poll-written


def _write_times(batch: _Batch, *, now: datetime) -> None:
    """One UPDATE for all rows that get the same value: five hundred answers are some dozens of statements."""
    waiting = Generation.objects.filter(next_check_at__isnull=False)
    for seconds, ids in _by_value({row: round(seconds, 1) for row, seconds in batch.same.items()}):
        next_at = _unless_set(batch, now, seconds)
        waiting.filter(id__in=ids).update(next_check_at=next_at, last_checked_at=now, poll_failures=0)
    for seconds, ids in _by_value(batch.failed):
        again_at = now + timedelta(seconds=seconds)
        waiting.filter(id__in=ids).update(next_check_at=again_at, poll_failures=F("poll_failures") + 1)
    for progress, ids in _by_value(batch.progress):
        Generation.objects.filter(id__in=ids).update(progress=progress, version=F("version") + 1)
    for generation_id, fields in batch.closed.items():
        rows = Generation.objects.filter(id=generation_id, status__in=LATE_SUCCESS)
        rows.update(next_check_at=None, version=F("version") + 1, **fields)
    if batch.found_again:
        Generation.objects.filter(id__in=batch.found_again).update(not_found_count=0)
    if batch.not_found:
        Generation.objects.filter(id__in=batch.not_found).update(not_found_count=F("not_found_count") + 1)


def _by_value(values: Mapping[UUID, Number]) -> Iterable[tuple[Number, list[UUID]]]:
    rows: dict[Number, list[UUID]] = defaultdict(list)
    for generation_id, value in values.items():
        rows[value].append(generation_id)
    return rows.items()


def _close_money(generation_id: UUID, cost: int | None, *, now: datetime) -> None:
    generation = Generation.objects.select_related("gateway", "team", "run").get(id=generation_id)
    if cost is None:
        ledger.release(generation=generation, at=now)
    else:
        ledger.settle(generation=generation, cost_micros=cost, at=now)
