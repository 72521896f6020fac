"""Temporary files that know whether their owner lives.

A file that is being written is a `.part` in `DATA_DIR/tmp`, locked by the process that writes it. The kernel lets the
lock go with the process, however it ends; so whatever is found unlocked was left by a crash and may be removed at once,
while the files of a living save, however old or young, are never touched. The folder has to be on a local disk.
"""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from tempfile import mkstemp

from django.conf import settings

logger = logging.getLogger(__name__)

FOLDER_MODE = 0o750
AT_ONCE = 5_000
"""Names looked at in one go: whoever starts must not be held up by a folder of a million files."""
NAMES = ("*.part", "*.upload")
"""Ours, and what Django's upload handler leaves when its process is killed."""


def temporary_folder() -> Path:
    folder = Path(settings.DATA_DIR) / "tmp"
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    return folder


@contextmanager
def temporary(suffix: str = "") -> Iterator[Path]:
    """An empty `<random><suffix>.part` for the length of the block; adopt it inside, what is left is removed."""
    path, lock = _made(suffix)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(lock)


def _made(suffix: str) -> tuple[Path, int]:
    """A new file and its lock. One that a clearing took between the two steps is made anew."""
    while True:
        lock, name = mkstemp(prefix="", suffix=f"{suffix}.part", dir=temporary_folder())
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return Path(name), lock
        os.close(lock)


def clear_abandoned(*, at_once: int = AT_ONCE) -> list[Path]:
    """Remove the `.part` files whose owner is gone, at most `at_once`; returns what was removed. Safe at any time."""
    removed = [path for path in islice(temporary_folder().glob("*.part"), at_once) if _removed_if_free(path)]
    if removed:
        logger.info("temporary files of dead processes removed: %d", len(removed))
    return removed


def _removed_if_free(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # gone meanwhile, or not ours to open
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    except OSError:  # its owner lives, or it went meanwhile
        return False
    else:
        return True
    finally:
        os.close(lock)


def sweep_temporary(older_than: timedelta) -> list[Path]:
    """Remove what nobody has touched for `older_than`, unfinished uploads too; returns what was removed."""
    limit = time.time() - older_than.total_seconds()
    removed = []
    for pattern in NAMES:
        for path in temporary_folder().glob(pattern):
            try:
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed.append(path)
            except FileNotFoundError:
                continue
    if removed:
        logger.info("temporary files removed: %d", len(removed))
    return removed
