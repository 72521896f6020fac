"""Places for checking passwords: a hash is slow on purpose, and a flood of tries must not take the pages' processor.

One password is checked at a time in each web process, few wait for it, and who finds no place is told so at once.
Passwords that are set are not held up: only who is let in sets one.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 1
WAITING = 8
"""Besides; each holds a thread of the web process."""
WAIT_S = 3.0
AGAIN_S = 3
"""Retry-After of who found no place."""

_free = threading.BoundedSemaphore(AT_ONCE)
_queue = threading.BoundedSemaphore(AT_ONCE + WAITING)


@contextmanager
def place() -> Iterator[bool]:
    """Yields whether there is a place to check a password; False at once where many wait, or after WAIT_S in vain."""
    if not _queue.acquire(blocking=False):
        yield False
        return
    try:
        has_place = _free.acquire(timeout=WAIT_S)
        try:
            yield has_place
        finally:
            if has_place:
                _free.release()
    finally:
        _queue.release()
