"""What is made of the length in bytes that a gateway tells of a file, once files of another length have come.

A gateway may tell a wrong one, and the whole file must not be lost by that. But a host may also give a part for the
whole, of an upload under way or from a cache, and a part that is cut well is decoded to its end without a fault. So a
longer file refutes what was told, and nothing shorter is taken after it. A shorter one is taken only when it came with
the very same length several times over some minutes, and is about as long in seconds as was ordered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from playground.gateway.errors import OutputLength
from playground.media.boxes import BadVideo

STEADY_TRIES = 3
ABOUT_S = 0.5
"""Models round: four seconds may well be 3.96 or 4.04."""


@dataclass(frozen=True, slots=True)
class Came:
    """A try that failed by the length of the file, in bytes."""

    size: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Expected:
    """Of the next file, in bytes: `exactly` where that is known, else `least`."""

    exactly: int | None = None
    least: int = 0
    is_shorter: bool = False
    """Than the gateway tells."""

    def check_size(self, size: int) -> None:
        """Raises OutputLength. The download itself minds `exactly`."""
        if size < self.least:
            words = "The finished file is shorter than the gateway told."
            raise OutputLength(words, told_bytes=self.least, came_bytes=size)

    def check_seconds(self, duration_ms: int, *, ordered_s: float | None) -> None:
        """Raises BadVideo for a shorter file that may be a part: also where no length in seconds was ordered."""
        if self.is_shorter and (ordered_s is None or abs(duration_ms / 1000 - ordered_s) > ABOUT_S):
            raise BadVideo("the file is shorter than the gateway tells, and may be a part", code="output_length")


def expected(told: int, came: Sequence[Came], *, patience: timedelta, now: datetime) -> Expected:
    """Of a file of which the gateway tells `told` bytes. `came`: newest first."""
    if came and came[0].size > told:
        return Expected(least=told)
    if came and came[0].size < told and is_steady(came, patience=patience, now=now):
        return Expected(exactly=came[0].size, is_shorter=True)
    return Expected(exactly=told)


def is_steady(came: Sequence[Came], *, patience: timedelta, now: datetime) -> bool:
    """Whether the newest ones were all of one length, for so long that it will not change any more."""
    same = list(takewhile(lambda one: one.size == came[0].size, came))
    return len(same) >= STEADY_TRIES and now - same[-1].at >= patience


def is_taken_next(error: OutputLength, came: Sequence[Came], *, patience: timedelta, now: datetime) -> bool:
    """Whether the next try takes a file that this one refused: then this one must not be the last."""
    if error.came_bytes > error.told_bytes:
        return True
    return is_steady([Came(error.came_bytes, now), *came], patience=patience, now=now)
