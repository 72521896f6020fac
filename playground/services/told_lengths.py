"""What is made of the length in bytes that a gateway tells of a file, once files of another length have come.

A gateway may tell a wrong one, and the whole file must not be lost by that. But a host may also give a part for the
whole, of an upload under way or from a cache, or another file altogether, and each of them may be decoded to its end
without a fault. So a file of another length is taken only when it came with the very same length several times over
some minutes; a shorter one besides only when it is about as long in seconds as was ordered. Longer ones whose length
differs each time, as of a host that puts them together on the way, are taken by their seconds after as many tries.
"""

from collections.abc import Callable, Sequence
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
    """Of the next file, in bytes. `exactly` None: its own bytes decide."""

    exactly: int | None = None
    told: int | None = None
    """By the gateway, where that is not what is expected any more."""

    def check(self, size: int, duration_ms: int, *, ordered_s: float | None) -> None:
        """Of a file that is decoded. Raises BadVideo for a shorter one than was told that may be a part, also where no
        seconds were ordered; OutputLength for one of which only the seconds could tell that it is ours, and do not.
        """
        if self.told is None or size == self.told:
            return
        fits = ordered_s is not None and abs(duration_ms / 1000 - ordered_s) <= ABOUT_S
        words = "The finished file has neither the length that the gateway told nor the seconds that were ordered."
        if size < self.told and not fits:
            raise BadVideo(words, code=OutputLength.default_code)
        if self.exactly is None and ordered_s is not None and not fits:
            raise OutputLength(words, told_bytes=self.told, came_bytes=size)


def expected(told: int, came: Sequence[Came], *, patience: timedelta, now: datetime) -> Expected:
    """Of a file of which the gateway tells `told` bytes. `came`: newest first."""
    if is_steady(came, lambda one: one.size == came[0].size, patience=patience, now=now):
        return Expected(came[0].size, told)
    if is_steady(came, lambda one: one.size > told, patience=patience, now=now):
        return Expected(None, told)
    return Expected(told)


def is_steady(came: Sequence[Came], fits: Callable[[Came], bool], *, patience: timedelta, now: datetime) -> bool:
    """Whether the newest ones were all such, for so long that it will not change any more."""
    such = list(takewhile(fits, came))
    return len(such) >= STEADY_TRIES and now - such[-1].at >= patience
