"""Stored files that no row names: left by a process that died between storing a file and writing its row.

The database may be less than the whole truth (an older backup, an empty new one, a store that another installation
uses too). So a file is first only moved, comes back when a row names it again, and is deleted after `KEPT`; and where
the database can hardly be the one of these files, nothing is done but to say so.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from uuid import UUID

import structlog
from django.db.models import Min, Model

from playground.domain.status import Status
from playground.media import orphans, storage
from playground.media.boxes import BadVideo, container_of
from playground.models import Event, Reference, Video

log = structlog.get_logger(__name__)

OLD_ENOUGH = timedelta(hours=24)
KEPT = timedelta(days=30)
REFUSED_KEPT = timedelta(days=14)
"""A paid file that our checks refused at the last try."""
FEW, SHARE = 20, 0.1
"""More orphans than the greater of this number and this share of the files mean that the database is the wrong one."""
KEYS_AT_ONCE = 500
NAMING: dict[type[Model], tuple[str, ...]] = {
    Video: ("key", "poster_key", "preview_key"),
    Reference: ("key", "original_key", "thumb_key"),
}
"""The columns that name stored files."""


class Doubtful(Exception):
    """Why the database does not look like that of the files; nothing was done."""


def set_aside(*, now: datetime, dry_run: bool = False) -> list[str]:
    """Move old files without a row out of the way, and mind those that were moved before; returns the keys moved.

    Raises Doubtful, StoreUnavailable.
    """
    if not dry_run:
        _drop_refused(now=now)
    seen, nameless = _search(now=now)
    why = _doubt(seen, len(nameless))
    if why:
        log.error("orphans_left_alone", why=why, files=seen, orphans=len(nameless))
        raise Doubtful(why)
    if dry_run:
        return nameless
    for key in nameless:
        with suppress(FileNotFoundError):  # gone meanwhile
            orphans.set_aside(key)
            log.info("orphan_set_aside", key=key)
    _mind_set_aside(now=now)
    return nameless


def _search(*, now: datetime) -> tuple[int, list[str]]:
    """How many files were looked at, and those that no row names.

    Whoever is saving a video holds files without a row too, all of them younger than its start. So nothing younger
    than a day or than the start of the oldest running save counts, however long that one was frozen. The files are
    listed before the rows are read: a row that appears meanwhile is seen.
    """
    saving = Event.objects.filter(generation__status=Status.STORING, kind="saving_started")
    begun_at = saving.aggregate(at=Min("at"))["at"]
    age = max(OLD_ENOUGH, now - begun_at) if begun_at else OLD_ENOUGH
    waiting, seen, nameless = orphans.old_keys(age), 0, list[str]()
    while keys := set(islice(waiting, KEYS_AT_ONCE)):
        seen += len(keys)
        nameless += sorted(keys - named(keys))
    return seen, nameless


def _doubt(seen: int, nameless: int) -> str:
    """Why the database does not look like that of the files; empty when it does."""
    waiting = nameless or next(orphans.keys_aside(), None)
    if waiting and not any(model._default_manager.exists() for model in NAMING):
        return "the database has no video and no reference image"
    if nameless > max(FEW, SHARE * seen):
        return "too many files are without a row"
    return ""


def keep_refused(generation_id: UUID, file: Path) -> str:
    """Set the file of a paid video aside that our checks refused for good, for an operator to fetch.

    Returns where in the media store it is; empty when it could not be moved there.
    """
    try:
        return orphans.set_refused_aside(file, f"{generation_id}{_suffix(file)}")
    except OSError as error:
        log.warning("refused_file_not_kept", generation=str(generation_id), why=str(error))
        return ""


def _suffix(file: Path) -> str:
    try:
        return f".{container_of(file)}"
    except BadVideo:
        return ".bin"


def _drop_refused(*, now: datetime) -> None:
    for key, came_at in orphans.refused():
        if came_at < now - REFUSED_KEPT:
            storage.delete(key)
            log.info("refused_file_removed", key=key)


def _mind_set_aside(*, now: datetime) -> None:
    """Bring back what a row names again, and delete what has waited long enough."""
    waiting = orphans.keys_aside()
    while moved_at := dict(islice(waiting, KEYS_AT_ONCE)):
        wanted = named(set(moved_at))
        for key, at in sorted(moved_at.items()):
            if key in wanted:
                with suppress(FileNotFoundError):
                    orphans.bring_back(key)
                    log.warning("orphan_brought_back", key=key)
            elif at < now - KEPT:
                orphans.drop_aside(key)
                log.info("orphan_removed", key=key)


def named(keys: set[str]) -> set[str]:
    """Those of `keys` that a row names."""
    found: set[str] = set()
    for some in _in_parts(sorted(keys)):
        for model, fields in NAMING.items():
            for field in fields:
                found.update(model._default_manager.filter(**{f"{field}__in": some}).values_list(field, flat=True))
    return found


def _in_parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]
