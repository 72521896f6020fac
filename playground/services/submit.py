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
from playground.gateway.errors import GatewayError, NotSent
from playground.gateway.types import Job, JobState
from playground.models import Generation
from playground.services import backlog, engine, gateways, ledger, lookups, pauses, slots
from playground.services.engine import Move
from playground.services.orders import order_of
from playground.services.parking import LOOKED_FOR, give_up_sending, park
from playground.services.replies import may_send_again, put_back, refused_or_unclear

log = structlog.get_logger(__name__)

TIMEOUT_S = 150
AGAIN_S = 1.0
CANCEL_TIMEOUT_S = 60
POLL_AFTER = timedelta(seconds=1)
PAUSED_LOOK = timedelta(seconds=30)
"""How often the deadline of an order of a paused gateway is looked at."""
AT_ONCE = 3
"""Orders on their way to one gateway from one machine."""
ANSWERED_LATE = (Status.UNKNOWN, Status.QUEUED, Status.REJECTED)
"""Where an admin may have put an order whose answer comes after all: from a sender that was frozen."""


def submit_queued(generation_id: UUID) -> None:
    """Send a fresh order for the first time. Safe to call at any time: the row is claimed first."""
    generation = _read(generation_id)
    if generation is None or generation.attempts or backlog.is_held(generation.gateway_id, now=timezone.now()):
        return  # what stands in line is sent by the sweep, which knows whose turn it is
    with slots.taken(*_lane(generation)) as free:
        if not free:
            put_off(str(generation_id), "")
            return
        # fault: before-claim
        claim_id = claim_queued(generation, now=timezone.now())
        if claim_id is not None:
            generation.refresh_from_db()
            _send(generation, claim_id)


def _lane(generation: Generation) -> tuple[str, int]:
    """Few orders at once to one gateway: when it refuses the account, so many more at most are on their way."""
    return f"send-{generation.gateway_id}", AT_ONCE


def claim_queued(generation: Generation, *, now: datetime) -> UUID | None:
    """Claim a queued row for sending. Past its deadline it is ended for free; while its gateway is paused it waits."""
    if generation.deadline_at and now >= generation.deadline_at:
        give_up_waiting(generation, now=now)
        return None
    if generation.gateway.paused_at:
        engine.push_back([generation.id], status=Status.QUEUED, until=_after_pause(generation, now), now=now)
        return None
    number = generation.attempts + 1
    fields = {"attempts": number, "sent_at": generation.sent_at or now}
    return engine.claim(
        generation.id,
        source=Status.QUEUED,
        target=Status.SUBMITTING,
        event="sending",
        now=now,
        data={"try": number},
        **fields,
    )


def _after_pause(generation: Generation, now: datetime) -> datetime:
    """When a row of a paused gateway is looked at again, should nobody make it due before: at its deadline at last."""
    return min(now + PAUSED_LOOK, generation.deadline_at or now + PAUSED_LOOK)


def take_over(generation: Generation, *, now: datetime) -> UUID | None:
    """Claim a row that is due while it is being sent, to send the same order again; None when that is not to be done.

    Its sender went silent, or its last answer was unclear. A silent sender may have been heard by the gateway, so from
    now on nothing but an answer proves otherwise.
    """
    if generation.error_code == LOOKED_FOR:
        _look_up(generation, now=now)
        return None
    is_counted = generation.claim_id is None
    again = may_send_again(generation, now=now, is_counted=is_counted)
    if again and generation.gateway.paused_at:
        engine.push_back([generation.id], status=Status.SUBMITTING, until=now + PAUSED_LOOK, now=now)
        return None
    fields = {"unclear_at": generation.unclear_at or now, "version": F("version") + 1}
    if again:
        fields["attempts"] = generation.attempts + 1
    with transaction.atomic():
        claim_id = engine.reclaim(generation.id, status=Status.SUBMITTING, now=now, **fields)
        if claim_id is None:
            return None
        if not is_counted:
            engine.note(generation.id, "sender_lost", now=now, data={"try": generation.attempts})
        if again:
            engine.note(generation.id, "sent_again", now=now, data={"try": generation.attempts + 1})
            return claim_id
        code = generation.error_code or "sender_lost"
        give_up_sending(generation, code=code, message=generation.error_message, now=now, claim_id=claim_id)
    return None


def _look_up(generation: Generation, *, now: datetime) -> None:
    """Have it looked for, unless looks were begun in vain, such as by tasks that died, for too long."""
    claim_id = engine.reclaim(generation.id, status=Status.SUBMITTING, now=now)
    if claim_id is None:
        return
    was_begun = generation.claim_id is not None
    if was_begun and lookups.is_over(generation, now=now):
        evidence = {"log": None, "log_error": "No look into it came to its end."}
        park(generation, code="log_unreadable", message="", now=now, claim_id=claim_id, evidence=evidence)
    else:
        queue.enqueue("look_up", str(generation.id), str(claim_id), timeout_s=TIMEOUT_S)


def submit_claimed(generation_id: UUID, claim_id: UUID) -> None:
    """Send what the sweep claimed. Nothing happens when that claim is no longer the row's."""
    generation = _read(generation_id)
    if generation is None or generation.state is not Status.SUBMITTING or generation.claim_id != claim_id:
        return
    with slots.taken(*_lane(generation)) as free:
        if not free:
            put_off(str(generation_id), str(claim_id))
        elif engine.renew(generation_id, claim_id, now=timezone.now()):
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
    """One try. A pause that came since the claim is kept too: nothing is sent."""
    if pauses.is_paused(generation.gateway_id):
        _wait_for_gateway(generation, claim_id)
        return
    # fault: intent-committed
    try:
        with gateways.client_for(generation.gateway) as client, engine.kept(generation.id, claim_id):
            job = client.create(order_of(generation))
    except gateways.GatewayNotConfigured as error:
        not_configured = NotSent(str(error), code="not_configured")
        not_configured.retry_after_s = 60.0
        refused_or_unclear(generation, claim_id, not_configured)
    except GatewayError as error:
        refused_or_unclear(generation, claim_id, error)
    else:
        # fault: answer-read
        _accepted(generation, claim_id, job)


def _wait_for_gateway(generation: Generation, claim_id: UUID) -> None:
    now = timezone.now()
    told = {"try": generation.attempts, "code": "paused"}
    if generation.unclear_at is None:
        put_back(generation, claim_id, due=_after_pause(generation, now), now=now, told=told)
        return
    rows = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id)
    rows.update(claim_id=None, next_check_at=now + PAUSED_LOOK)


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
    ways = ((Status.SUBMITTING, target), *((late, Status.SUBMITTED) for late in ANSWERED_LATE))
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
    _answered_otherwise(generation, job, now=now)


def _answered_otherwise(generation: Generation, job: Job, *, now: datetime) -> None:
    """An answer for an order that has one already: usually the same. Another id may be a second charge."""
    if not Generation.objects.filter(id=generation.id, upstream_id=job.id[:255]).exists():
        engine.note(generation.id, "other_id_told", now=now, data={"upstream_id": job.id[:255]})
        log.error("order_answered_with_another_id", generation=str(generation.id), upstream_id=job.id)


def give_up_waiting(generation: Generation, *, now: datetime) -> None:
    """It could not be sent before its deadline: end it for free."""
    fields = {
        "next_check_at": None,
        "ended_at": now,
        "error_kind": "busy",
        "error_code": "paused" if generation.gateway.paused_at else generation.error_code or "deadline",
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
            still = Generation.objects.filter(id=generation.id, status__in=STOPPABLE)
            still.update(stop_requested_at=None, version=F("version") + 1)
        return
    engine.note(generation.id, "stop_delivered", now=now)
    Generation.objects.filter(id=generation.id, status__in=STOPPABLE).update(next_check_at=now)
