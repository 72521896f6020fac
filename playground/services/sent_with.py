"""Which key of a gateway an order went out with: with another one its account, and so its answers, may be another's.

The event of an order and of each of its tries holds a mark of the key, and of whether an idempotency key went along. An
order is not sent again with a key whose account cannot know its idempotency key (that would be a second order, and a
second charge), nor looked for in another account's log, nor believed to be lost because another account does not know
it.
"""

from datetime import datetime, timedelta
from typing import Any

from django.utils.crypto import salted_hmac

from playground.domain.status import NEVER_RAN
from playground.models import Event, Gateway, Generation
from playground.services import gateways

BEGUN = ("sending", "sent_again")
MARKED = ("ordered", *BEGUN)
"""The order itself holds one too: a restored backup does not know of tries that came after it."""
CHANGED = "changed"
_LENGTH = 16


def mark(gateway: Gateway) -> str:
    """Tells one key of a gateway from another and nothing about it; "" while none is in the environment."""
    try:
        config = gateways.config_of(gateway)
    except gateways.GatewayNotConfigured:
        return ""
    told = f"{config.honours_idempotency_key}:{config.api_key}"
    return salted_hmac("playground.sent-with", told, algorithm="sha256").hexdigest()[:_LENGTH]


def is_another(generation: Generation) -> bool:
    """Whether the latest try of this order went out with another key than the one in the environment.

    With none there it is not: nothing is sent or asked then anyway. Of a restored order without any mark nobody knows
    what became of it since, so it is.
    """
    events = Event.objects.filter(generation_id=generation.id, kind__in=(*MARKED, "restored")).order_by("-id")
    told = list(events.values_list("kind", "data"))
    key = next(filter(None, (key_of(kind, data) for kind, data in told)), "")
    return is_anothers(key, generation.gateway, is_restored=any(kind == "restored" for kind, _ in told))


def key_of(kind: str, data: dict[str, Any]) -> str:
    """The mark that an event tells; that of no key at all where keys were changed since a restored backup was made."""
    if kind == "restored":
        return CHANGED if data.get("key_changed") else ""
    return str(data.get("key", ""))


def is_anothers(key: str, gateway: Gateway, *, is_restored: bool) -> bool:
    """As `is_another`, where the newest mark of the order that is not empty is known already."""
    return differs(key, gateway) if key else is_restored


def is_young(generation: Generation, *, now: datetime) -> bool:
    """Whether the gateway honours its idempotency key and is believed to remember when it came first."""
    gateway, sent_at = generation.gateway, generation.sent_at
    if not gateway.honours_idempotency_key or sent_at is None:
        return False
    return now < sent_at + timedelta(seconds=gateway.key_trusted_seconds)


def is_promise_over(generation: Generation, *, now: datetime) -> bool:
    """Whether an admin had it sent again since its key was known, and by now it is not: it would be a second order."""
    if generation.error_kind != NEVER_RAN:
        return False
    decided = generation.events.filter(kind="sent_anew").order_by("-id").values_list("data", flat=True).first()
    if not decided or not decided.get("key_known"):
        return False
    return not is_young(generation, now=now) or is_another(generation)


def differs(then: str, gateway: Gateway) -> bool:
    """Whether the mark of a try is not that of the gateway's present key; not where one of them is unknown."""
    now = mark(gateway)
    return bool(then and now) and then != now
