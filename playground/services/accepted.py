"""The gateway took an order: its id is kept, whatever became of the row since.

A slow answer never loses a paid order. It counts when the claim was lost meanwhile, and when a person cancelled or
closed an order in the belief that it never ran; that one is asked for like any other, with a deadline of its own. Money
that was given back by then is not set aside anew: what it costs is settled when the gateway says so.
"""

import hashlib
import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.types import Job, JobState
from playground.models import Generation
from playground.services import engine, notices
from playground.services.engine import Move
from playground.services.parking import park

log = structlog.get_logger(__name__)

POLL_AFTER = timedelta(seconds=1)
AGAIN_S = (0.2, 0.5, 1, 2, 5, 10)
"""Pauses while the database is away: as long as one that is restarted takes."""
ANSWERED_LATE = (Status.UNKNOWN, Status.QUEUED, Status.REJECTED, Status.CANCELLED)
"""Where an order may have gone whose answer comes after all: from a sender that was frozen."""


def keep(generation: Generation, job: Job) -> None:
    """Store the id of an order that the gateway has just taken."""
    now = timezone.now()
    try:
        is_kept = _stored_at_last(generation, job, now=now)
    except IntegrityError:
        log.error("upstream_id_taken", generation=str(generation.id), upstream_id=job.id)
        park(generation, code="id_taken", message="", now=now)
        return
    if is_kept:
        # fault: id-committed
        return
    _answered_otherwise(generation, job, now=now)


def _stored_at_last(generation: Generation, job: Job, *, now: datetime) -> bool:
    """`_store`, once more after each pause while the database is away: nobody else knows the id.

    The log holds it from the first failure on. Who takes the order over meanwhile changes nothing: the id counts all
    the same. Raises what `_store` raises when the database stays away.
    """
    for pause_s in AGAIN_S:
        try:
            return _store(generation, job, now=now)
        except (OperationalError, InterfaceError) as error:
            why = type(error).__name__
            log.error("order_not_stored_yet", generation=str(generation.id), upstream_id=job.id, why=why)
            connection.close()
            time.sleep(pause_s)
    return _store(generation, job, now=now)


def _store(generation: Generation, job: Job, *, now: datetime) -> bool:
    """False when the order has an id already. Raises IntegrityError when another order has this one."""
    target = Status.RUNNING if job.state is JobState.RUNNING else Status.SUBMITTED
    fields = _fields(job, now=now)
    started = {"started_at": now} if target is Status.RUNNING else {}
    ways = [(Status.SUBMITTING, target, fields | started)]
    ways += [(source, Status.SUBMITTED, fields | _late(source)) for source in ANSWERED_LATE]
    data = {"try": generation.attempts}
    with transaction.atomic():
        rows = Generation.objects.select_for_update().filter(id=generation.id)
        if rows.values_list("upstream_id", flat=True).first():
            return False
        moves = (Move(generation.id, source, to, "submitted", data=data, fields=given) for source, to, given in ways)
        return any(engine.advance(move, now=now) for move in moves)


def _fields(job: Job, *, now: datetime) -> dict[str, Any]:
    """From here on it has the whole time for being made, however long it waited to be sent."""
    return {
        "upstream_id": job.id[:255],
        "request_id": job.request_id[:255],
        "provider": job.provider[:100],
        "executed_model": job.executed_model[:200],
        "submitted_at": now,
        "next_check_at": now + POLL_AFTER,
        "deadline_at": now + engine.DEADLINE,
        "claim_id": None,
        "error_kind": "",
        "error_code": "",
        "error_message": "",
    }


def _late(source: Status) -> dict[str, Any]:
    """Away with what its end left on the row. Cancelled or closed in the meantime: what comes is marked as late."""
    had_ended = source in (Status.CANCELLED, Status.REJECTED)
    return {"ended_at": None, "cost_micros": None} | ({"is_late": True} if had_ended else {})


def _answered_otherwise(generation: Generation, job: Job, *, now: datetime) -> None:
    """An answer for an order that has an id already: usually the same. Another may be a second charge."""
    known, upstream_id = Generation.objects.values_list("upstream_id", flat=True).get(id=generation.id), job.id[:255]
    if known == upstream_id:
        return
    log.error("order_answered_with_another_id", generation=str(generation.id), upstream_id=upstream_id)
    data: dict[str, Any] = {"run": str(generation.run_id), "model": generation.model.slug}
    data |= {"known": known, "other": upstream_id, "estimate_micros": generation.estimate_micros}
    # The id may be as long as the whole key of a notice.
    key = f"other_id:{generation.id}:{hashlib.sha256(upstream_id.encode()).hexdigest()[:16]}"
    with transaction.atomic():
        engine.note(generation.id, "other_id_told", now=now, data={"upstream_id": upstream_id})
        notices.tell("other_id_told", team=generation.team, key=key, data=data, now=now)
