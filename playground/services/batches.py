"""What one round of a gateway's answers leads to, written in one transaction with few statements.

When the database refuses one of its values (a counter that has drifted and would go below zero, a text that it cannot
hold), the round is written row by row: the others go on, and the culprit is logged and looked at later.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Case, F, Value, When

from playground.domain.status import LATE_SUCCESS, STOPPABLE
from playground.models import Generation
from playground.services import engine, ledger, notices
from playground.services.engine import Move
from playground.services.refused import REFUSED, REFUSED_S, set_back
from playground.services.timing import coarse

log = structlog.get_logger(__name__)

STILL_ASKED = STOPPABLE | LATE_SUCCESS
Number = TypeVar("Number", int, float)


@dataclass(slots=True)
class Batch:
    taken: Collection[datetime] = ()
    """The due times that the rows had while they were asked for; none: whatever they have is replaced."""
    moves: list[Move] = field(default_factory=list)
    settled: dict[UUID, int | None] = field(default_factory=dict)
    """Generation to cost; None gives the money back, unless the row has a cost of before (that of an older version)."""
    lost: set[UUID] = field(default_factory=set)
    """Those whose admins are told that the gateway no longer knows them."""
    same: dict[UUID, float] = field(default_factory=dict)
    """Unchanged generation to seconds until the next question."""
    progress: dict[UUID, int] = field(default_factory=dict)
    failed: dict[UUID, float] = field(default_factory=dict)
    missing: dict[UUID, float] = field(default_factory=dict)
    """Unknown at the gateway, which counts, to seconds until the next question."""
    first_missing: list[UUID] = field(default_factory=list)
    found_again: list[UUID] = field(default_factory=list)
    free: set[UUID] = field(default_factory=set)
    """Stopped or given-up generation that is said to have cost nothing, and is looked for all the same."""
    closed: dict[UUID, dict[str, Any]] = field(default_factory=dict)
    """Stopped or given-up generation, not looked for any more, to what was learnt last."""

    def unless_set(self, now: datetime, seconds: float) -> Case | Value:
        """The next due time, but for a row that somebody else has given one since the question went out."""
        due = Value(now + timedelta(seconds=seconds))
        return Case(When(next_check_at__in=self.taken, then=due), default=F("next_check_at")) if self.taken else due

    def parts(self) -> "dict[UUID, Batch]":
        """The same, generation by generation."""
        parts: dict[UUID, Batch] = defaultdict(lambda: Batch(taken=self.taken))
        for move in self.moves:
            parts[move.generation_id].moves.append(move)
        for of_rows in dataclasses.fields(self)[2:]:
            values = getattr(self, of_rows.name)
            for row in values:
                kept = {row: values[row]} if isinstance(values, dict) else type(values)([row])
                setattr(parts[row], of_rows.name, kept)
        return parts


def write(batch: Batch, *, now: datetime) -> None:
    """Write it all, or at least all but the rows that the database refuses."""
    try:
        _write(batch, now=now)
    except REFUSED as error:
        log.warning("answers_written_one_by_one", why=type(error).__name__)
        for generation_id, part in batch.parts().items():
            try:
                _write(part, now=now)
            except REFUSED as refused:
                set_back(generation_id, refused, until=part.unless_set(now, REFUSED_S), now=now)


def _write(batch: Batch, *, now: datetime) -> None:
    with transaction.atomic():
        changed = set(engine.advance_many(batch.moves, now=now))
        _write_times(batch, now=now)
        changed |= _write_closed(batch)
        # fault: before-settle
        for generation_id, cost in batch.settled.items():
            if generation_id in changed:
                _close_money(generation_id, cost, now=now)
        for generation_id in batch.free:
            _free(generation_id, now=now)
        for generation_id in batch.lost & changed:
            _tell_lost(generation_id, now=now)
    # fault: poll-written


def _write_times(batch: Batch, *, now: datetime) -> None:
    """One UPDATE for all rows that get the same value: five hundred answers are some dozens of statements.

    Of rows that somebody else moved on meanwhile nothing is written: their due time is that of a claim.
    """
    asked = Generation.objects.filter(status__in=STILL_ASKED)
    waiting = asked.filter(next_check_at__isnull=False)
    for seconds, ids in _by_value({row: coarse(seconds) for row, seconds in batch.same.items()}):
        next_at = batch.unless_set(now, seconds)
        waiting.filter(id__in=ids).update(next_check_at=next_at, last_checked_at=now, poll_failures=0)
    for seconds, ids in _by_value(batch.failed):
        next_at = batch.unless_set(now, seconds)
        waiting.filter(id__in=ids).update(next_check_at=next_at, poll_failures=F("poll_failures") + 1)
    for seconds, ids in _by_value(batch.missing):
        again_at = now + timedelta(seconds=seconds)
        waiting.filter(id__in=ids).update(next_check_at=again_at, not_found_count=F("not_found_count") + 1)
    for progress, ids in _by_value(batch.progress):
        asked.filter(id__in=ids).update(progress=progress, version=F("version") + 1)
    if batch.found_again:
        asked.filter(id__in=batch.found_again).update(not_found_count=0)
    for generation_id in batch.first_missing:
        engine.note(generation_id, "not_found", now=now)


def _write_closed(batch: Batch) -> set[UUID]:
    """Those that were still as they were when the gateway was asked."""
    closed = set()
    for generation_id, fields in batch.closed.items():
        rows = Generation.objects.filter(id=generation_id, status__in=LATE_SUCCESS, next_check_at__isnull=False)
        if rows.update(next_check_at=None, version=F("version") + 1, **fields):
            closed.add(generation_id)
    return closed


def _by_value(values: Mapping[UUID, Number]) -> Iterable[tuple[Number, list[UUID]]]:
    rows: dict[Number, list[UUID]] = defaultdict(list)
    for generation_id, value in values.items():
        rows[value].append(generation_id)
    return rows.items()


def _close_money(generation_id: UUID, cost: int | None, *, now: datetime) -> None:
    generation = Generation.objects.select_related("gateway", "team", "run").get(id=generation_id)
    cost = cost if cost is not None else generation.cost_micros or None  # a 0 of before may be taken back
    if cost is None:
        ledger.release(generation=generation, at=now)
    else:
        ledger.settle(generation=generation, cost_micros=cost, at=now)


def _free(generation_id: UUID, *, now: datetime) -> None:
    """Once: who is said to have cost nothing is told so on the card, and the money set aside for it is free."""
    waits = Generation.objects.filter(id=generation_id, status__in=LATE_SUCCESS, next_check_at__isnull=False)
    if waits.filter(cost_micros=None).update(cost_micros=0, version=F("version") + 1):
        _close_money(generation_id, None, now=now)


def _tell_lost(generation_id: UUID, *, now: datetime) -> None:
    generation = Generation.objects.select_related("team", "model", "gateway").get(id=generation_id)
    data: dict[str, Any] = {"run": str(generation.run_id), "model": generation.model.slug}
    data |= {"cost_micros": generation.cost_micros, "is_sandbox": generation.gateway.is_sandbox}
    notices.tell("order_lost", team=generation.team, key=f"order_lost:{generation_id}", data=data, now=now)
