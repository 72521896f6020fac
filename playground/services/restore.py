"""Putting a backup in place of what is there, which is moved aside and never deleted.

Everything is read out of the backup and proved first, beside the places it goes to; then the media are exchanged by
renames, then the database. Cut off between the two, the old database is there with the backup's media; run again, the
command begins anew, and the earlier media lie where they were moved. The database that is put in place carries the
mark that keeps it from ordering again (services/restored.py).
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from playground.media import orphans, storage
from playground.models import Heartbeat, User, Video
from playground.services import archive, backup, database_copy, restored
from playground.services.archive import Manifest, Reader
from playground.services.restored import Settled

log = structlog.get_logger(__name__)

STAGE = "restoring"
ALIVE = timedelta(seconds=15)
MOVED = (*storage.FOLDERS, orphans.ASIDE)


class Refused(Exception):
    """Why nothing was restored, as one line. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    settled: Settled | None
    moved_to: list[str]
    """Where the earlier database and media are now."""
    absent: list[str]
    """Media of a bucket that the backup only lists and that are not there."""
    keys: Path | None
    """The backup's keys, when they differ from those in use."""


def check(source: Path, *, force: bool) -> Manifest:
    """Whether `source` can be restored here. Raises BadBackup, CannotCopy or Refused."""
    manifest = backup.verify(source)
    if manifest.engine != database_copy.engine():
        raise Refused(f"the backup is of {manifest.engine}, DATABASE_URL names {database_copy.engine()}")
    known = {
        name for app, name in MigrationLoader(None, ignore_no_migrations=True).disk_migrations if app == "playground"
    }
    if newer := [name for name in manifest.migrations if name not in known]:
        raise Refused(f"the backup was made by a newer version, {manifest.version} (it has {newer[0]})")
    if (what := _there_already()) and not force:
        raise Refused(f"there is {what} here already. With --force it is moved aside")
    _check_room(manifest)
    return manifest


def _there_already() -> str:
    """What would be replaced, in words; "" in a fresh installation."""
    tables = connection.introspection.table_names()
    if User._meta.db_table in tables and User.objects.exists():
        return f"an installation with {User.objects.count()} people and {Video.objects.count()} videos"
    if next(orphans.old_keys(timedelta(days=-1)), None) is not None:
        return "a media store with files in it"
    return ""


def _check_idle(now: datetime) -> None:
    if Heartbeat._meta.db_table not in connection.introspection.table_names():
        return
    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is not None and now - beat.at < ALIVE:
        age = (now - beat.at).total_seconds()
        raise Refused(
            f"a worker was alive {age:.0f} s ago. Stop everything first, and try again {ALIVE.seconds} s later"
        )


def _check_room(manifest: Manifest) -> None:
    needed = sum(entry.size for entry in manifest.files) + 64 * 1024**2
    if (free := storage.free_bytes()) < needed:
        raise Refused(f"there is room for {free // 1024**2} MB, and {needed // 1024**2} MB are needed")


def restore(source: Path, *, now: datetime, force: bool = False) -> Restored:
    """Put the backup in place, bring it up to date, and make it safe to work on. Raises as `check`, and OSError."""
    check(source, force=force)
    _check_idle(now)
    aside = f"before-restore-{now:%Y%m%d-%H%M%S-%f}"
    reader = Reader(source)
    try:
        moved, absent = _put_in_place(reader, aside=aside)
        keys = _keep_keys(reader)
    finally:
        reader.close()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    settled = restored.settle(now=now)
    log.info("backup_restored", made_at=reader.manifest.made_at, moved=moved)
    return Restored(reader.manifest, settled, moved, absent, keys)


def _put_in_place(reader: Reader, *, aside: str) -> tuple[list[str], list[str]]:
    """Returns where the earlier things went, and the listed media that are not there."""
    beside = database_copy.place().parent if database_copy.engine() == "sqlite" else storage.temporary_folder()
    beside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=beside, prefix=f"{STAGE}-") as folder:
        copy = backup.extract_database(reader, Path(folder))
        root = storage.local_path(STAGE)
        moved = _to_bucket(reader) if root is None else _to_folder(reader, root, aside=aside)
        at = datetime.fromisoformat(reader.manifest.made_at)
        moved += filter(None, [database_copy.put_in_place(copy, at=at, aside=aside)])
    return moved, [key for key in reader.manifest.listed if not storage.exists(key)]


def _to_folder(reader: Reader, stage: Path, *, aside: str) -> list[str]:
    """All media beside the present ones, then one rename for each folder."""
    shutil.rmtree(stage, ignore_errors=True)
    for key, entry in reader.manifest.media.items():
        path = stage / key
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with path.open("xb") as file:
            reader.copy(entry, file)
        path.chmod(storage.FILE_MODE)
    stage.mkdir(mode=0o750, parents=True, exist_ok=True)
    root, moved = stage.parent, []
    for name in MOVED:
        with suppress(FileNotFoundError):
            (root / aside).mkdir(mode=0o750, exist_ok=True)
            (root / name).rename(root / aside / name)
            moved = [str(root / aside)]
    if not moved:
        (root / aside).rmdir()
    for name in MOVED:
        with suppress(FileNotFoundError):
            (stage / name).rename(root / name)
    stage.rmdir()
    archive.sync_folder(root)
    return moved


def _to_bucket(reader: Reader) -> list[str]:
    """What the bucket lacks; what it has stays as it is."""
    for key, entry in reader.manifest.media.items():
        if not storage.exists(key):
            with storage.temporary() as path:
                with path.open("wb") as file:
                    reader.copy(entry, file)
                storage.adopt(path, key)
    return []


def _keep_keys(reader: Reader) -> Path | None:
    """The backup's keys go beside the data when they are not those in use: nobody's `.env` is written over."""
    if not any(entry.name == archive.KEYS for entry in reader.manifest.files):
        return None
    with reader.open(archive.KEYS) as file:
        told = file.read()
    if told == backup.keys_in_use():
        return None
    path = Path(settings.DATA_DIR) / "keys-from-backup.env"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(told)
    return path
