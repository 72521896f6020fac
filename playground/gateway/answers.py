"""Reading what a gateway said, in layers, believing little.

First bytes to JSON, then plain values out of it, then what a refusal means. Gateways answer with envelopes, flat codes,
HTML pages from proxies, and errors inside a 200; every reader here takes any value and never raises on content.
"""

import email.utils
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from playground.gateway.errors import (
    AccountRefused,
    FailureKind,
    GatewayError,
    InFlight,
    Refused,
    Throttled,
    Unclear,
)
from playground.gateway.wire import Answer

MAX_MESSAGE = 500
YEARS = (2000, 2100)
"""The first and the last in which a time of a gateway may lie."""
MAX_ID = 255
"""What the database keeps of an id. Wrapped ids of some proxies have 130 characters."""

_SHORT_KEY = 12
"""A key shorter than this is no secret (the sandbox's is "sandbox") and its text may be an ordinary word."""

_HOOK = re.compile(r"(/hooks/[^/\s\"\\]+/)[^/\s\"\\]+")
"""Our address for webhooks; its last part lets its holder speak about an order."""


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Takes the key, and the secret part of our own webhook address, out of what a gateway sends back.

    Some quote what was wrong in their messages, and those are shown and kept.
    """

    _key: str

    def __repr__(self) -> str:
        return "Scrubber()"

    def clean(self, text: str) -> str:
        text = _HOOK.sub(r"\1[secret]", text)
        if len(self._key) < _SHORT_KEY:
            return text
        return text.replace(self._key, "[key]").replace(json.dumps(self._key)[1:-1], "[key]")

    def load(self, body: bytes) -> Any:
        """The JSON value of a body, without the key in it. Raises ValueError when it is not JSON."""
        try:
            value = json.loads(body)
            if b"\\u" in body or b"\\/" in body:  # the key or our address could be spelled in escapes
                value = json.loads(self.clean(json.dumps(value, ensure_ascii=False)))
            elif self._key.encode() in body or b"/hooks/" in body:
                value = json.loads(self.clean(body.decode("utf-8", "replace")))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return value


def text(value: object, limit: int = 255) -> str:
    """`value` if it is text, cut and fit for a database (no NUL, no lone surrogate); else ""."""
    if not isinstance(value, str):
        return ""
    if len(value) <= limit and value.isascii() and "\x00" not in value:
        return value.strip()  # nearly always, and twenty times in each answer
    return value[:limit].encode("utf-8", "replace").decode().replace("\x00", "").strip()


def identifier(value: object) -> str:
    """An id as text, for some gateways count; up to one character too long, which tells that it is not whole."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value, MAX_ID + 1)


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def number(value: object) -> float | None:
    """A finite JSON number, or None; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def whole(value: object, maximum: int = 2**53) -> int | None:
    """A whole number from 0 to `maximum`, also written as text, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
        value = int(value)
    found = number(value)
    return int(found) if found is not None and found.is_integer() and 0 <= found <= maximum else None


def moment(value: object) -> datetime | None:
    """A time in UTC from unix seconds (or milliseconds) or ISO text; None for nonsense.

    So is a year that nobody means: it may lie beyond what the database, or a sum with it, can hold.
    """
    try:
        at = _parsed(value)
    except (ValueError, OverflowError, OSError):
        return None
    return at if at is not None and YEARS[0] <= at.year <= YEARS[1] else None


def _parsed(value: object) -> datetime | None:
    if isinstance(value, str) and not value.isdigit():
        parsed = datetime.fromisoformat(value)
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    seconds = number(int(value) if isinstance(value, str) else value)
    if seconds is None or seconds <= 0:
        return None
    return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, tz=UTC)


def request_id(answer: Answer) -> str:
    headers = answer.headers
    found = headers.get("x-lumenfall-request-id") or headers.get("x-request-id") or ""
    return text("".join(char for char in found if char.isprintable()), 128)


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header (a number or an HTTP date), 0 to one hour; None when absent or nonsense."""
    if not value:
        return None
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value.strip()):
        return min(float(value.strip()), 3600.0)
    try:
        at = email.utils.parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), 3600.0)


@dataclass(frozen=True, slots=True)
class Complaint:
    """The gateway's own code and words for what is wrong; both "" when it gave none."""

    code: str = ""
    message: str = ""


def complaint(data: object) -> Complaint:
    """From an envelope (`{"error": {...}}`), a flat form (`error_code`, `message`, `detail`), or text."""
    outer = mapping(data)
    error = outer.get("error")
    inner = mapping(error)
    code = (
        text(inner.get("code"), 100)
        or text(inner.get("error_code"), 100)
        or text(outer.get("error_code"), 100)
        or text(outer.get("code"), 100)
        or text(inner.get("type"), 100)
    )
    message = (
        text(inner.get("message"), MAX_MESSAGE)
        or text(error, MAX_MESSAGE)
        or text(outer.get("error_message"), MAX_MESSAGE)
        or text(outer.get("message"), MAX_MESSAGE)
        or text(outer.get("detail"), MAX_MESSAGE)
    )
    return Complaint(code, message)


_MODERATION = re.compile(
    r"content.?polic|policy.?violation|moderat|safety|content.?filter|prohibited|nsfw|sensitive.?content|responsible.?ai"
)
_BALANCE = re.compile(
    # not the bare word billing: rate-limit messages point to billing pages
    r"insufficient.?(balance|quota|credit|funds)|billing.?(hard.?limit|error)|payment.?required|exceeded.your.current.quota"
)
_IMAGE = re.compile(r"image|input.?reference|first.?frame|unsupported.?(media|file)")
_PROVIDER = re.compile(
    r"upstream|provider|generation.?failed|internal|timed?.?out|overload|unavailable|server.?error|capacity"
)


def kind_of(code: str, message: str) -> FailureKind:
    """What a person can do about it, read from the code first and from the words if the code says little."""
    lowered_code, lowered_message = code.lower(), message.lower()
    if _MODERATION.search(lowered_code) or _MODERATION.search(lowered_message):
        return FailureKind.MODERATION
    if _BALANCE.search(lowered_code) or _BALANCE.search(lowered_message):
        return FailureKind.BALANCE
    if _IMAGE.search(lowered_code) or _IMAGE.search(lowered_message):
        return FailureKind.IMAGE
    if _PROVIDER.search(lowered_code) or _PROVIDER.search(lowered_message):
        return FailureKind.PROVIDER
    return FailureKind.OTHER


def refusal(answer: Answer, scrubber: Scrubber) -> GatewayError:
    """What an answer that is not a 2xx means for the order that was sent."""
    try:
        found = complaint(scrubber.load(answer.body))
    except ValueError:
        found = Complaint()  # an HTML page of a proxy tells a person nothing
    status = answer.status
    request = scrubber.clean(request_id(answer))
    kind = kind_of(found.code, found.message)
    speaks_of_money = kind is FailureKind.BALANCE and status in (400, 429)
    if status in (401, 402) or (status == 403 and kind is not FailureKind.MODERATION) or speaks_of_money:
        return _account_refused(status, found, kind, request)
    wait = retry_after(answer.headers.get("retry-after"))
    if status == 429:
        return Throttled(
            found.message or "The gateway asks for fewer requests.",
            status=status,
            gateway_code=found.code,
            request_id=request,
            retry_after_s=wait,
        )
    if status == 409:
        return InFlight(
            found.message or "The gateway is still taking this order.",
            status=status,
            gateway_code=found.code,
            request_id=request,
            retry_after_s=wait,
        )
    # 408, 421, 425 and 499 speak of the connection, not of the order; 307 and 308 promise that nothing was done.
    if status in (307, 308) or (400 <= status < 500 and status not in (408, 421, 425, 499)):
        return _refused(status, found, kind, request)
    return _unclear(status, found, request, wait)


def _account_refused(status: int, found: Complaint, kind: FailureKind, request: str) -> AccountRefused:
    empty = status == 402 or kind is FailureKind.BALANCE
    return AccountRefused(
        found.message or ("The gateway account is empty." if empty else "The gateway refused the key."),
        reason="balance" if empty else "key",
        status=status,
        gateway_code=found.code,
        request_id=request,
    )


def _refused(status: int, found: Complaint, kind: FailureKind, request: str) -> Refused:
    fallback = "The gateway's address has moved." if status < 400 else "The gateway refused the order."
    return Refused(found.message or fallback, kind=kind, status=status, gateway_code=found.code, request_id=request)


def _unclear(status: int, found: Complaint, request: str, wait: float | None) -> Unclear:
    if status >= 500 or status in (408, 425):
        code = "server_error"
    else:
        code = "redirected" if 300 <= status < 400 else "unexpected_status"
    return Unclear(
        found.message or f"The gateway answered with status {status}.",
        code=code,
        status=status,
        gateway_code=found.code,
        request_id=request,
        retry_after_s=wait,
    )
