"""What the gateway's answers to "how is it going" mean, row by row.

Faults of the way (no connection, 5xx, rate limits) never end a job: it is asked again, later each time. A 404 for one
order counts towards "lost" by the rules of `doubts`; a 404 or 401 for most orders at once is a wrong key or a broken
gateway, changes no job and pauses the gateway.
"""

import random
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from playground.domain.status import LATE_SUCCESS, STOP_FAILED, STOPPABLE, Status
from playground.gateway.errors import AccountRefused, GatewayError, NotFound, Refused
from playground.gateway.types import Job, JobState
from playground.models import Gateway, Generation
from playground.services import doubts, engine, later_costs, mix_ups, pauses, sent_with
from playground.services.batches import Batch, write
from playground.services.doubts import Answer
from playground.services.engine import Move
from playground.services.timing import LATE_LEAST_S, interval_s

__all__ = ["FIELDS", "Answer", "record"]

log = structlog.get_logger(__name__)

FIELDS = (
    "id",
    "status",
    "gateway_id",
    "model_id",
    "upstream_id",
    "next_check_at",
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
    "error_message",
    "gateway__paused_at",
    "gateway__has_request_log",
    "estimate_micros",
    "started_at",
    "is_late",
)
ENDS = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})
OVERDUE = timedelta(minutes=5)
"""A row that a doubted gateway speaks of gets this beyond its deadline."""
LEAST_BACKOFF_S, MOST_BACKOFF_S = 5.0, 60.0
RETRY_AFTER_MOST_S = 300.0
GONE_FOR = timedelta(days=14)
"""After its end an order of a gateway that is no longer set up is waited for so long, then its money is free again."""
MISSING_S = 30.0
"""Between two questions about an order that the gateway does not know."""


def record(
    *,
    gateway: Gateway,
    answers: Sequence[tuple[Generation, Answer]],
    now: datetime,
    taken: Collection[datetime] = (),
) -> None:
    """Write down what the gateway said of these rows, which had one of the due times `taken` while it was asked.

    One that is another by now stays: what set it, such as a webhook, may know more than this answer.
    """
    # fault: polled
    batch = Batch(taken=taken)
    answers = mix_ups.sorted_out(gateway, answers)
    held_s = _hold(gateway, answers, now=now)
    is_lost = partial(doubts.is_lost, gateway, now=now)
    for generation, answer in answers:
        if isinstance(answer, Job):
            _job(batch, generation, answer, now=now)
        elif held_s is not None and isinstance(answer, NotFound | AccountRefused):
            _doubted(batch, generation, answer, held_s=held_s, now=now)
        elif isinstance(answer, NotFound):
            _not_found(batch, generation, is_lost=is_lost, now=now)
        else:
            _fault(batch, generation, answer, now=now)
    write(batch, now=now)


def _hold(gateway: Gateway, answers: Sequence[tuple[Generation, Answer]], *, now: datetime) -> float | None:
    """Seconds for which a doubted gateway is not asked after its orders; None when its answers may be believed."""
    reason = doubts.doubt(gateway, answers, now=now)
    if not reason:
        return None
    if pauses.pause(gateway, reason=reason, now=now):
        log.error("gateway_answers_doubtful", gateway=gateway.slug, reason=reason, asked=len(answers))
    until = Gateway.objects.values_list("resume_check_at", flat=True).get(id=gateway.id)
    return max(LEAST_BACKOFF_S, (until - now).total_seconds()) if until else LEAST_BACKOFF_S


def _doubted(batch: Batch, generation: Generation, error: GatewayError, *, held_s: float, now: datetime) -> None:
    """Nothing is concluded from it, but an order is not held for ever past its deadline."""
    if generation.state in LATE_SUCCESS or (generation.deadline_at and now >= generation.deadline_at + OVERDUE):
        _fault(batch, generation, error, now=now)
    else:
        batch.failed[generation.id] = held_s


def _job(batch: Batch, generation: Generation, job: Job, *, now: datetime) -> None:
    known = _known(generation, job, now=now)
    match job.state:
        case JobState.COMPLETED:
            _completed(batch, generation, job, known, now=now)
        case JobState.FAILED | JobState.CANCELLED | JobState.EXPIRED:
            _ended(batch, generation, job, known, now=now)
        case _ if generation.state in LATE_SUCCESS:
            _late_or_forget(batch, generation, now=now)
        case _ if generation.deadline_at and now >= generation.deadline_at:
            fields = known | {"ended_at": now, "next_check_at": now + timedelta(seconds=LATE_LEAST_S)}
            batch.moves.append(Move(generation.id, generation.state, Status.EXPIRED, "given_up", fields=fields))
        case JobState.RUNNING if generation.state is Status.SUBMITTED:
            fields = known | {"started_at": now, "progress": job.progress}
            fields["next_check_at"] = batch.unless_set(now, interval_s(generation, now=now))
            batch.moves.append(Move(generation.id, Status.SUBMITTED, Status.RUNNING, "started", fields=fields))
        case _:
            if job.progress is not None and job.progress != generation.progress:
                batch.progress[generation.id] = job.progress
            if generation.not_found_count:
                batch.found_again.append(generation.id)
            batch.same[generation.id] = interval_s(generation, now=now, progress=job.progress)


def _known(generation: Generation, job: Job, *, now: datetime) -> dict[str, Any]:
    """What the answer tells beside the status; empty words do not overwrite known ones.

    A cost counts when the answer ends the order: what is told before may be a placeholder, or be taken back. So what a
    row under way may have of one is none.
    """
    fields: dict[str, Any] = {"poll_failures": 0, "not_found_count": 0, "last_checked_at": now}
    if job.provider:
        fields["provider"] = job.provider[:100]
    if job.executed_model:
        fields["executed_model"] = job.executed_model[:200]
    if job.state in ENDS and generation.error_code == STOP_FAILED:
        fields["error_code"] = ""
    was_free = job.state is JobState.COMPLETED and not generation.cost_micros  # as of one that was stopped at no cost
    if job.state in ENDS and (job.cost_micros is not None or generation.state in STOPPABLE or was_free):
        fields["cost_micros"] = job.cost_micros
    return fields


def _completed(batch: Batch, generation: Generation, job: Job, known: dict[str, Any], *, now: datetime) -> None:
    known.pop("last_checked_at")  # how long before its end it was asked for says how well we know its duration
    if generation.state in LATE_SUCCESS:
        known.pop("cost_micros", None)
        known |= later_costs.counted(generation, job.cost_micros, now=now)
    fields = known | {
        "completed_at": now,
        "next_check_at": now,
        "progress": None,
        "collect_attempts": 0,
        "ended_at": None,
        "is_late": generation.is_late or generation.state in LATE_SUCCESS,
        "output_url": (job.output.url or "") if job.output else "",
        "output_size_bytes": job.output.size_bytes if job.output else None,
        "output_expires_at": job.expires_at,
    }
    if not generation.started_at:
        fields["started_at"] = now
    if generation.deadline_at is None:
        fields["deadline_at"] = now + engine.DEADLINE
    batch.moves.append(Move(generation.id, generation.state, Status.COMPLETED, "completed", fields=fields))


def _ended(batch: Batch, generation: Generation, job: Job, known: dict[str, Any], *, now: datetime) -> None:
    """The gateway says it will not come. Its own cost counts; without one a failed order's money is free again.

    A stopped one without a cost may still turn out to have been made: its money stays set aside while it is looked for.
    One whose cost is said to be nothing is looked for too, its money free: should it come, what it cost is settled.
    """
    is_final = job.state is JobState.FAILED or bool(job.cost_micros)
    if generation.state in LATE_SUCCESS:
        if is_final:
            batch.settled[generation.id] = job.cost_micros
            batch.closed[generation.id] = known
        else:
            _late_or_forget(batch, generation, now=now)
            if job.cost_micros == 0:
                batch.free.add(generation.id)
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
        fields["next_check_at"] = now + timedelta(seconds=LATE_LEAST_S)
        if job.cost_micros == 0:
            batch.settled[generation.id] = None
    data = {"kind": fields.get("error_kind", ""), "code": fields.get("error_code", "")}
    batch.moves.append(Move(generation.id, generation.state, target, event, data=data, fields=fields))


def _late_or_forget(
    batch: Batch,
    generation: Generation,
    *,
    now: datetime,
    is_strange: Callable[[Generation], bool] = lambda _generation: False,
) -> None:
    """Looked for during a day. Who is asked may be another account, which knows nothing of it: then for GONE_FOR."""
    age = now - (generation.ended_at or now)
    if age > GONE_FOR or (age > engine.LATE_FOR and not is_strange(generation)):
        batch.settled[generation.id] = None
        batch.closed[generation.id] = {}
    else:
        batch.same[generation.id] = interval_s(generation, now=now)


def _not_found(batch: Batch, generation: Generation, *, is_lost: Callable[[Generation], bool], now: datetime) -> None:
    if generation.state in LATE_SUCCESS:
        _late_or_forget(batch, generation, now=now, is_strange=sent_with.is_another)
    elif doubts.is_new(generation, now=now):
        batch.failed[generation.id] = LEAST_BACKOFF_S
    elif is_lost(generation):
        fields = {"next_check_at": None, "ended_at": now}
        batch.settled[generation.id] = None
        batch.lost.add(generation.id)
        batch.moves.append(Move(generation.id, generation.state, Status.LOST, "lost", fields=fields))
    elif _is_over(generation, now=now):
        _fault(batch, generation, NotFound("unknown", code="not_found"), now=now)
    else:
        if not generation.not_found_count:
            batch.first_missing.append(generation.id)
        batch.missing[generation.id] = MISSING_S


def _is_over(generation: Generation, *, now: datetime) -> bool:
    deadline = generation.deadline_at
    return deadline is not None and now >= deadline and generation.state not in LATE_SUCCESS


def _fault(batch: Batch, generation: Generation, error: GatewayError, *, now: datetime) -> None:
    """Asked in vain. Past the deadline it is given up all the same, and still looked for.

    A clear refusal to speak of it is an answer, as that it is unknown is. The gateway's silence, however long, gives
    back no money of an order that it took; only of one whose key is no longer in the environment nobody will ever
    hear, so that is closed after GONE_FOR.
    """
    if _is_over(generation, now=now):
        next_check_at = now + timedelta(seconds=LATE_LEAST_S)
        fields = {"ended_at": now, "next_check_at": next_check_at, "error_code": error.code[:100]}
        batch.moves.append(Move(generation.id, generation.state, Status.EXPIRED, "given_up", fields=fields))
        return
    if generation.state in LATE_SUCCESS:
        if isinstance(error, Refused) and not isinstance(error, AccountRefused):
            _late_or_forget(batch, generation, now=now, is_strange=sent_with.is_another)
        elif error.code == "not_configured" and generation.ended_at and now - generation.ended_at > GONE_FOR:
            log.warning("order_closed_unasked", generation=str(generation.id), gateway=str(generation.gateway_id))
            _late_or_forget(batch, generation, now=now)
        else:
            batch.same[generation.id] = interval_s(generation, now=now)
        return
    backoff = min(MOST_BACKOFF_S, LEAST_BACKOFF_S * 2.0 ** min(generation.poll_failures, 6))
    jittered = backoff * random.uniform(0.8, 1.2)  # noqa: S311  jitter, not a secret
    batch.failed[generation.id] = round(max(jittered, min(error.retry_after_s or 0.0, RETRY_AFTER_MOST_S)))
