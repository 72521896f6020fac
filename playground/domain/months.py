"""Calendar months on a wall clock somewhere: when one begins and ends, and what it will have cost by its end.

Instants are aware; lengths are taken between instants, so a month with a change of clocks is an hour shorter or longer.
"""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LEAST_ELAPSED = timedelta(days=1)
"""A forecast from the first hours of a month would be wild; the first day counts as a whole one."""
_WRITTEN = re.compile(r"(2[0-9]{3})-(0[1-9]|1[0-2])")
"""No gateway is older, and the calendar's own ends, at which one cannot reckon on, are far away."""


def month_of(at: datetime, zone: str) -> date:
    """First day of the month that `at` falls into where the clocks show `zone` (an IANA name)."""
    return at.astimezone(ZoneInfo(zone)).date().replace(day=1)


def read_month(text: str) -> date | None:
    """The month that `2026-11` names. None for what is no month, and for those outside the years 2000 to 2999."""
    found = _WRITTEN.fullmatch(text)
    return date(int(found[1]), int(found[2]), 1) if found else None


def next_month(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1)


def begins_at(month: date, zone: str) -> datetime:
    """The instant at which `month` (its first day) begins in `zone`, in UTC."""
    return datetime(month.year, month.month, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def forecast_micros(committed_micros: int, *, month: date, zone: str, at: datetime) -> int:
    """What the month will have cost at its end if it goes on at its pace so far; what it did cost once it is over.

    The pace is what is spent and set aside by `at`, divided by the time since the month began, at least a day.
    """
    begin, end = begins_at(month, zone), begins_at(next_month(month), zone)
    elapsed = max(at - begin, LEAST_ELAPSED)
    if elapsed >= end - begin:
        return committed_micros
    return committed_micros * ((end - begin) // timedelta(seconds=1)) // (elapsed // timedelta(seconds=1))
