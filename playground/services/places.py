"""Places for presses that order: few at a time in each web process, so that each is answered soon.

A crowd that is let in all at once shares the processor, the interpreter's lock and the database's until nobody is
answered in time: with four places in each of two processes 100 people who pressed twice a second got half as many
orders as with one, and waited for up to 7 s in place of 1.5 (benchmarks/crowd.py). Who finds no place within WAIT_S is
told so: nothing was sent, and the same press made again is the same order.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PLACES = 1
"""In each web process, of what computes; who waits for a gateway or decodes a picture gives the place up meanwhile."""
WAIT_S = 0.5

_free = threading.BoundedSemaphore(PLACES)
_of_thread = threading.local()


@contextmanager
def taken() -> Iterator[bool]:
    """Yields whether this thread has a place for the block; False after WAIT_S in vain."""
    if not _free.acquire(timeout=WAIT_S):
        yield False
        return
    _of_thread.has_place = True
    try:
        yield True
    finally:
        _of_thread.has_place = False
        _free.release()


@contextmanager
def given_up() -> Iterator[None]:
    """For a block, outside any transaction, that waits for a gateway, a store or a decoder: others go on meanwhile.

    Nothing happens for who has no place.
    """
    if not getattr(_of_thread, "has_place", False):
        yield
        return
    _of_thread.has_place = False
    _free.release()
    try:
        yield
    finally:
        _free.acquire()
        _of_thread.has_place = True
