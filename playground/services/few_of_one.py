"""Few at a time of one person in a web process, of what others wait for too: one person keeps nobody out."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

MOST = 3
"""Pictures that are looked at."""

_lock = threading.Lock()
_busy: Counter[tuple[str, UUID]] = Counter()


@contextmanager
def turn(person: UUID, what: str = "picture", most: int | None = None) -> Iterator[bool]:
    """Yields False, at once, where `most` of `what` of this person are under way already."""
    may = take(person, what, MOST if most is None else most)
    try:
        yield may
    finally:
        if may:
            give_back(person, what)


def take(person: UUID, what: str, most: int) -> bool:
    """As `turn`, for what ends in another thread than it began in: whoever got one gives it back once."""
    key = (what, person)
    with _lock:
        if _busy[key] < most:
            _busy[key] += 1
            return True
        return False


def give_back(person: UUID, what: str) -> None:
    key = (what, person)
    with _lock:
        _busy[key] -= 1
        if not _busy[key]:
            del _busy[key]
