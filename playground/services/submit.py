"""Sending one order, exactly once as far as this side can make it so.

1. The row moves to `submitting` and that is committed before a socket opens (SQLite with synchronous FULL, PostgreSQL
   with its own default): a crash afterwards is known to be a crash during sending.
2. The order is built from the stored body; its key is the generation's id, the same for every try.
3. The answer decides: accepted, surely not sent (send again), clearly refused (money back), or unclear. An unclear one
   is sent again with the same key where the gateway honours keys and the key is young enough, else a person decides.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from playground import queue
from playground.domain.status import STOPPABLE, Status
from playground.gateway.errors import (
    AccountRefused,
    GatewayError,
    InFlight,
    NotSent,
    Outcome,
    Refused,
    Throttled,
)
from playground.gateway.types import Job, JobState
from playground.models import Generation
from playground.services import engine, gateways, ledger
from playground.services.engine import Move
from playground.services.orders import order_of

log = structlog.get_logger(__name__)

TIMEOUT_S = 150
AGAIN_S = 1.0
CANCEL_TIMEOUT_S = 60
MAX_TRIES = 6
BACKOFF_S = (1, 2, 5, 15, 60, 120)
POLL_AFTER = timedelta(seconds=1)


def submit_queued(generation_id: UUID) -> None:
    """Send a fresh order for the first time. Safe to call at any time: the row is claimed first."""
    generation = _read(generation_id)
    if generation is None or generation.attempts:
        return
    # fault: before-claim
    claim_id = claim_queued(generation, now=timezone.now())
    if claim_id is not None:
        generation.refresh_from_db()
        _send(generation, claim_id)


def claim_queued(generation: Generation, *, now: datetime) -> UUID | None:
    """Claim a queued row for sending. Past its deadline it is ended for free instead."""
    if generation.deadline_at and now >= generation.deadline_at:
        give_up_waiting(generation, now=now)
        return None
    fields = {"attempts": generation.attempts + 1, "sent_at": generation.sent_at or now}
    return engine.claim(
        generation.id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=now, **fields
    )


def take_over(generation: Generation, *, now: datetime) -> UUID | None:
    """Claim a row whose sender went silent, to send the same order again; park it where that might pay twice.

    The silent sender may have been heard by the gateway, so from now on nothing but an answer proves otherwise.
    """
    if not may_send_again(generation, now=now):
        park(generation, code=generation.error_code or "sender_lost", message="", now=now)
        return None
    fields = {
        "attempts": generation.attempts + 1,
        "unclear_at": generation.unclear_at or now,
        "version": F("version") + 1,
    }
    return engine.reclaim(generation.id, status=Status.SUBMITTING, now=now, **fields)


def submit_claimed(generation_id: UUID, claim_id: UUID) -> None:
    """Send what the sweep claimed. Nothing happens when that claim is no longer the row's."""
    generation = _read(generation_id)
    if generation is None or generation.state is not Status.SUBMITTING or generation.claim_id != claim_id:
        return
    if engine.renew(generation_id, claim_id, now=timezone.now()):
        _send(generation, claim_id)


def put_off(generation_id: str, claim_id: str) -> None:
    """No process is free for it: on the queue again in a moment, its claim kept meanwhile."""
    if claim_id:
        engine.renew(UUID(generation_id), UUID(claim_id), now=timezone.now())
    queue.enqueue("submit", generation_id, claim_id, timeout_s=TIMEOUT_S, delay_s=AGAIN_S)


def put_off_stop(generation_id: str) -> None:
    queue.enqueue("cancel", generation_id, timeout_s=CANCEL_TIMEOUT_S, delay_s=AGAIN_S)


def _read(generation_id: UUID) -> Generation | None:
    return Generation.objects.select_related("gateway", "team", "run", "model").filter(id=generation_id).first()


def _send(generation: Generation, claim_id: UUID) -> None:
    # fault: intent-committed
    try:
        with gateways.client_for(generation.gateway) as client, engine.kept(generation.id, claim_id):
            job = client.create(order_of(generation))
    except gateways.GatewayNotConfigured as error:
        not_configured = NotSent(str(error), code="not_configured")
        not_configured.retry_after_s = 60.0
        _refused_or_unclear(generation, claim_id, not_configured)
    except GatewayError as error:
        _refused_or_unclear(generation, claim_id, error)
    else:
        # fault: answer-read
        _accepted(generation, claim_id, job)


def may_send_again(generation: Generation, *, now: datetime) -> bool:
    """After an unclear answer: only with a key that the gateway honours and still remembers, a few times."""
    if not generation.gateway.honours_idempotency_key or generation.attempts >= MAX_TRIES:
        return False
    trusted = timedelta(seconds=generation.gateway.key_trusted_seconds)
    return generation.sent_at is not None and now < generation.sent_at + trusted


def _accepted(generation: Generation, claim_id: UUID, job: Job) -> None:
    """Store the id. It counts even when the claim was lost meanwhile, so a slow answer never loses a paid order."""
    now = timezone.now()
    target = Status.RUNNING if job.state is JobState.RUNNING else Status.SUBMITTED
    fields = {
        "upstream_id": job.id[:255],
        "request_id": job.request_id[:255],
        "provider": job.provider[:100],
        "executed_model": job.executed_model[:200],
        "submitted_at": now,
        "next_check_at": now + POLL_AFTER,
        "claim_id": None,
        "error_kind": "",
        "error_code": "",
        "error_message": "",
    }
    if target is Status.RUNNING:
        fields["started_at"] = now
    ways = ((Status.SUBMITTING, target), (Status.UNKNOWN, Status.SUBMITTED))
    try:
        for source, reached in ways:
            move = Move(generation.id, source, reached, "submitted", data={"try": generation.attempts}, fields=fields)
            if engine.advance(move, now=now):
                # fault: id-committed
                return
    except IntegrityError:
        log.error("upstream_id_taken", generation=str(generation.id), upstream_id=job.id)
        park(generation, code="id_taken", message="", now=now)
        return
    log.warning("answer_came_too_late", generation=str(generation.id), upstream_id=job.id, claim=str(claim_id))


def _refused_or_unclear(generation: Generation, claim_id: UUID, error: GatewayError) -> None:
    """What an error means for the order. After an unclear try a later "no" proves nothing: the first may be made."""
    now = timezone.now()
    is_clear = error.outcome is not Outcome.UNCLEAR
    may_pass = isinstance(error, NotSent | Throttled | InFlight)
    if generation.unclear_at is not None and is_clear and not may_pass:
        park(generation, code=error.code, message=error.message, now=now, claim_id=claim_id)
    elif generation.unclear_at is not None or not is_clear:
        _unclear(generation, claim_id, error, now=now)
    elif isinstance(error, NotSent) or (isinstance(error, Throttled) and generation.attempts < MAX_TRIES):
        _wait(generation, claim_id, code=error.code, message=error.message, after_s=error.retry_after_s)
    else:
        _reject(generation, claim_id, kind=_kind_of(error), error=error, now=now)


def _kind_of(error: GatewayError) -> str:
    if isinstance(error, Throttled):
        return "busy"
    if isinstance(error, AccountRefused):
        return "balance" if error.reason == "balance" else "key"
    return error.kind.value if isinstance(error, Refused) else "other"


def _unclear(generation: Generation, claim_id: UUID, error: GatewayError, *, now: datetime) -> None:
    if isinstance(error, InFlight) or may_send_again(generation, now=now):
        _same_key_later(generation, claim_id, error, now=now)
    else:
        park(generation, code=error.code, message=error.message, now=now, claim_id=claim_id)


def _pause_s(generation: Generation, after_s: float | None) -> float:
    step = BACKOFF_S[min(generation.attempts, len(BACKOFF_S)) - 1]
    return min(max(after_s or 0.0, step), 300.0)


def _wait(generation: Generation, claim_id: UUID, *, code: str, message: str, after_s: float | None) -> None:
    """Nothing was taken: back to the queue, to be sent again later with the same key."""
    now = timezone.now()
    due = now + timedelta(seconds=_pause_s(generation, after_s))
    engine.advance(
        Move(
            generation.id,
            Status.SUBMITTING,
            Status.QUEUED,
            "put_back",
            claim=claim_id,
            data={"code": code},
            fields={"next_check_at": due, "claim_id": None, "error_code": code[:100], "error_message": message},
        ),
        now=now,
    )


def _same_key_later(generation: Generation, claim_id: UUID, error: GatewayError, *, now: datetime) -> None:
    """Unclear, but the gateway honours the key: stay in `submitting`, the sweep sends the same order again."""
    due = now + timedelta(seconds=_pause_s(generation, error.retry_after_s))
    with transaction.atomic():
        kept = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id).update(
            next_check_at=due,
            error_code=error.code[:100],
            unclear_at=generation.unclear_at or now,
            version=F("version") + 1,
        )
        if kept:
            engine.note(generation.id, "answer_unclear", now=now, data={"code": error.code, "try": generation.attempts})


def _reject(generation: Generation, claim_id: UUID, *, kind: str, error: GatewayError, now: datetime) -> None:
    fields = {
        "error_kind": kind,
        "error_code": (error.gateway_code or error.code)[:100],
        "error_message": error.message,
        "request_id": error.request_id[:255],
        "next_check_at": None,
        "claim_id": None,
        "ended_at": now,
    }
    with transaction.atomic():
        move = Move(
            generation.id,
            Status.SUBMITTING,
            Status.REJECTED,
            "refused",
            claim=claim_id,
            data={"kind": kind, "code": error.code, "http_status": error.status},
            fields=fields,
        )
        if engine.advance(move, now=now):
            ledger.release(generation=generation, at=now)


def park(generation: Generation, *, code: str, message: str, now: datetime, claim_id: UUID | None = None) -> None:
    """It may have been taken and nobody can tell: a person decides, the money stays set aside, nothing is sent."""
    fields = {
        "error_code": code[:100],
        "error_message": message,
        "next_check_at": None,
        "claim_id": None,
    }
    move = Move(generation.id, Status.SUBMITTING, Status.UNKNOWN, "answer_lost", claim_id, {"code": code}, None, fields)
    if engine.advance(move, now=now):
        log.error("order_unclear", generation=str(generation.id), code=code)


def give_up_waiting(generation: Generation, *, now: datetime) -> None:
    """It could not be sent before its deadline: end it for free."""
    fields = {
        "next_check_at": None,
        "ended_at": now,
        "error_kind": "busy",
        "error_code": generation.error_code or "deadline",
    }
    with transaction.atomic():
        move = Move(generation.id, Status.QUEUED, Status.CANCELLED, "given_up", fields=fields)
        if engine.advance(move, now=now):
            ledger.release(generation=generation, at=now)


def ask_to_stop(generation_id: UUID) -> None:
    """Ask the gateway to stop a sent order. Its own next answer decides what became of it."""
    generation = Generation.objects.select_related("gateway").filter(id=generation_id).first()
    if generation is None or generation.state not in STOPPABLE or not generation.upstream_id:
        return
    now = timezone.now()
    try:
        with gateways.client_for(generation.gateway) as client:
            client.cancel(generation.upstream_id)
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        with transaction.atomic():
            engine.note(generation.id, "stop_not_delivered", now=now, data={"why": str(error)[:300]})
            # The button comes back: the request may be made again.
            Generation.objects.filter(id=generation.id).update(stop_requested_at=None, version=F("version") + 1)
        return
    engine.note(generation.id, "stop_delivered", now=now)
    Generation.objects.filter(id=generation.id, status__in=STOPPABLE).update(next_check_at=now)
