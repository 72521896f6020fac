"""The engine's core: the only writer of a generation's status.

Every move is a compare-and-set: `UPDATE ... WHERE id = ? AND status = ? [AND claim_id = ?]`. No row changed means that
somebody else was first, and the caller stops. The event row and the money move in the same transaction. A claim has a
due time of its own, so a worker that dies or freezes is succeeded, and one that thaws writes nothing.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone

from playground.domain.status import STOPPABLE, Status, check
from playground.models import Event, Generation, User

log = structlog.get_logger(__name__)

CLAIM_FOR = timedelta(seconds=12)
"""A dead worker's row is taken over after this; a living one renews its claim."""
RENEW_EVERY_S = 3.0
DEADLINE = timedelta(minutes=30)
LATE_FOR = timedelta(hours=24)
"""How long a stopped or given-up order is still looked at, in case it was made after all."""
VIEW_WRITE_EVERY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Move:
    """One change of one generation. `fields` are written with it; `claim` must match when given."""

    generation_id: UUID
    source: Status
    target: Status
    event: str
    claim: UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)
    by: User | None = None
    fields: dict[str, Any] = field(default_factory=dict)


def advance(move: Move, *, now: datetime | None = None) -> bool:
    """Do one move with its event. False when the row was not in that state, or not in that claim, any more."""
    with transaction.atomic():
        return bool(advance_many([move], now=now or timezone.now()))


def advance_many(moves: Sequence[Move], *, now: datetime) -> list[UUID]:
    """Do many moves in one transaction; returns the ids that moved, in order."""
    moved: list[Move] = []
    with transaction.atomic():
        for move in moves:
            check(move.source, move.target)
            rows = Generation.objects.filter(id=move.generation_id, status=move.source)
            if move.claim is not None:
                rows = rows.filter(claim_id=move.claim)
            if rows.update(status=move.target, version=F("version") + 1, **move.fields):
                moved.append(move)
        # fault: moved
        Event.objects.bulk_create(
            Event(
                generation_id=move.generation_id,
                kind=move.event,
                from_status=move.source,
                to_status=move.target,
                data=move.data,
                by=move.by,
                at=now,
            )
            for move in moved
        )
        transaction.on_commit(partial(_say, moved))
    return [move.generation_id for move in moved]


def _say(moved: Iterable[Move]) -> None:
    """Once it is committed: what was rolled back did not happen."""
    for move in moved:
        log.info("generation_moved", generation=str(move.generation_id), to=move.target.value, event_kind=move.event)


def note(generation_id: UUID, kind: str, *, now: datetime, data: dict[str, Any] | None = None) -> None:
    """An event without a change of status."""
    Event.objects.create(generation_id=generation_id, kind=kind, data=data or {}, at=now)


def claim(
    generation_id: UUID,
    *,
    source: Status,
    target: Status,
    event: str,
    now: datetime,
    data: dict[str, Any] | None = None,
    **fields: Any,
) -> UUID | None:
    """Take the row for CLAIM_FOR by moving it. None when somebody else was first.

    `fields` are written with the row, `data` goes into the event. Whether a row is due is the caller's question: a
    fresh one is claimed before its due time, which only says when the sweep would look after it.
    """
    claim_id = uuid4()
    fields |= {"claim_id": claim_id, "next_check_at": now + CLAIM_FOR}
    taken = advance(
        Move(generation_id=generation_id, source=source, target=target, event=event, data=data or {}, fields=fields),
        now=now,
    )
    return claim_id if taken else None


def reclaim(generation_id: UUID, *, status: Status, now: datetime, **fields: Any) -> UUID | None:
    """Take over a row whose claim has run out, without a change of status. None when it has not, or is gone."""
    claim_id = uuid4()
    rows = Generation.objects.filter(id=generation_id, status=status, next_check_at__lte=now)
    taken = rows.update(claim_id=claim_id, next_check_at=now + CLAIM_FOR, **fields)
    return claim_id if taken else None


def holds(generation_id: UUID, claim_id: UUID) -> bool:
    """Whether the claim is still the row's, locked until the end of the transaction."""
    return Generation.objects.select_for_update().filter(id=generation_id, claim_id=claim_id).exists()


def renew(generation_id: UUID, claim_id: UUID, *, now: datetime) -> bool:
    """Keep a claim during long work. False when it was lost: stop and write nothing."""
    rows = Generation.objects.filter(id=generation_id, claim_id=claim_id)
    return bool(rows.update(next_check_at=now + CLAIM_FOR))


@contextmanager
def kept(generation_id: UUID, claim_id: UUID) -> Iterator[None]:
    """Renew the claim from a thread while the block waits for the gateway. A dead or frozen process renews nothing."""
    ended = threading.Event()

    def keep() -> None:
        try:
            while not ended.wait(RENEW_EVERY_S):
                try:
                    if not renew(generation_id, claim_id, now=timezone.now()):
                        return
                except DatabaseError as error:
                    log.warning("claim_not_renewed", generation=str(generation_id), why=type(error).__name__)
        finally:
            connection.close()

    keeper = threading.Thread(target=keep, name="keep-claim", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()


def push_back(generation_ids: Iterable[UUID], *, status: Status, until: datetime, now: datetime) -> int:
    """Set the due time of rows that are still in `status` and due."""
    rows = Generation.objects.filter(id__in=list(generation_ids), status=status, next_check_at__lte=now)
    return rows.update(next_check_at=until)


def is_view_stale(generation: Generation, *, now: datetime) -> bool:
    """Whether `viewed` would write anything for this row, by what was read of it."""
    if generation.state not in STOPPABLE:
        return False
    return generation.viewed_at is None or generation.viewed_at < now - VIEW_WRITE_EVERY


def viewed(generation_ids: Iterable[UUID], *, now: datetime | None = None) -> None:
    """A page shows these: they are asked for at the short interval while somebody watches.

    Written at most every five seconds a row, whoever else has the same page open, and brings a distant due time
    forward; not that of a row whose gateway does not answer.
    """
    now = now or timezone.now()
    ids = list(generation_ids)
    if not ids:
        return
    soon = now + timedelta(seconds=1)
    stale = Q(viewed_at__isnull=True) | Q(viewed_at__lt=now - VIEW_WRITE_EVERY)
    is_distant = Q(next_check_at__gt=soon, poll_failures=0)
    Generation.objects.filter(stale, id__in=ids, status__in=STOPPABLE).update(
        viewed_at=now, next_check_at=Case(When(is_distant, then=Value(soon)), default=F("next_check_at"))
    )
