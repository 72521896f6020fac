"""Few at a time of one person in a web process, of what is slow and waits for others: one person keeps nobody out."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

MOST = 3

_lock = threading.Lock()
_busy: Counter[UUID] = Counter()


@contextmanager
def turn(person: UUID) -> Iterator[bool]:
    """Yields False, at once, where MOST of this person's are under way already."""
    with _lock:
        may = _busy[person] < MOST
        if may:
            _busy[person] += 1
    try:
        yield may
    finally:
        if may:
            with _lock:
                _busy[person] -= 1
                if not _busy[person]:
                    del _busy[person]
