"""What a gateway's error means for the order that was being sent.

Not sent, or asked to wait: back to the queue, to be sent later; a gateway that is only busy is waited for BUSY_FOR. A
clear refusal ends it and gives its money back; one that speaks of the account pauses the gateway for all, and one for
the key ends no order: what was refused waits with the rest. Unclear: the same order with the same key, at most
MAX_TRIES unclear ones within UNCLEAR_FOR, of which MAX_DEATHS killed their sender, and while the gateway remembers the
key; then it is looked for, then a person decides. After an unclear try a later "no" proves nothing: the first may have
been made.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from playground.domain.status import NEVER_RAN, Status
from playground.gateway.errors import AccountRefused, GatewayError, InFlight, NotSent, Outcome, Refused, Throttled
from playground.models import Event, Generation
from playground.services import backlog, engine, parking, pauses, refused, sent_with
from playground.services.engine import Move

MAX_TRIES = 6
MAX_DEATHS = 3
"""Senders that died between the stored intent and the answer: three are no accident, the order may kill them."""
BUSY_FOR = timedelta(hours=1)
"""From its press an order waits so long for a gateway that answers 429; nothing was taken and nothing is charged."""
UNCLEAR_FOR = timedelta(minutes=30)
UNCLEAR_S = (1, 5, 30, 300, 1200)
"""Between two unclear tries: six fit into half an hour."""
LONGEST_WAIT_S = 300.0


def refused_or_unclear(generation: Generation, claim_id: UUID, error: GatewayError) -> None:
    """Write down what `error` means. Of a claim that was lost only what it says of the account counts."""
    now, reason = timezone.now(), _account_trouble(error)
    with transaction.atomic():
        if engine.holds(generation.id, claim_id):
            _write_down(generation, claim_id, error, reason, now=now)
    if reason:
        pauses.pause(generation.gateway, reason=reason, now=now)


def _write_down(generation: Generation, claim_id: UUID, error: GatewayError, reason: str, *, now: datetime) -> None:
    was_unclear = generation.unclear_at is not None
    is_clear = error.outcome is not Outcome.UNCLEAR
    if was_unclear and is_clear and not isinstance(error, NotSent | Throttled | InFlight):
        _noted(generation, error, now=now)
        parking.give_up_sending(generation, code=error.code, message=error.message, now=now, claim_id=claim_id)
    elif was_unclear or not is_clear:
        _unclear(generation, claim_id, error, now=now)
    elif isinstance(error, NotSent):
        pause = _pause_s(backlog.WAIT_S, generation.attempts, error.retry_after_s)
        _put_back(generation, claim_id, error, pause_s=pause, now=now)
    elif reason == pauses.KEY:
        due = now + pauses.PROBE_FIRST  # or when the gateway goes on, which makes all that waits due
        put_back(generation, claim_id, due=due, now=now, told=told_of(error, attempt=generation.attempts))
    elif isinstance(error, Throttled):
        _wait_or_reject(generation, claim_id, error, now=now)
    else:
        _reject(generation, claim_id, error, now=now)


def _account_trouble(error: GatewayError) -> str:
    """Why the whole gateway is to be left alone. 403 may be about one model or place, so it ends its order alone."""
    if not isinstance(error, AccountRefused):
        return ""
    if error.reason == "balance":
        return pauses.BALANCE
    return pauses.KEY if error.status == 401 else ""


def told_of(error: GatewayError, *, attempt: int) -> dict[str, Any]:
    """What came back, as an event keeps it."""
    told: dict[str, Any] = {"try": attempt, "code": error.code, "message": error.message[:300]}
    if error.status is not None:
        told["http_status"] = error.status
    if error.request_id:
        told["request_id"] = error.request_id[:255]
    return told


Uncounted = Literal["answer_unclear", "sender_lost", ""]


def may_send_again(generation: Generation, *, now: datetime, uncounted: Uncounted = "answer_unclear") -> bool:
    """Whether the same order with the same key may go out once more after an unclear try.

    `uncounted` is how that try ended; empty: it is among the events already.
    """
    if not sent_with.is_young(generation, now=now):
        return False
    ends_at = min(
        (generation.unclear_at or now) + UNCLEAR_FOR,
        generation.deadline_at or now + UNCLEAR_FOR,
    )
    tries = _unclear_tries(generation)
    tries.update([uncounted] if uncounted else [])
    may = now < ends_at and tries.total() < MAX_TRIES and tries["sender_lost"] < MAX_DEATHS
    return may and not sent_with.is_another(generation)


def _unclear_tries(generation: Generation) -> Counter[str]:
    """How many tries since it was first sent ended without a clear answer, by how they ended."""
    events = Event.objects.filter(generation_id=generation.id, kind__in=("answer_unclear", "sender_lost"))
    if generation.sent_at:
        events = events.filter(at__gte=generation.sent_at)
    return Counter(events.values_list("kind", flat=True))


def _unclear(generation: Generation, claim_id: UUID, error: GatewayError, *, now: datetime) -> None:
    again = may_send_again(generation, now=now)
    _noted(generation, error, now=now)
    if again:
        _same_key_later(generation, claim_id, error, now=now)
    else:
        parking.give_up_sending(generation, code=error.code, message=error.message, now=now, claim_id=claim_id)


def _noted(generation: Generation, error: GatewayError, *, now: datetime) -> None:
    engine.note(generation.id, "answer_unclear", now=now, data=told_of(error, attempt=generation.attempts))


def _pause_s(steps: tuple[int, ...], number: int, after_s: float | None) -> float:
    """The `number`-th pause, from 1; longer when the gateway asked for it, within reason."""
    step = steps[min(max(number, 1), len(steps)) - 1]
    return max(float(step), min(after_s or 0.0, LONGEST_WAIT_S))


def _wait_or_reject(generation: Generation, claim_id: UUID, error: Throttled, *, now: datetime) -> None:
    """Too many at once. It waits with all others of this gateway; refused only when its time ends before the pause."""
    pause = backlog.throttled(generation.gateway_id, asked_s=error.retry_after_s, now=now)
    backlog.wait_longer(generation.gateway_id, at_least=BUSY_FOR)
    ends_at = max(generation.created_at + BUSY_FOR, generation.deadline_at or now)
    if now + timedelta(seconds=pause) < ends_at:
        _put_back(generation, claim_id, error, pause_s=pause, now=now, ends_at=ends_at)
    else:
        _reject(generation, claim_id, error, now=now)


def _put_back(
    generation: Generation,
    claim_id: UUID,
    error: GatewayError,
    *,
    pause_s: float,
    now: datetime,
    ends_at: datetime | None = None,
) -> None:
    due = now + timedelta(seconds=pause_s)
    told = told_of(error, attempt=generation.attempts)
    put_back(generation, claim_id, due=due, now=now, told=told, ends_at=ends_at)


def put_back(
    generation: Generation,
    claim_id: UUID,
    *,
    due: datetime,
    now: datetime,
    told: dict[str, Any],
    event: str = "put_back",
    ends_at: datetime | None = None,
) -> None:
    """Nothing was taken: back to the queue, to be sent again later with the same key; until `ends_at`, when given."""
    code, message = str(told.get("code", "")), str(told.get("message", ""))
    fields = {"next_check_at": due, "claim_id": None, "error_code": code[:100], "error_message": message}
    fields |= {"deadline_at": ends_at} if ends_at else {}
    engine.advance(
        Move(generation.id, Status.SUBMITTING, Status.QUEUED, event, claim=claim_id, data=told, fields=fields), now=now
    )


def _same_key_later(generation: Generation, claim_id: UUID, error: GatewayError, *, now: datetime) -> None:
    """Stay in `submitting`, held by nobody: the sweep sends the same order again when it is due."""
    pause = _pause_s(UNCLEAR_S, _unclear_tries(generation).total(), error.retry_after_s)
    Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id).update(
        next_check_at=now + timedelta(seconds=pause),
        claim_id=None,
        error_code=error.code[:100],
        error_message=error.message,
        unclear_at=generation.unclear_at or now,
        version=F("version") + 1,
    )


def _kind_of(error: GatewayError) -> str:
    if isinstance(error, Throttled):
        return "busy"
    if isinstance(error, AccountRefused):
        return "balance" if error.reason == "balance" else "key"
    return error.kind.value if isinstance(error, Refused) else "other"


def _reject(generation: Generation, claim_id: UUID, error: GatewayError, *, now: datetime) -> None:
    """The end of the order, and its money given back.

    The refusal stands also where the latter fails: silence would make the order an unclear one.
    """
    # Of one that an admin had sent again that word alone says that the first try cost nothing.
    kind = NEVER_RAN if generation.error_kind == NEVER_RAN else _kind_of(error)
    fields = {
        "error_kind": kind,
        "error_code": (error.gateway_code or error.code)[:100],
        "error_message": error.message,
        "request_id": error.request_id[:255],
        "next_check_at": None,
        "claim_id": None,
        "ended_at": now,
    }
    data = told_of(error, attempt=generation.attempts) | {"kind": kind}
    move = Move(generation.id, Status.SUBMITTING, Status.REJECTED, "refused", claim=claim_id, data=data, fields=fields)
    if not engine.advance(move, now=now):
        return
    refused.give_back(generation, now=now)
