"""Where an order goes whose answer got lost for good: first a quiet minute and a look into the gateway's log, where it
keeps one, then a person. The money stays set aside and nothing is sent."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F

from playground.domain.status import Status
from playground.models import Generation
from playground.services import engine, ledger, notices
from playground.services.engine import Move

log = structlog.get_logger(__name__)

LOOKED_FOR = "looked_for"
"""The error code of an order that waits for its look into the log."""
QUIET = timedelta(seconds=60)
"""Before it is looked for: the log of a gateway may be behind, and a slow answer may still come."""


def give_up_sending(generation: Generation, *, code: str, message: str, now: datetime, claim_id: UUID) -> None:
    """It is not sent again by itself. Does nothing when `claim_id` is not the row's any more."""
    if not generation.gateway.has_request_log:
        park(generation, code=code, message=message, now=now, claim_id=claim_id)
        return
    rows = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id)
    with transaction.atomic():
        waits = rows.update(
            next_check_at=now + QUIET,
            claim_id=None,
            error_code=LOOKED_FOR,
            error_message=message,
            unclear_at=generation.unclear_at or now,
            version=F("version") + 1,
        )
        if waits:
            engine.note(generation.id, "look_up_planned", now=now, data={"code": code})


def park(
    generation: Generation,
    *,
    code: str,
    message: str,
    now: datetime,
    claim_id: UUID | None = None,
    evidence: dict[str, Any] | None = None,
) -> None:
    """It may have been taken and nobody can tell: a person decides. `evidence` is what the gateway's log says."""
    fields = {
        "error_code": code[:100],
        "error_message": message,
        "next_check_at": None,
        "claim_id": None,
        "unclear_at": generation.unclear_at or now,
    }
    data = {"code": code} | (evidence or {})
    with transaction.atomic():
        move = Move(generation.id, Status.SUBMITTING, Status.UNKNOWN, "answer_lost", claim_id, data, None, fields)
        if not engine.advance(move, now=now):
            return
        told = {
            "generation": str(generation.id),
            "estimate_micros": generation.estimate_micros,
            "is_sandbox": generation.gateway.is_sandbox,
            "held_micros": ledger.held_micros(generation),
        }
        key = f"unclear_order:{generation.id}:{now.timestamp():.0f}"
        notices.tell("unclear_order", team=generation.team, key=key, data=told, now=now)
    log.error("order_unclear", generation=str(generation.id), code=code)
