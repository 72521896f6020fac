"""Turns across all processes of an installation, by entries in the shared cache that end by themselves.

The database cache keeps whole seconds, cut off, so an entry of n seconds holds for at least n - 1. One that its owner
could not remove, since it was killed, is free again after at most that long.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from django.core.cache import cache

POLL_S = 0.05


@contextmanager
def turn(
    keys: Sequence[str], *, holds_s: int, ends_at: float, unless: Callable[[], bool] = lambda: False
) -> Iterator[bool]:
    """Hold the first of `keys` that gets free before `ends_at` (monotonic clock) for the block; False: none did.

    Waiting ends too once `unless` says that the turn is not needed any more. A block that takes longer than
    `holds_s` - 1 seconds may find itself beside another.
    """
    mine = _taken(keys, holds_s)
    while mine is None and not unless() and time.monotonic() < ends_at:
        time.sleep(POLL_S)
        mine = _taken(keys, holds_s)
    try:
        yield mine is not None
    finally:
        if mine is not None:
            cache.delete(mine)


def _taken(keys: Sequence[str], holds_s: int) -> str | None:
    """Looking first costs no write: those who wait leave the database to those who work."""
    for key in keys:
        if cache.get(key) is None and cache.add(key, 1, holds_s):
            return key
    return None
