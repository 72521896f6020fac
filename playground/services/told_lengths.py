"""What is made of the length in bytes that a gateway tells of a file, once files of another length have come.

A gateway may tell a wrong one, and the whole file must not be lost by that. But a host may also give a part for the
whole, of an upload under way or from a cache, or another file altogether, and each of them may be decoded to its end
without a fault. So a file of another length is taken only when it comes with the very same length again, and is about
as long in seconds as was ordered. A shorter one has to come several times over some minutes; a longer one of other
seconds too, and is taken then.
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
    """Of the next file, in bytes. None: nothing is told, or what cannot be; the file's own bytes decide."""

    exactly: int | None = None
    told: int | None = None
    """By the gateway, where that is not what is expected any more."""
    is_steady: bool = False
    """It came so several times over some minutes."""

    def check_seconds(self, duration_ms: int, *, ordered_s: float | None) -> None:
        """Of a file that is not of the length told, and that may be a part or another one.

        Raises BadVideo for a shorter one that is not as long in seconds as was ordered, also where no seconds were;
        OutputLength for a longer one, until it is steady: a model may make another length, and it is then the only one.
        """
        if self.exactly is None or self.told is None:
            return
        fits = ordered_s is not None and abs(duration_ms / 1000 - ordered_s) <= ABOUT_S
        words = "The finished file has neither the length that the gateway told nor the seconds that were ordered."
        if self.exactly < self.told and not fits:
            raise BadVideo(words, code=OutputLength.default_code)
        if self.exactly > self.told and ordered_s is not None and not fits and not self.is_steady:
            raise OutputLength(words, told_bytes=self.told, came_bytes=self.exactly)


def expected(told: int, came: Sequence[Came], *, patience: timedelta, now: datetime) -> Expected:
    """Of a file of which the gateway tells `told` bytes. `came`: newest first."""
    if not came or came[0].size == told:
        return Expected(told)
    steady = is_steady(came, patience=patience, now=now)
    return Expected(came[0].size, told, steady) if steady or came[0].size > told else Expected(told)


def is_steady(came: Sequence[Came], *, patience: timedelta, now: datetime) -> bool:
    """Whether the newest ones were all of one length, for so long that it will not change any more."""
    same = list(takewhile(lambda one: one.size == came[0].size, came))
    return len(same) >= STEADY_TRIES and now - same[-1].at >= patience
