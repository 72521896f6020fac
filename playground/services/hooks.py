"""Webhooks in: a gateway says that something happened to an order, and we ask it what.

A webhook is a hint. It brings the next question to the gateway forward, and the answer to that question decides, as it
does without webhooks; so a lost, doubled, late or invented one changes no end. Each order has an address of its own,
which stands in the stored order and so in every try of it. The address lets its holder speak about that order: it is
in no page and no log line. What is said counts only with the gateway's signature.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from playground import queue
from playground.domain.status import LATE_SUCCESS, STOPPABLE
from playground.domain.webhooks import why_not_sent_to
from playground.gateway import webhooks
from playground.gateway.errors import GatewayError
from playground.models import Gateway, Generation, WebhookDelivery
from playground.models.generation import new_hook_token
from playground.services import gateways, lanes, leases, pauses, sealing, sweep

log = structlog.get_logger(__name__)

ASK_AGAIN_S = 60
"""How often at most the gateway is asked for its secret, whatever comes in."""
FETCH_TIMEOUT_S = 60
FAILS_OFTEN = 3
"""Questions in vain after which an order keeps its pause; it is asked for a minute later at most."""
KEPT = timedelta(days=14)
"""A message is taken once by its id for so long; its timestamp would be refused after five minutes already."""


class Verdict(StrEnum):
    """What became of a message."""

    TAKEN = "taken"
    """Also where nothing was to be done: it came before, or the order has ended."""
    UNKNOWN = "no such address"
    MALFORMED = "malformed"
    OUT_OF_TIME = "out of time"
    FORGED = "wrong signature"
    NOT_READY = "try again"
    """It cannot be checked yet: what the gateway signs with has been asked for."""


def address_of(gateway: Gateway, hook_token: str) -> str:
    """Where `gateway` may tell us about the order with this token. Empty where it would refuse to, or never tells."""
    if not gateway.has_webhooks:
        return ""
    url = settings.PUBLIC_URL + reverse("hooks.receive", args=[gateway.slug, hook_token])
    loopback = gateway.is_sandbox and settings.SANDBOX_HOOK_LOOPBACK
    return "" if why_not_sent_to(url, loopback=loopback) else url


def fields_of(body: dict[str, Any], *, gateway: Gateway) -> dict[str, Any]:
    """What a new generation's row holds of its order: `body` as it will be sent, and `hook_token`."""
    hook_token = new_hook_token()
    return {"hook_token": hook_token, "body": with_address(body, gateway=gateway, hook_token=hook_token)}


def with_address(body: dict[str, Any], *, gateway: Gateway, hook_token: str) -> dict[str, Any]:
    """The order with its address, for a gateway that takes one. At the first order its secret is asked for."""
    url = address_of(gateway, hook_token)
    if not url:
        return body
    if not gateway.webhook_secret:
        _ask_for_secret(gateway)
    return {**body, "webhook_url": url}


def receive(
    *, gateway_slug: str, hook_token: str, headers: Mapping[str, str], body: bytes, now: datetime | None = None
) -> Verdict:
    """Take one message: store its id, bring the order's next check forward. Unless it is taken nothing changes."""
    now = now or timezone.now()
    generation = _find(gateway_slug, hook_token)
    if generation is None:
        return Verdict.UNKNOWN
    try:
        secret = sealing.unseal(generation.gateway.webhook_secret)
        message = webhooks.read(headers, body, secret=secret, now=now.timestamp())
    except webhooks.Malformed:
        return Verdict.MALFORMED
    except webhooks.OutOfTime:
        return Verdict.OUT_OF_TIME
    except webhooks.WrongSignature:
        _ask_for_secret(generation.gateway)  # it may have been changed there
        return Verdict.FORGED
    except sealing.Unreadable:
        _ask_for_secret(generation.gateway)
        return Verdict.NOT_READY
    known = WebhookDelivery.objects.filter(gateway_id=generation.gateway_id, delivery_id=message.id)
    if not known.exists() and _store(generation, message, now=now):
        _wake_sweep(now=now)
    return Verdict.TAKEN


def _find(gateway_slug: str, hook_token: str) -> Generation | None:
    rows = Generation.objects.select_related("gateway").filter(hook_token=hook_token, gateway__slug=gateway_slug)
    return rows.only("id", "gateway__slug", "gateway__webhook_secret").first()


def _store(generation: Generation, message: webhooks.Message, *, now: datetime) -> bool:
    """Whether the order is to be asked for at once. One whose gateway is not asked, or fails again and again, waits."""
    with transaction.atomic():
        _, is_new = WebhookDelivery.objects.get_or_create(
            gateway_id=generation.gateway_id,
            delivery_id=message.id,
            defaults={"generation": generation, "kind": message.kind, "received_at": now},
        )
        # fault: webhook-stored
        asked = Generation.objects.filter(
            id=generation.id,
            status__in=STOPPABLE | LATE_SUCCESS,
            next_check_at__isnull=False,
            poll_failures__lt=FAILS_OFTEN,
        ).exclude(gateway__paused_reason__in=(pauses.KEY, pauses.ANSWERS))
        return bool(is_new and asked.update(next_check_at=now))


def _wake_sweep(*, now: datetime) -> None:
    """A running sweep looks for due rows every moment; one that rests is started."""
    if leases.free_since(sweep.LEASE, now=now) is not None and not queue.waiting_for("sweep"):
        sweep.seed()


def _ask_for_secret(gateway: Gateway) -> None:
    """In the background, and not again within a minute: whoever sends nonsense must not make us busy."""
    if cache.add(f"webhook-secret:{gateway.id}", 1, ASK_AGAIN_S + 1):
        queue.enqueue("webhook_secret", str(gateway.id), timeout_s=FETCH_TIMEOUT_S)


def fetch_secret(gateway_id: UUID) -> bool:
    """Read what the gateway signs with, and keep it sealed. False when it cannot be had; the log says why.

    Without a free lane it is not asked for: the next order or message asks anew.
    """
    gateway = Gateway.objects.filter(id=gateway_id, has_webhooks=True, removed_at=None).first()
    if gateway is None:
        return False
    with lanes.question(gateway) as free:
        return free and _fetched(gateway)


def _fetched(gateway: Gateway) -> bool:
    try:
        with gateways.client_for(gateway) as client:
            secret = client.webhook_secret()
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        log.warning("webhook_key_not_fetched", gateway=gateway.slug, why=str(error)[:200])
        return False
    rows = Gateway.objects.filter(id=gateway.id, has_webhooks=True, removed_at=None)
    if not rows.update(webhook_secret=sealing.seal(secret)):
        return False  # removed while it was asked
    log.info("webhook_key_fetched", gateway=gateway.slug)
    return True


def fetch_ahead(gateway: Gateway) -> None:
    """Before the first webhook comes: read the secret of a gateway that will send some, unless a good one is there."""
    if not address_of(gateway, "x"):
        return
    try:
        sealing.unseal(gateway.webhook_secret)
    except sealing.Unreadable:
        fetch_secret(gateway.id)


def prune(*, now: datetime) -> int:
    """Forget old messages; returns how many."""
    return WebhookDelivery.objects.filter(received_at__lt=now - KEPT).delete()[0]
