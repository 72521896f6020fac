"""What a month cost, by person, model and day, out of the ledger.

A video counts in the month and on the day on which it was ordered, on the team's wall calendar, also when its cost
arrives later: so the days add up to the month and the month to its limit. Play money is left out everywhere. One
grouped query gives all figures of a page, which therefore always agree with one another.

A video that was made without a price, and of which the gateway named no cost, is in no sum: it is counted as `unknown`.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, Case, Count, F, FilteredRelation, Q, QuerySet, Sum, When
from django.db.models.functions import TruncDate
from django.utils import timezone

from playground.domain.money import MICROS_PER_DOLLAR
from playground.domain.status import Status
from playground.domain.sums import Sums
from playground.models import Budget, EntryKind, LedgerEntry, Membership, User
from playground.services import ledger

BATCH = 500
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, in both widths."""
_SUSPECT = frozenset((*FORMULA, " "))
IS_UNKNOWN = Q(
    generation__status__in=(Status.DONE, Status.OUTPUT_LOST),
    generation__estimate_micros__isnull=True,
    generation__cost_micros__isnull=True,
)
"""Of an entry: made, so it cost something, and neither a price nor a cost was ever named."""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table. `name` "" is a person who is no longer here."""

    name: str
    sums: Sums
    unknown: int = 0
    """Videos whose cost nobody knows; also below."""


NOTHING = Line("", Sums())


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    sums: Sums
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    cap_micros: int
    left_micros: int
    is_own: bool
    """Of this person, not of the team."""

    @property
    def used_micros(self) -> int:
        return self.cap_micros - self.left_micros


@dataclass(frozen=True, slots=True)
class Report:
    month: date
    total: Sums
    by_person: list[Line]
    by_model: list[Line]
    by_day: list[Day]
    """Every day of the month, also those without a video."""
    limit: Limit | None
    unknown: int = 0


def this_month(by: Membership) -> date:
    return ledger.month_of(by.team, timezone.now())


def months(by: Membership) -> list[date]:
    """The months with something to show to this person, newest first."""
    return list(_holds(by).order_by("-month").values_list("month", flat=True).distinct())


def report(by: Membership, month: date) -> Report:
    """The whole team's month for an admin, else one's own."""
    cells = _cells(by, month)
    names = _names({cell["user_id"] for cell in cells})
    first, *_rest, last = _days(month)
    # a team that changed its time zone may have an order on the day before or after
    days = {line.name: line for line in _folded(cells, lambda cell: str(min(max(cell["day"], first), last)))}
    return Report(
        month=month,
        total=sum((_sums(cell) for cell in cells), Sums()),
        by_person=_dearest(_folded(cells, lambda cell: names.get(cell["user_id"], ""))),
        by_model=_dearest(_folded(cells, lambda cell: str(cell["generation__model__slug"]))),
        by_day=[Day(day, line.sums, line.unknown) for day in _days(month) for line in [days.get(str(day), NOTHING)]],
        limit=_limit(by, month),
        unknown=sum(cell["unknown"] for cell in cells),
    )


def _holds(by: Membership) -> "QuerySet[LedgerEntry]":
    """One entry for each video that this person may see the money of."""
    found = LedgerEntry.objects.filter(team_id=by.team_id, kind=EntryKind.HOLD, gateway__is_sandbox=False)
    return found if by.is_admin else found.filter(user_id=by.user_id)


def _with_ends(holds: "QuerySet[LedgerEntry]") -> "QuerySet[LedgerEntry]":
    """With the entries that closed them: `settled` (its amount is the cost) and `released`."""
    return holds.annotate(
        settled=FilteredRelation("generation__ledger", condition=Q(generation__ledger__kind=EntryKind.SETTLE)),
        released=FilteredRelation("generation__ledger", condition=Q(generation__ledger__kind=EntryKind.RELEASE)),
    )


def _cells(by: Membership, month: date) -> list[dict[str, Any]]:
    is_open = Q(settled__id__isnull=True, released__id__isnull=True)
    is_compared = Q(settled__id__isnull=False, generation__estimate_micros__isnull=False)
    cells = (
        _with_ends(_holds(by).filter(month=month))
        .annotate(day=TruncDate("at", tzinfo=ZoneInfo(by.team.time_zone)))
        .values("user_id", "generation__model__slug", "day")
        .annotate(
            videos=Count("id"),
            cost=Sum("settled__amount_micros"),
            aside=_sum(is_open, "amount_micros"),
            waiting=Count(Case(When(is_open, then=F("id")))),
            priced=_sum(is_compared, "generation__estimate_micros"),
            compared=_sum(is_compared, "settled__amount_micros"),
            unknown=Count(Case(When(IS_UNKNOWN, then=F("id")))),
        )
        .order_by()
    )
    return [dict(cell) for cell in cells]


def _sum(where: Q, field: str) -> Sum:
    return Sum(Case(When(where, then=F(field)), default=0, output_field=BigIntegerField()))


def _sums(cell: dict[str, Any]) -> Sums:
    return Sums(**{name: cell[name] or 0 for name in Sums.__dataclass_fields__})


def _folded(cells: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], str]) -> list[Line]:
    found: dict[str, Line] = {}
    for cell in cells:
        name, line = key(cell), found.get(key(cell), NOTHING)
        found[name] = Line(name, line.sums + _sums(cell), line.unknown + cell["unknown"])
    return list(found.values())


def _dearest(lines: list[Line]) -> list[Line]:
    return sorted(lines, key=lambda line: (-line.sums.cost, -line.sums.aside, -line.sums.videos, line.name))


def _names(ids: set[Any]) -> dict[Any, str]:
    """A name for each person; two of the same name are told apart by their address."""
    people = list(User.objects.filter(id__in=ids - {None}).only("id", "name", "email"))
    names = [person.display_name for person in people]
    return {
        person.id: f"{person.display_name} ({person.email})"
        if names.count(person.display_name) > 1
        else person.display_name
        for person in people
    }


def next_month(month: date) -> date:
    return (month + timedelta(days=31)).replace(day=1)


def _days(month: date) -> list[date]:
    return [month + timedelta(days=number) for number in range((next_month(month) - month).days)]


def _limit(by: Membership, month: date) -> Limit | None:
    """The team's limit of that month for an admin; else the tighter of the person's own and the team's."""
    counters = Budget.objects.filter(team_id=by.team_id, month=month, cap_micros__isnull=False)
    whose = Q(user=None) if by.is_admin else Q(user=None) | Q(user_id=by.user_id)
    limits = [
        Limit(
            cap_micros=budget.cap_micros or 0,
            left_micros=max(0, (budget.cap_micros or 0) - budget.held_micros - budget.spent_micros),
            is_own=budget.user_id is not None,
        )
        for budget in counters.filter(whose)
    ]
    return min(limits, key=lambda limit: limit.left_micros, default=None)


# The table for a spreadsheet

HEADER = (
    "ordered_at", "person", "email", "model", "gateway", "state", "price_micros", "price_usd", "cost_micros",
    "cost_usd", "set_aside_micros", "set_aside_usd", "video_order", "run", "gateway_order",
)  # fmt: skip
_FIELDS = (
    "id", "at", "user__name", "user__email", "generation__model__slug", "gateway__name", "generation__status",
    "generation__estimate_micros", "generation__cost_micros", "amount_micros", "settled__id", "settled__amount_micros",
    "released__id", "generation_id", "generation__run_id", "generation__upstream_id",
)  # fmt: skip


def csv_lines(by: Membership, month: date) -> Iterator[bytes]:
    """The month as CSV in UTF-8, one line for each video in the sequence of ordering, read in small batches.

    It begins with a byte order mark, without which a common spreadsheet garbles every name that is not English.
    """
    writer = csv.writer(_Echo())
    zone = ZoneInfo(by.team.time_zone)
    yield "\ufeff".encode() + writer.writerow(HEADER)
    after = 0
    while True:
        rows = _with_ends(_holds(by).filter(month=month, id__gt=after)).order_by("id").values(*_FIELDS)[:BATCH]
        batch = list(rows)
        if batch:
            yield b"".join(writer.writerow([plain(value) for value in _cells_of(row, zone)]) for row in batch)
        if len(batch) < BATCH:
            return
        after = batch[-1]["id"]


class _Echo:
    """A file that gives back what is written, so that `writerow` returns its line."""

    def write(self, text: str) -> bytes:
        return text.encode()


def _cells_of(row: dict[str, Any], zone: ZoneInfo) -> list[object]:
    at: datetime = row["at"]
    email = row["user__email"] or ""
    is_open = row["settled__id"] is None and row["released__id"] is None
    is_named = row["generation__estimate_micros"] is not None or row["generation__cost_micros"] is not None
    return [
        at.astimezone(zone).isoformat(timespec="seconds"),
        row["user__name"] or email.partition("@")[0],
        email,
        row["generation__model__slug"],
        row["gateway__name"],
        row["generation__status"],
        *_money(row["generation__estimate_micros"]),
        *_money(row["settled__amount_micros"] if is_named else None),
        *_money(row["amount_micros"] if is_open else 0),
        row["generation_id"],
        row["generation__run_id"],
        row["generation__upstream_id"] or "",
    ]


def _money(micros: int | None) -> tuple[str, str]:
    """Whole micros and exact dollars; both empty where the amount is not known, which is not zero."""
    return ("", "") if micros is None else (str(micros), f"{Decimal(micros) / MICROS_PER_DOLLAR:.6f}")


def plain(value: object) -> str:
    """Text that no spreadsheet runs as a formula."""
    text = str(value)
    if text[:1] not in _SUSPECT:
        return text
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
