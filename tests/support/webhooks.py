"""Webhooks as a gateway sends them, for tests of the receiving side."""

import json
import time
from typing import Any

from playground.domain.webhooks import signature
from playground.models import Gateway
from playground.services import sealing

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
BODY = json.dumps({"type": "video.completed", "data": {"id": "req_1", "status": "completed"}}).encode()


def make_ready(gateway: Gateway, secret: str = SECRET) -> None:
    """The gateway sends webhooks, and its secret is here."""
    Gateway.objects.filter(id=gateway.id).update(has_webhooks=True, webhook_secret=sealing.seal(secret))
    gateway.refresh_from_db()


def signed(
    body: bytes = BODY, *, message_id: str = "msg_1", age_s: float = 0.0, secret: str = SECRET
) -> dict[str, str]:
    """The three headers; `age_s` is how far the sender's clock is behind ours."""
    timestamp = int(time.time() - age_s)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id=message_id, timestamp=timestamp, body=body),
    }


def as_meta(headers: dict[str, str]) -> dict[str, Any]:
    """For Django's test client."""
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
