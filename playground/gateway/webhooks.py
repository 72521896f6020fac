"""Reading a webhook: whether it is the gateway's, fresh and whole. What it says of an order is never believed.

The check is that of Standard Webhooks: `webhook-id`, `webhook-timestamp` and the raw body are signed with the secret
that the gateway gives to the holder of its key. A message is good for five minutes before and after its timestamp; that
it is taken once only is the caller's affair.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from playground.domain.webhooks import is_signed, key_of
from playground.gateway.answers import mapping, text
from playground.gateway.errors import Unclear

TOLERANCE_S = 300
MAX_ID = 255
MAX_SIGNATURES_LENGTH = 4096
_ID = re.compile(rf"[\x21-\x7e]{{1,{MAX_ID}}}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
MAX_KIND = 60


class BadWebhook(Exception):
    """Not to be acted on. The text says why and holds nothing of what was sent."""


class Malformed(BadWebhook):
    """A header is missing or no such thing, or what was signed is no message."""


class OutOfTime(BadWebhook):
    """More than five minutes old, or from more than five minutes ahead."""


class WrongSignature(BadWebhook):
    """Signed with another secret, or not this body."""


@dataclass(frozen=True, slots=True)
class Message:
    id: str
    kind: str
    """Such as `video.completed`."""


@dataclass(frozen=True, slots=True)
class _Head:
    message_id: str
    timestamp: int
    signatures: str


def read(headers: Mapping[str, str], body: bytes, *, secret: str, now: float) -> Message:
    """The message in `body`. `headers` finds names without regard to case, `now` is in unix seconds.

    Raises Malformed, OutOfTime, WrongSignature; ValueError when `secret` is none.
    """
    head = _head(headers)
    if abs(now - head.timestamp) > TOLERANCE_S:
        raise OutOfTime("its timestamp is more than five minutes off")
    genuine = is_signed(
        secret, message_id=head.message_id, timestamp=head.timestamp, body=body, signatures=head.signatures
    )
    if not genuine:
        raise WrongSignature("no signature fits")
    return Message(id=head.message_id, kind=_kind(body))


def _head(headers: Mapping[str, str]) -> _Head:
    message_id, timestamp = headers.get("webhook-id") or "", headers.get("webhook-timestamp") or ""
    signatures = headers.get("webhook-signature") or ""
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise Malformed("webhook-id or webhook-timestamp is missing or malformed")
    if not signatures.strip() or len(signatures) > MAX_SIGNATURES_LENGTH:
        raise Malformed("webhook-signature is missing or too long")
    return _Head(message_id, int(timestamp), signatures)


def _kind(body: bytes) -> str:
    try:
        kind = text(mapping(json.loads(body)).get("type"), MAX_KIND)
    except (ValueError, RecursionError):
        kind = ""
    if not kind:
        raise Malformed("the body is no message")
    return kind


def secret_in(answer: object) -> str:
    """The secret in `{"key": "whsec_..."}`. Raises Unclear."""
    secret = mapping(answer).get("key")
    try:
        key_of(secret if isinstance(secret, str) else "")
    except ValueError:
        raise Unclear("The gateway gave no webhook secret.", code="no_webhook_secret") from None
    return str(secret)
