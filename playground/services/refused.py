"""Orders of which the database refuses what is to be written: set back one by one, so that they hold up no other."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DataError, IntegrityError, transaction
from django.db.models import F, Value
from django.db.models.expressions import Combinable

from playground.domain.status import ACTIVE, LATE_SUCCESS
from playground.models import Event, Generation
from playground.services import engine, ledger

log = structlog.get_logger(__name__)

REFUSED = (IntegrityError, DataError, OverflowError)
"""The database says no to a value, and would again; SQLite's driver overflows before it asks. A lost connection or a
lock is none of these and is raised."""
REFUSED_S = 300.0
"""Until an order is looked at again of which nothing could be written."""


@contextmanager
def set_back_if_refused(generation_id: UUID, *, now: datetime) -> Iterator[None]:
    """What the block writes of one order, in a transaction of its own. A refused one is written back and set back."""
    try:
        with transaction.atomic():
            yield
    except REFUSED as error:
        set_back(generation_id, error, until=Value(now + timedelta(seconds=REFUSED_S)), now=now)


def set_back(generation_id: UUID, error: Exception, *, until: Combinable, now: datetime) -> None:
    """It is looked at again at `until`, and an admin finds it by the log and its history.

    It counts as a failed question, so that nobody who watches brings the time forward.
    """
    with transaction.atomic():
        waiting = Generation.objects.filter(id=generation_id, next_check_at__isnull=False)
        rows = waiting.filter(status__in=ACTIVE | LATE_SUCCESS)
        rows.update(next_check_at=until, poll_failures=F("poll_failures") + 1)
        note(generation_id, error, now=now)


def give_back(generation: Generation, *, now: datetime) -> None:
    """The money of an order that ended, within its transaction. Where the database refuses that, as beside a counter
    that has drifted, the end stands all the same: repair mends the counter, then gives the money back.
    """
    try:
        with transaction.atomic():
            ledger.release(generation=generation, at=now)
    except REFUSED as why:
        note(generation.id, why, now=now, event="money_not_freed")


def note(generation_id: UUID, error: Exception, *, now: datetime, event: str = "not_written") -> None:
    """In the log each time, in its history once."""
    why = str(error).partition("\n")[0][:200]
    log.error(f"order_{event}", generation=str(generation_id), why=why)
    if not Event.objects.filter(generation_id=generation_id, kind=event).exists():
        engine.note(generation_id, event, now=now, data={"why": why})
