"""Whether "no such order" and "wrong key" are to be believed.

Some orders that the gateway does not know may be lost. When more than half of the orders asked after within a minute
are unknown or refused, and they are not just a few, the key or the gateway is wrong, not the orders: none of them
changes, and the gateway is paused.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from playground.domain.status import LATE_SUCCESS, STOPPABLE
from playground.gateway.errors import AccountRefused, GatewayError, NotFound
from playground.gateway.types import Job
from playground.models import Event, Gateway, Generation
from playground.services import pauses, sent_with

LOST_AFTER_TIMES = 5
LOST_AFTER = timedelta(minutes=10)
NEW_FOR = timedelta(minutes=2)
"""A gateway may not know a brand-new order everywhere at once."""
MINUTE = timedelta(minutes=1)
FEWEST = 5
"""So many orders at least must be unknown. A share of fewer says nothing where little is asked: two forgotten orders,
alone on a quiet evening, would stop a gateway that takes our key and every new order. Fewer are judged one by one, by
`is_lost`, and never while the key is refused. A wrong account on a busy day is found out by more than these at once."""

Answer = Job | GatewayError


def is_new(generation: Generation, *, now: datetime) -> bool:
    return now - (generation.submitted_at or generation.created_at) <= NEW_FOR


def doubt(gateway: Gateway, answers: Sequence[tuple[Generation, Answer]], *, now: datetime) -> str:
    """Why the gateway is to be doubted, as `pauses` names it; "" when its answers may be believed.

    Asks the database, and the gateway for its balance, only when something is unknown or refused.
    """
    counted = [(row, answer) for row, answer in answers if row.state not in LATE_SUCCESS]
    unknown = [row for row, answer in counted if isinstance(answer, NotFound) and not is_new(row, now=now)]
    refused = [row for row, answer in counted if isinstance(answer, AccountRefused)]
    if not unknown and not refused:
        return ""
    others = Generation.objects.filter(gateway=gateway).exclude(id__in=[row.id for row, _ in answers])
    missing = others.filter(status__in=STOPPABLE, not_found_count__gt=0).count()
    lately = others.filter(last_checked_at__gte=now - MINUTE, not_found_count=0).count()
    bad = len(unknown) + len(refused) + missing
    if bad * 2 <= len(counted) + missing + lately:
        return ""
    if pauses.knows_us(gateway, now=now) is False:
        return pauses.KEY
    return pauses.ANSWERS if len(unknown) + missing >= FEWEST else ""


def is_lost(gateway: Gateway, generation: Generation, *, now: datetime) -> bool:
    """Five in a row over at least ten minutes, while the gateway takes our key. For an answer not yet counted.

    Not by the word of an account that it was not ordered from.
    """
    if generation.not_found_count + 1 < LOST_AFTER_TIMES:
        return False
    first = Event.objects.filter(generation_id=generation.id, kind="not_found").order_by("-id").first()
    if first is None or now - first.at < LOST_AFTER or sent_with.is_another(generation):
        return False
    return pauses.knows_us(gateway, now=now) is True
