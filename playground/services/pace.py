"""How fast one gateway may be asked: its rate cap, what it said of its limits, and no surge when many rows come due.

A pace lives in the process that sweeps. What must outlast a slice of the sweep, which its successor in another process
goes on with, is kept in the cache; losing it costs a few questions too many.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp
from typing import Any
from uuid import UUID

from django.core.cache import cache

SLOWEST_S = 45.0
"""Between two questions about a row that nobody watches, when the rate cap does not allow more."""
SURGE = 1.5
"""How much faster than usual rows are asked for when many have come due at once, as after an outage."""
CALM_PER_S = 10.0
"""So many questions a second are no surge, however few rows there are."""
CROWD_S = 60.0
"""In which the memory of how many were in flight fades to a third."""
BURST_S = 0.25
"""What could have been asked in so long may be asked at once."""
LATE_S = 0.5
"""A turn of the sweep that took so long costs no questions, where the last one left rows waiting."""
LOWERED_FOR = timedelta(seconds=30)
"""After a 429 the pace is halved, and doubles again each time so long passed without another."""
LOWEST = 1 / 64
HELD_LEAST_S, HELD_MOST_S = 1.0, 300.0
KEPT_S = 3600
_USUAL_S = 10.0
_LEARNING = 0.02


@dataclass(slots=True)
class Pace:
    """One gateway as the sweep sees it. `share` of the cap is what a 429 left of it."""

    cap: float = 100.0
    in_flight: int = 0
    crowd: float = 0.0
    """How many were in flight of late: when most of them end at once, the last ones are no surge."""
    usual_s: float = _USUAL_S
    """Between two questions about one row, as the rows of late wanted it."""
    share: float = 1.0
    lowered_at: datetime | None = None
    held_until: datetime | None = None
    tokens: float = 0.0
    filled_at: float | None = None
    clock: Callable[[], float] = field(default=time.monotonic)

    def note_interval(self, seconds: float) -> None:
        """What one row wanted, before it was stretched."""
        self.usual_s += _LEARNING * (seconds - self.usual_s)

    @property
    def wanted_per_s(self) -> float:
        return self.in_flight / self.usual_s

    @property
    def per_s(self) -> float:
        """Questions a second at the most."""
        usual_per_s = max(self.crowd, self.in_flight) / self.usual_s
        return min(self.cap * self.share, max(CALM_PER_S, SURGE * usual_per_s))

    def stretched(self, seconds: float) -> float:
        """An interval, made longer while all rows together want more than the cap allows."""
        return min(max(SLOWEST_S, seconds), seconds * max(1.0, self.wanted_per_s / (self.cap * self.share)))

    def allowance(self, *, now: datetime) -> int:
        """How many questions may be asked now. `take` what is asked."""
        if self.held_until is not None and self.held_until > now + timedelta(seconds=HELD_MOST_S):
            self.lowered_at = self.held_until = now  # of a clock that was ahead
        if self.held_until is not None and now < self.held_until:
            return 0
        if self.lowered_at is not None and now - self.lowered_at >= LOWERED_FOR:
            self.share = min(1.0, self.share * 2)
            self.lowered_at = now if self.share < 1.0 else None
        moment = self.clock()
        since = 1.0 if self.filled_at is None else moment - self.filled_at
        self.crowd = max(float(self.in_flight), self.crowd * exp(-since / CROWD_S))
        is_short = self.filled_at is not None and self.tokens < 1.0
        made_up = self.tokens + self.per_s * min(since, LATE_S) if is_short else 0.0
        self.filled_at = moment
        self.tokens = max(made_up, min(self._burst, self.tokens + self.per_s * since))
        return int(self.tokens)

    @property
    def _burst(self) -> float:
        return max(1.0, min(self.cap * self.share, max(CALM_PER_S, self.per_s * BURST_S)))

    def take(self, count: int) -> None:
        self.tokens -= count

    def throttled(self, *, retry_after_s: float | None, now: datetime) -> None:
        """A 429: nobody asks until it says so, then slower for a while. Many in one round count once."""
        held = min(max(retry_after_s or 0.0, HELD_LEAST_S), HELD_MOST_S)
        if self.held_until is None or now >= self.held_until:
            self.share = max(LOWEST, self.share / 2)
        self.held_until = max(self.held_until or now, now + timedelta(seconds=held))
        self.lowered_at = self.held_until

    def to_json(self) -> dict[str, Any]:
        times = {"lowered_at": self.lowered_at, "held_until": self.held_until}
        plain = {name: value.isoformat() for name, value in times.items() if value}
        return {"usual_s": self.usual_s, "share": self.share, "crowd": self.crowd} | plain

    def resume(self, kept: dict[str, Any]) -> None:
        """Go on where the sweep before left off, with no burst of its own."""
        self.usual_s, self.share, self.crowd = kept["usual_s"], kept["share"], kept.get("crowd", 0.0)
        self.lowered_at, self.held_until = (
            datetime.fromisoformat(kept[name]) if name in kept else None for name in ("lowered_at", "held_until")
        )
        self.tokens, self.filled_at = 0.0, self.clock()


_paces: dict[UUID, Pace] = {}


def of(gateway_id: UUID) -> Pace:
    """The pace of a gateway in this process."""
    if gateway_id not in _paces:
        _paces[gateway_id] = Pace()
    return _paces[gateway_id]


def _key(gateway_id: UUID) -> str:
    return f"pace:{gateway_id}"


def load() -> None:
    """At the start of a slice: forget what this process knew, so that each gateway is read from the cache when met."""
    _paces.clear()


def met(gateway_id: UUID, *, cap: float, in_flight: int) -> Pace:
    """The pace of a gateway that has rows due, with what the sweep before knew of it."""
    known = _paces.get(gateway_id)
    if known is None:
        known = _paces[gateway_id] = Pace()
        kept = cache.get(_key(gateway_id))
        if kept:
            known.resume(kept)
    known.cap, known.in_flight = cap, in_flight
    return known


def save() -> None:
    """At the end of a slice."""
    for gateway_id, pace in _paces.items():
        if pace.filled_at is not None:
            cache.set(_key(gateway_id), pace.to_json(), KEPT_S)
