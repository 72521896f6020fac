"""Room for long work: at most WORK tasks at once on a machine, of which at most SAVES save a video.

A cluster has six processes and the sweep needs one of them at any time; if sending and saving took all six, the sweep
would stand still and the cluster would look frozen. A slot is a locked file, so the kernel frees it with its process.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

WORK = 5
SAVES = 4


@contextmanager
def taken(kind: str, count: int) -> Iterator[bool]:
    """One of `count` slots of this kind for the block; False when none is free."""
    descriptor = _take(kind, count)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _take(kind: str, count: int) -> int | None:
    folder = settings.DATA_DIR / "slots"
    folder.mkdir(mode=0o750, exist_ok=True)
    for number in range(count):
        descriptor = os.open(folder / f"{kind}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return descriptor
    return None
