"""How long orders of a model took: what the intervals of the sweep and the words "usually 1 to 3 min" rest on.

A model belongs to one gateway, so its history is that of the model at that gateway. The words read the newest few ended
orders; the sweep reads more of the same, seldom, and keeps what it read for a minute in its process.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from playground.domain import waits
from playground.domain.status import Status
from playground.models import Generation

DEPTH = 200
"""Ended orders of a model that its intervals rest on."""
FRESH_S = 60.0
UNSEEN_FOR_S = 90.0
"""An end that was seen so long after the question before it says when we came back, not how long the order took."""
ENDED = (Status.DONE, Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.LOST, Status.OUTPUT_LOST)
ANSWERED = (Status.DONE, Status.OUTPUT_LOST, Status.FAILED)
"""Ended by the gateway's own word, so the time until then is one to learn from."""


@dataclass(frozen=True, slots=True)
class Ended:
    """One ended order. `took_s`: from its acceptance until it was made, None for one that was not."""

    status: Status
    took_s: float | None
    ended_s: float | None
    """From its acceptance until the gateway said how it ended, well or badly; None where it did not say."""


def ended(model_id: UUID, *, newest: int) -> Iterator[Ended]:
    """The newest ended orders of a model, by the moment of ordering."""
    times = ("submitted_at", "last_checked_at", "completed_at", "ended_at")
    rows = Generation.objects.filter(model_id=model_id, status__in=ENDED, is_late=False).order_by("-id")
    for status, start, asked, made, end in rows.values_list("status", *times)[:newest]:
        took = _seconds(start, asked, made)
        said = took if made else _seconds(start, asked, end)
        yield Ended(Status(status), took, said if status in ANSWERED else None)


def _seconds(start: datetime | None, asked: datetime | None, end: datetime | None) -> float | None:
    """From `start` to `end`, seen at the first question after the one at `asked`."""
    if not start or not end or (asked and (end - asked).total_seconds() > UNSEEN_FOR_S):
        return None
    return (end - start).total_seconds()


_curves: dict[UUID, tuple[float, tuple[float, ...]]] = {}


def curve(model_id: UUID) -> tuple[float, ...]:
    """The model's durations as `waits.hazard_s` takes them; empty without enough of them. At most a minute old."""
    now = time.monotonic()
    known = _curves.get(model_id)
    if known is None or now - known[0] > FRESH_S:
        times = [row.ended_s for row in ended(model_id, newest=DEPTH) if row.ended_s is not None]
        known = _curves[model_id] = now, waits.curve(times)
    return known[1]


def put(model_id: UUID, known: tuple[float, ...]) -> None:
    """Take this as the model's curve from now on, for a simulation."""
    _curves[model_id] = float("inf"), known


def forget() -> None:
    """Read everything anew when it is next asked for."""
    _curves.clear()
