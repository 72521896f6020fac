"""Sending one order, exactly once as far as this side can make it so.

1. The row moves to `submitting`, and that this try begins (the event `sending` or `sent_again`) is committed before a
   socket opens (SQLite with synchronous FULL, PostgreSQL with its own default): a crash afterwards is known to be a
   crash during sending, and one between claim and begin is known to be none.
2. The order is built from the stored body; its key is the generation's id, the same for every try.
3. The answer decides: accepted, surely not sent (send again), clearly refused (money back), or unclear. An unclear one
   is sent again with the same key where the gateway honours keys and the key is young enough, else a person decides.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.errors import GatewayError, NotSent
from playground.models import Generation
from playground.services import accepted, backlog, budgets, engine, gateways, lanes, ledger, lookups, pauses, sent_with
from playground.services.engine import Move
from playground.services.orders import order_of
from playground.services.parking import LOOKED_FOR, give_up_sending, park
from playground.services.replies import may_send_again, put_back, refused_or_unclear
from playground.services.sent_with import BEGUN

log = structlog.get_logger(__name__)

TIMEOUT_S = 150
AGAIN_S = 1.0
PAUSED_LOOK = timedelta(seconds=30)
"""How often the deadline of an order that a pause holds is looked at."""
NOT_BEGUN = ("handed_out", "not_begun", "put_back", "answer_unclear", "sender_lost", "restored", "sent_anew")
"""After one of these nothing is on the wire until the next try begins."""


def submit_queued(generation_id: UUID) -> None:
    """Send a fresh order for the first time. Safe to call at any time: the row is claimed first."""
    generation = _read(generation_id)
    if generation is None or generation.attempts or backlog.is_held(generation.gateway_id, now=timezone.now()):
        return  # what stands in line is sent by the sweep, which knows whose turn it is
    with lanes.lane(generation.gateway) as free:
        if not free:
            put_off(str(generation_id), "")
            return
        # fault: before-claim
        claim_id = claim_queued(generation, now=timezone.now())
        if claim_id is not None:
            gateway = generation.gateway
            generation.refresh_from_db()
            generation.gateway = gateway  # of the claim, which has the mark of its key: a team's may be replaced now
            _send(generation, claim_id)


def claim_queued(generation: Generation, *, now: datetime, begins: bool = True) -> UUID | None:
    """Claim a queued row for sending. Past its deadline it is ended for free; while a pause holds it, it waits.

    Without `begins` it is only handed to a task, whose death before its try begins leaves nothing on the wire.
    """
    if generation.deadline_at and now >= generation.deadline_at:
        give_up_waiting(generation, now=now)
        return None
    if generation.gateway.paused_at or budgets.is_held(generation):
        engine.push_back([generation.id], status=Status.QUEUED, until=_after_pause(generation, now), now=now)
        return None
    if sent_with.is_promise_over(generation, now=now):
        _ask_an_admin_again(generation, now=now)
        return None
    number = generation.attempts + 1
    fields = {"attempts": number, "sent_at": generation.sent_at or now} if begins else {}
    return engine.claim(
        generation.id,
        source=Status.QUEUED,
        target=Status.SUBMITTING,
        event="sending" if begins else "handed_out",
        now=now,
        data={"try": number} | ({"key": sent_with.mark(generation.gateway)} if begins else {}),
        **fields,
    )


def _ask_an_admin_again(generation: Generation, *, now: datetime) -> None:
    """It was to go out while the gateway knew its key, and waited for too long: unclear as before, and nothing sent."""
    with transaction.atomic():
        told = engine.claim(
            generation.id, source=Status.QUEUED, target=Status.SUBMITTING, event="handed_out", now=now, data={}
        )
        if told is not None:
            park(generation, code="key_forgotten", message="", now=now, claim_id=told)


def _after_pause(generation: Generation, now: datetime) -> datetime:
    """When a row that a pause holds is looked at again, should nobody make it due before: at its deadline at last."""
    return min(now + PAUSED_LOOK, generation.deadline_at or now + PAUSED_LOOK)


def take_over(generation: Generation, *, now: datetime) -> UUID | None:
    """Claim a row that is due while it is being sent, to send the same order again; None when that is not to be done.

    Its sender went silent, or its last answer was unclear. A sender that went silent after its try began may have been
    heard by the gateway, so from now on nothing but an answer proves otherwise; one that never began was not.
    """
    if generation.error_code == LOOKED_FOR:
        _look_up(generation, now=now)
        return None
    is_lost = generation.claim_id is not None and _has_begun(generation)
    if generation.claim_id is not None and not is_lost and generation.unclear_at is None:
        _queue_again(generation, now=now)
        return None
    again = may_send_again(generation, now=now, uncounted="sender_lost" if is_lost else "")
    if again and generation.gateway.paused_at:
        engine.push_back([generation.id], status=Status.SUBMITTING, until=now + PAUSED_LOOK, now=now)
        return None
    fields = {"unclear_at": generation.unclear_at or now, "version": F("version") + 1}
    with transaction.atomic():
        claim_id = engine.reclaim(generation.id, status=Status.SUBMITTING, now=now, **fields)
        if claim_id is None:
            return None
        if is_lost:
            engine.note(generation.id, "sender_lost", now=now, data={"try": generation.attempts})
        if again:
            return claim_id
        code = generation.error_code or "sender_lost"
        give_up_sending(generation, code=code, message=generation.error_message, now=now, claim_id=claim_id)
    return None


def _has_begun(generation: Generation) -> bool:
    """Whether the latest try got as far as the wire, perhaps, and nobody wrote down what came of it."""
    events = generation.events.filter(kind__in=BEGUN + NOT_BEGUN).order_by("-id")
    return events.values_list("kind", flat=True).first() not in NOT_BEGUN


def never_began(generation: Generation) -> bool:
    """Handed to a sender that never began: nothing of it can have reached the gateway."""
    return generation.unclear_at is None and not _has_begun(generation)


def _queue_again(generation: Generation, *, now: datetime) -> None:
    """Whoever was to send it died before its try began: it waits for its turn as before."""
    told = {"code": generation.error_code, "message": generation.error_message}
    with transaction.atomic():
        claim_id = engine.reclaim(generation.id, status=Status.SUBMITTING, now=now)
        if claim_id is not None:
            put_back(generation, claim_id, due=now, now=now, told=told, event="not_begun")


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
    with lanes.lane(generation.gateway) as free:
        if free:
            _send(generation, claim_id, is_begun=False)
        else:
            put_off(str(generation_id), str(claim_id))


def put_off(generation_id: str, claim_id: str) -> None:
    """No process is free for it: on the queue again in a moment, its claim kept meanwhile."""
    if claim_id:
        engine.renew(UUID(generation_id), UUID(claim_id), now=timezone.now())
    queue.enqueue("submit", generation_id, claim_id, timeout_s=TIMEOUT_S, delay_s=AGAIN_S)


def _read(generation_id: UUID) -> Generation | None:
    return Generation.objects.select_related("gateway", "team", "run", "model").filter(id=generation_id).first()


def _send(generation: Generation, claim_id: UUID, *, is_begun: bool = True) -> None:
    """One try. A pause that came since the claim is kept too: nothing is sent.

    One of all spending holds what surely was not sent yet. An unclear order is sent again with its key all the same:
    it may have been paid for, and its answer says so.
    """
    is_new = not is_begun and generation.unclear_at is None
    if pauses.is_paused(generation.gateway_id) or (is_new and budgets.is_held(generation)):
        _wait(generation, claim_id)
        return
    if not is_begun and not _begin(generation, claim_id, now=timezone.now()):
        return
    # fault: intent-committed
    call = lanes.Call()
    try:
        with gateways.client_for(generation.gateway) as client, engine.kept(generation.id, claim_id):
            order = order_of(generation)
            with call:
                job = client.create(order)
    except gateways.GatewayNotConfigured as error:
        not_configured = NotSent(str(error), code="not_configured")
        not_configured.retry_after_s = 60.0
        refused_or_unclear(generation, claim_id, not_configured)
    except GatewayError as error:
        refused_or_unclear(generation, claim_id, error)
    else:
        # fault: answer-read
        accepted.keep(generation, job)
        backlog.taken(generation.gateway_id)
    lanes.note(generation.gateway, call)


def _begin(generation: Generation, claim_id: UUID, *, now: datetime) -> bool:
    """From here on the gateway may hear of it. False when the claim was lost, or its key too old: nothing is sent.

    Between claim and begin it may have waited for a free place longer than the gateway remembers its key.
    """
    if sent_with.is_promise_over(generation, now=now):
        park(generation, code="key_forgotten", message="", now=now, claim_id=claim_id)
        return False
    if generation.unclear_at is not None and not may_send_again(generation, now=now, uncounted=""):
        code = generation.error_code or "sender_lost"
        give_up_sending(generation, code=code, message=generation.error_message, now=now, claim_id=claim_id)
        return False
    rows = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id)
    number, sent_at = generation.attempts + 1, generation.sent_at or now
    with transaction.atomic():
        fields = {"attempts": number, "sent_at": sent_at, "next_check_at": now + engine.CLAIM_FOR}
        if not rows.update(**fields, version=F("version") + 1):
            return False
        is_first = generation.unclear_at is None
        data = {"try": number, "key": sent_with.mark(generation.gateway)}
        engine.note(generation.id, "sending" if is_first else "sent_again", now=now, data=data)
    generation.attempts, generation.sent_at = number, sent_at
    return True


def _wait(generation: Generation, claim_id: UUID) -> None:
    now = timezone.now()
    told = {"try": generation.attempts, "code": "paused"}
    if generation.unclear_at is None:
        put_back(generation, claim_id, due=_after_pause(generation, now), now=now, told=told)
        return
    rows = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id)
    rows.update(claim_id=None, next_check_at=now + PAUSED_LOOK)


def end_unsent(generation: Generation, *, now: datetime) -> None:
    """Its time was over before anybody began to send it: end it for free."""
    with transaction.atomic():
        _queue_again(generation, now=now)
        give_up_waiting(generation, now=now)


def give_up_waiting(generation: Generation, *, now: datetime) -> None:
    """It could not be sent before its deadline: end it for free."""
    fields = {
        "next_check_at": None,
        "ended_at": now,
        "error_kind": generation.error_kind or "busy",
        "error_code": _why_unsent(generation),
    }
    with transaction.atomic():
        move = Move(generation.id, Status.QUEUED, Status.CANCELLED, "given_up", fields=fields)
        if engine.advance(move, now=now):
            ledger.release(generation=generation, at=now)


def _why_unsent(generation: Generation) -> str:
    if generation.gateway.paused_at:
        return "paused"
    return "spending_paused" if budgets.is_held(generation) else generation.error_code or "deadline"
