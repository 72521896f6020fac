"""Stored files that no row names, as far as the store knows: which keys are ours and old, and the folder they wait in.

Whether a row names a file, and for how long it waits, is decided by services/housekeeping.py.
"""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from playground.media import storage

ASIDE = "orphans"
"""Where files wait that no row names, each under its own key."""
REFUSED = f"{ASIDE}/refused"
"""Where paid files wait that came whole and were refused by our checks, each under the id of its order."""
OURS = re.compile(
    rf"(?:{'|'.join(storage.FOLDERS)})/\d{{4}}/\d\d/\.?"
    r"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})(?:-[a-z]+)?\.[a-z0-9]+(?:\.part)?"
)
"""What our keys look like, and the part beside one that an interrupted copy leaves. Other files are not touched."""
OF_ORDERS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[a-z0-9]+")


def old_keys(older_than: timedelta) -> Iterator[str]:
    """Every stored file of ours whose key and whose bytes are both older than that."""
    limit = datetime.now(tz=UTC) - older_than
    for folder in storage.FOLDERS:
        for key, written_at in storage.entries(folder):
            made_at = _made_at(key)
            if made_at is not None and made_at < limit and written_at < limit:
                yield key


def set_aside(key: str) -> None:
    """Move the file to where orphans wait, and note the time in its own. Raises FileNotFoundError."""
    path = storage.local_path(key)
    if path is not None:
        os.utime(path)  # before the move: cut off in between, the file is only young where it is
    storage.rename(key, f"{ASIDE}/{key}")


def bring_back(key: str) -> None:
    """Undo `set_aside`; what is under the key meanwhile stays. Raises FileNotFoundError."""
    if storage.exists(key):
        drop_aside(key)
    else:
        storage.rename(f"{ASIDE}/{key}", key)


def drop_aside(key: str) -> None:
    """Delete the file of that key that was set aside."""
    storage.delete(f"{ASIDE}/{key}")


def keys_aside() -> Iterator[tuple[str, datetime]]:
    """The key of each file that was set aside, and when that was."""
    for name, moved_at in storage.entries(ASIDE):
        key = name.removeprefix(f"{ASIDE}/")
        if _made_at(key) is not None:
            yield key, moved_at


def set_refused_aside(path: Path, name: str) -> str:
    """Move a refused file that no key was ever made for; returns where it is. Raises OSError."""
    key = f"{REFUSED}/{name}"
    storage.adopt(path, key)
    return key


def refused() -> Iterator[tuple[str, datetime]]:
    """Where each refused file is, and when it came."""
    for key, came_at in storage.entries(REFUSED):
        if OF_ORDERS.fullmatch(key.removeprefix(f"{REFUSED}/")):
            yield key, came_at


def _made_at(key: str) -> datetime | None:
    """When the row of this key was made; None for a name that is none of ours."""
    match = OURS.fullmatch(key)
    return storage.moment(UUID(match[1])) if match else None
