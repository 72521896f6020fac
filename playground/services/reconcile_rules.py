"""What our ledger and a gateway's list of requests may disagree about. Pure: no database, no network, no clock.

An order and its entries belong together by the trace it was sent with, else by the request id, else by the id of the
video, of which some gateways use the same ending for both (`req_x` and `video_x`). One order may have several entries:
each try is one. What is too fresh to be judged is counted, not reported: the two sides are not read at one instant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from playground.gateway.request_log import LoggedRequest
from playground.gateway.trace import trace_id_of
from playground.gateway.types import JobState

GRACE = timedelta(minutes=10)
STUCK_AFTER = timedelta(days=1)
"""An order that is still going here after this, though it was charged there, is reported all the same."""
LEAST_ENDING = 12
"""A shorter ending of an id may be the same by chance."""
ENDED_THERE = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})


class Kind(StrEnum):
    COST_DIFFERS = "cost_differs"
    CHARGED_TWICE = "charged_twice"
    CHARGED_THERE = "charged_there"
    """Charged there, no cost here."""
    SETTLED_HERE = "settled_here"
    """A cost here, not in the list there."""
    COST_MISSING = "cost_missing"
    """A cost here; the list has the order, but without a cost."""
    CURRENCY = "currency"
    STILL_ASIDE = "still_aside"
    ENDED_THERE = "ended_there"
    """Unclear here; the list says that it ended without a cost."""
    UNKNOWN_THERE = "unknown_there"
    """In the list, and no order of ours."""


class Stage(StrEnum):
    GOING = "going"
    UNCLEAR = "unclear"
    LATE = "late"
    """Ended, but a late result is still looked for: its money stays set aside on purpose."""
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Ours:
    """One order as the ledger has it. `cost` None: none is known. `aside`: what is set aside for it now."""

    id: UUID
    team_id: UUID
    stage: Stage
    upstream_id: str
    request_id: str
    ordered_at: datetime
    moved_at: datetime
    """When its money last moved."""
    aside: int = 0
    cost: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Both figures in micros; None: that side names none. Without `order_id` it is no order of ours."""

    kind: Kind
    ours: int | None
    theirs: int | None
    order_id: str = ""
    team_id: str = ""
    request_id: str = ""
    model: str = ""
    currency: str = ""
    at: str = ""
    """When it was ordered, ISO 8601."""


@dataclass(slots=True)
class Tally:
    """What was compared, of one team: orders, and both sides' sums in micros."""

    orders: int = 0
    ours: int = 0
    theirs: int = 0
    aside: int = 0


@dataclass(slots=True)
class Comparison:
    differences: list[Difference] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    """By team."""
    fresh: int = 0
    """Too recent to be judged."""
    others: int = 0
    """Entries that are no videos: the key is used for something else too."""


class Index:
    """Finds the order that an entry belongs to."""

    def __init__(self, orders: Iterable[Ours]) -> None:
        self._by_trace: dict[str, Ours] = {}
        self._by_id: dict[str, Ours] = {}
        for order in orders:
            self._by_trace[trace_id_of(str(order.id))] = order
            for name in (order.request_id, order.upstream_id):
                for key in keys_of(name):
                    self._by_id[key] = order

    def find(self, entry: LoggedRequest) -> Ours | None:
        found = self._by_trace.get(entry.trace_id)
        return found or next((self._by_id[key] for key in keys_of(entry.id) if key in self._by_id), None)


def keys_of(name: str) -> list[str]:
    """The id itself and, where it is long enough to mean something, its ending behind `req_` or `video_`."""
    prefix, _, ending = name.partition("_")
    has_ending = prefix in ("req", "video") and len(ending) >= LEAST_ENDING
    return [name, f"*{ending}"] if has_ending else [name] if name else []


def compare(
    orders: Iterable[Ours],
    entries: Mapping[UUID, list[LoggedRequest]],
    strangers: Iterable[LoggedRequest],
    *,
    now: datetime,
) -> Comparison:
    """Every difference. `entries` are those of each order, `strangers` those of no order of ours, each once."""
    result = Comparison()
    for order in orders:
        mine = entries.get(order.id, [])
        _count(result.tallies.setdefault(str(order.team_id), Tally()), order, mine)
        kind = judge(order, mine, now=now)
        if kind is not None and is_fresh(kind, order, now=now):
            result.fresh += 1
        elif kind is not None:
            result.differences.append(_difference(kind, order, mine))
    for entry in strangers:
        _stranger(result, entry, now=now)
    return result


def _count(tally: Tally, order: Ours, entries: list[LoggedRequest]) -> None:
    tally.orders += 1
    tally.ours += order.cost or 0
    tally.theirs += charged(entries) or 0
    tally.aside += order.aside


def charged(entries: Iterable[LoggedRequest]) -> int | None:
    """The sum of the costs that are named; None when none is."""
    known = [entry.cost_micros for entry in entries if entry.cost_micros is not None]
    return sum(known) if known else None


def judge(order: Ours, entries: list[LoggedRequest], *, now: datetime) -> Kind | None:
    theirs = charged(entries)
    if any(entry.currency != "USD" and entry.state is JobState.COMPLETED for entry in entries):
        return Kind.CURRENCY
    if order.cost is not None:
        return _settled(order.cost, entries, theirs)
    if theirs and (order.stage is not Stage.GOING or now - order.ordered_at > STUCK_AFTER):
        return Kind.CHARGED_THERE
    if order.aside and order.stage is Stage.OVER:
        return Kind.STILL_ASIDE
    has_ended = bool(entries) and all(entry.state in ENDED_THERE for entry in entries)
    if order.aside and order.stage is Stage.UNCLEAR and has_ended and not theirs and _is_surely_free(entries):
        return Kind.ENDED_THERE
    return None


def _is_surely_free(entries: list[LoggedRequest]) -> bool:
    """None of the tries was completed: a completed one without a cost may have cost something."""
    return all(entry.state is not JobState.COMPLETED or entry.cost_micros == 0 for entry in entries)


def _settled(cost: int, entries: list[LoggedRequest], theirs: int | None) -> Kind | None:
    if theirs == cost:
        return None
    if theirs is not None:
        is_double = sum(bool(entry.cost_micros) for entry in entries) > 1
        return Kind.CHARGED_TWICE if is_double else Kind.COST_DIFFERS
    if not cost:
        return None
    return Kind.COST_MISSING if entries else Kind.SETTLED_HERE


def is_fresh(kind: Kind, order: Ours, *, now: datetime) -> bool:
    """A list may lag behind. Two figures that differ are reported at once; what is merely absent gets some time."""
    return kind in (Kind.COST_MISSING, Kind.SETTLED_HERE) and now - order.moved_at < GRACE


def _difference(kind: Kind, order: Ours, entries: list[LoggedRequest]) -> Difference:
    foreign = next((entry.currency for entry in entries if entry.currency != "USD"), "")
    return Difference(
        kind=kind,
        ours=order.cost if order.cost is not None else order.aside or None,
        theirs=charged(entries),
        order_id=str(order.id),
        team_id=str(order.team_id),
        request_id=entries[0].id if entries else order.request_id,
        model=entries[0].model if entries else "",
        currency=foreign if kind is Kind.CURRENCY else "",
        at=order.ordered_at.isoformat(),
    )


def _stranger(result: Comparison, entry: LoggedRequest, *, now: datetime) -> None:
    if entry.modality not in ("", "video"):
        result.others += 1
        return
    costs = bool(entry.cost_micros) or entry.state not in ENDED_THERE
    is_foreign = entry.currency != "USD" and entry.state is JobState.COMPLETED
    if not costs and not is_foreign:
        return
    if entry.created_at is not None and now - entry.created_at < GRACE:
        result.fresh += 1
        return
    result.differences.append(
        Difference(
            kind=Kind.UNKNOWN_THERE,
            ours=None,
            theirs=entry.cost_micros,
            request_id=entry.id,
            model=entry.model,
            currency=entry.currency if is_foreign else "",
            at=entry.created_at.isoformat() if entry.created_at else "",
        )
    )
