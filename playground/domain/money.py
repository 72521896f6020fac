"""Money as integer micros: one millionth of a US dollar. No floats, no rounding surprises.

Prices are rounded up to the cent when shown, so that what a person reads is never less than the estimate.
Costs are rounded half up, since they report what happened.
"""

import re
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Literal

MICROS_PER_DOLLAR = 1_000_000
MICROS_PER_CENT = 10_000
MAX_MICROS = 10**15
"""A billion dollars. Anything above it in an answer is nonsense, not money."""
SET_ASIDE = (5, 4)
"""Numerator and denominator: what is set aside for an order is this much of its estimate, since the provider that a
gateway falls back to may cost more than the one it priced.
"""
_TYPED = re.compile(r"\$?\s*(\d{1,9}(?:\.\d{1,2})?)")


def set_aside_micros(estimate_micros: int) -> int:
    """What is set aside for an order that was priced at `estimate_micros`, rounded up to the micro."""
    numerator, denominator = SET_ASIDE
    return -(-estimate_micros * numerator // denominator)


def micros_from_text(text: str) -> int | None:
    """Micros from an amount that a person typed: `50`, `12.50`, `$12.50`. None for anything else.

    A comma is refused: to some it parts thousands, to others cents.
    """
    found = _TYPED.fullmatch(text.strip())
    return int(Decimal(found[1]) * MICROS_PER_DOLLAR) if found and found[1].isascii() else None


_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def micros_from_dollars(value: object) -> int | None:
    """Micros from a gateway's dollar figure (a JSON number or numeric string), or None if it is not an amount of money.

    Negative, infinite, boolean and absurdly large values are not amounts, nor is text that JSON would not take for a
    number (Decimal takes "1_0" and the digits of all scripts).
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        return None
    if not dollars.is_finite() or dollars < 0 or dollars > MAX_MICROS // MICROS_PER_DOLLAR:
        return None
    return int((dollars * MICROS_PER_DOLLAR).to_integral_value(rounding=ROUND_HALF_UP))


def micros_from_json(value: object) -> int | None:
    """Micros from a JSON integer, or None. A whole float (84000.0) counts; text and booleans do not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or value < 0 or value > MAX_MICROS:
        return None
    return value


def dollars(micros: int, *, rounding: Literal["up", "nearest"] = "nearest") -> str:
    """`$0.84`, `$1,234.50`. Templates write "less than $0.01" where `is_tiny` holds."""
    mode = ROUND_CEILING if rounding == "up" else ROUND_HALF_UP
    cents = (Decimal(micros) / MICROS_PER_DOLLAR).quantize(Decimal("0.01"), rounding=mode)
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents):,.2f}"


def is_tiny(micros: int) -> bool:
    """True for an amount above zero that is less than one cent."""
    return 0 < micros < MICROS_PER_CENT


def unit_dollars(micros: int) -> str:
    """A unit price with as many decimals as it needs, at least two: `$0.105`, `$0.30`."""
    text = f"{Decimal(micros) / MICROS_PER_DOLLAR:f}"
    whole, _, fraction = text.partition(".")
    return f"${int(whole):,}.{fraction.rstrip('0').ljust(2, '0')}"
