"""Additional parameters of an order: what a model takes beyond the form, as JSON that is checked before it is sent.

Gateways pass fields that they do not know on to the provider unchanged, so a model's own switches (`cfg_scale`, `mode`,
`style` ...) work without this program knowing them. What the form itself says, what a gateway reads itself, and what
would fetch pictures from or send results and calls to another address, cannot be set here.
"""

import json
import re
from typing import Any

ParameterValue = str | int | float | bool
Parameters = tuple[tuple[str, ParameterValue], ...]
"""Name and value, in the order of their names."""

MAX_CHARACTERS = 2000
MAX_PARAMETERS = 20
MAX_TEXT = 500
MAX_NUMBER = 2**53
"""Whole numbers beyond it are not the same in every JSON reader (RFC 8259, section 6)."""
ORDER_FIELDS = frozenset(
    {"model", "prompt", "seconds", "duration", "size", "n", "idempotency_key", "dryRun", "aspect_ratio", "resolution"}
)
FORM_FIELDS = frozenset({"negative_prompt", "seed", "generate_audio"})
GATEWAY_FIELDS = frozenset({"dry_run", "stream", "metadata", "user", "media_retention"})
"""What a gateway reads itself: how it answers, who asks, how long it keeps what was paid for."""
_RESERVED = frozenset(name.lower() for name in ORDER_FIELDS | FORM_FIELDS | GATEWAY_FIELDS)
_ELSEWHERE = ("input_", "webhook", "callback", "idempotency")
_ADDRESS_NAME = ("_url", "_urls", "_uri")
_ADDRESS = re.compile(r"\s*(?:data:|[a-z][a-z0-9+.-]*://)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_ROUTE = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class WrongParameters(ValueError):
    """`code` is one of too_long, not_json, not_an_object, too_many, twice, name, reserved, value, address.

    `name` says whose; it can be shown: what cannot be printed, or would turn the text around it, is escaped as in JSON.
    """

    def __init__(self, code: str, name: str = "") -> None:
        super().__init__(f"{code} {name}".strip())
        self.code = code
        self.name = name


def read_parameters(text: str) -> Parameters:
    """`{"cfg_scale": 0.5}` as pairs; nothing for empty text. Raises WrongParameters."""
    if not text.strip():
        return ()
    if len(text) > MAX_CHARACTERS:
        raise WrongParameters("too_long")
    try:
        content = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except (json.JSONDecodeError, RecursionError) as error:
        raise WrongParameters("not_json") from error
    if not isinstance(content, _Object):
        raise WrongParameters("not_an_object")
    if len(content) > MAX_PARAMETERS:
        raise WrongParameters("too_many")
    for name, value in content:
        _check(name, value)
    if len({name for name, _ in content}) < len(content):
        raise WrongParameters("twice")
    return tuple(sorted(content))


class _Object(list[tuple[str, Any]]):
    """A JSON object with all its pairs, so that a name given twice is seen."""


def _pairs(pairs: list[tuple[str, Any]]) -> _Object:
    return _Object(pairs)


def _no_constant(name: str) -> float:
    raise WrongParameters("value", name)


def _check(name: str, value: Any) -> None:
    if not _NAME.fullmatch(name):
        raise WrongParameters("name", _printable(name[:40]))
    # Without regard to case: there are gateways that read names so.
    if name.lower() in _RESERVED or name.lower().startswith(_ELSEWHERE) or name.lower().endswith(_ADDRESS_NAME):
        raise WrongParameters("reserved", name)
    match value:
        case bool():
            return
        case str() if _ADDRESS.match(value):
            raise WrongParameters("address", name)
        case str() if len(value) <= MAX_TEXT and not _CONTROL.search(value):
            return
        case int() | float() if abs(value) <= MAX_NUMBER:  # which no infinity is
            return
    raise WrongParameters("value", name)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)


def written(parameters: Parameters) -> str:
    """The pairs as JSON for a person to read and change, by name (PostgreSQL keeps no order); empty for none."""
    return json.dumps(dict(sorted(parameters)), ensure_ascii=False) if parameters else ""


def is_route(text: str) -> bool:
    """A provider's name as it stands before the slash of `provider/slug`."""
    return _ROUTE.fullmatch(text) is not None
