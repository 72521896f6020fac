"""Putting a backup in place of what is there, which is moved aside and never deleted.

Everything is read out of the backup and proved first, beside the places it goes to. Broken off until then, nothing was
changed. Then a journal is written and all is exchanged by renames (services/exchange.py); broken off from then on, the
next start or the next restore finishes it. The database that is put in place carries the mark that keeps it from
ordering again (services/restored.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader

from playground.media import orphans, storage
from playground.models import Heartbeat, User, Video
from playground.services import archive, backup, database_copy, exchange, restored
from playground.services.archive import Manifest, Reader
from playground.services.exchange import Plan, Swap
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
    if _journal().exists():
        raise Refused("an earlier restore was broken off. The next start finishes it, or a restore without --check")
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
    with _alone():
        _go_on()
        check(source, force=force)
        _check_idle(now)
        reader = Reader(source)
        try:
            plan = _stage(reader, aside=f"before-restore-{now:%Y%m%d-%H%M%S-%f}")
        except Exception:
            exchange.forget(_stages())
            raise
        finally:
            reader.close()
        exchange.write(plan, _journal())
        moved = _put_in_place(plan)
    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    settled = restored.settle(now=now)
    absent = [key for key in reader.manifest.listed if not storage.exists(key)]
    log.info("backup_restored", made_at=reader.manifest.made_at, moved=moved)
    return Restored(reader.manifest, settled, moved, absent, Path(plan.keys_to) if plan.keys else None)


def recover() -> str:
    """Finish or undo a restore that was broken off, before anything opens the database; what was done, as one line.

    "" when there was none. Raises Refused while one is going on, CannotCopy and OSError when it cannot be finished.
    """
    if not _journal().exists() and not any(Path(stage).exists() for stage in _stages()):
        return ""
    with _alone():
        return _go_on()


@contextmanager
def _alone() -> Iterator[None]:
    try:
        with exchange.alone(Path(settings.DATA_DIR) / "restore.lock"):
            yield
    except exchange.Busy:
        raise Refused("a restore is going on") from None


def _journal() -> Path:
    return Path(settings.DATA_DIR) / "restore.json"


def _stages() -> list[str]:
    """Where a restore lays out database and media: on the file systems they go to."""
    beside = database_copy.place().parent if database_copy.engine() == "sqlite" else Path(settings.DATA_DIR)
    media = storage.local_path(STAGE)
    return [str(beside / STAGE), *([str(media)] if media else [])]


def _go_on() -> str:
    plan = exchange.read(_journal())
    if plan is not None:
        moved = _put_in_place(plan)
        told = f"A restore that was broken off is finished: the backup of {plan.made_at}"
        told += f"; what was here before: {', '.join(moved)}" if moved else ""
    elif exchange.forget(_stages()):
        told = "A restore was broken off before it changed anything: what it had read is removed, all is as it was"
    else:
        return ""
    log.warning("restore_gone_on_with", done=told)
    return told


def _stage(reader: Reader, *, aside: str) -> Plan:
    """Everything that the backup brings, proved, and where it goes."""
    stages = [Path(stage) for stage in _stages()]
    for stage in stages:
        stage.mkdir(mode=0o750, parents=True)
    copy = backup.extract_database(reader, stages[0])
    swaps = _staged_media(reader, stages[1], aside=aside) if len(stages) > 1 else []
    if len(stages) == 1:
        _to_bucket(reader)
    is_file = database_copy.engine() == "sqlite"
    if is_file:
        target = database_copy.place()
        swaps.append(Swap(str(copy), str(target), str(target.parent / aside), ["-shm", "-wal"]))
    keys = _staged_keys(reader, stages[0])
    return Plan(
        made_at=reader.manifest.made_at,
        aside=aside,
        swaps=swaps,
        stages=[str(stage) for stage in stages],
        dump="" if is_file else str(copy),
        keys=str(keys or ""),
        keys_to=str(Path(settings.DATA_DIR) / "keys-from-backup.env"),
    )


def _staged_media(reader: Reader, stage: Path, *, aside: str) -> list[Swap]:
    """All media beside the present ones: one rename for each folder, also for one of which the backup has nothing."""
    for key, entry in reader.manifest.media.items():
        path = stage / key
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with path.open("xb") as file:
            reader.copy(entry, file)
        path.chmod(storage.FILE_MODE)
    root = stage.parent
    for name in MOVED:
        (stage / name).mkdir(mode=0o750, exist_ok=True)
    return [Swap(str(stage / name), str(root / name), str(root / aside)) for name in MOVED]


def _to_bucket(reader: Reader) -> None:
    """What the bucket lacks; what it has stays as it is."""
    for key, entry in reader.manifest.media.items():
        if not storage.exists(key):
            with storage.temporary() as path:
                with path.open("wb") as file:
                    reader.copy(entry, file)
                storage.adopt(path, key)


def _staged_keys(reader: Reader, stage: Path) -> Path | None:
    """The backup's keys go beside the data when they are not those in use: nobody's `.env` is written over."""
    if not any(entry.name == archive.KEYS for entry in reader.manifest.files):
        return None
    with reader.open(archive.KEYS) as file:
        told = file.read()
    if told == backup.keys_in_use():
        return None
    path = stage / archive.KEYS
    path.touch(mode=0o600)
    path.write_bytes(told)
    return path


def _put_in_place(plan: Plan) -> list[str]:
    """Do what is left of the plan. Returns where the earlier things are."""
    connections.close_all()
    moved = exchange.run(plan)
    if plan.dump:
        made_at = datetime.fromisoformat(plan.made_at)
        moved += filter(None, [database_copy.place_dump(Path(plan.dump), at=made_at, aside=plan.aside)])
    if plan.keys and Path(plan.keys).exists():
        Path(plan.keys).replace(plan.keys_to)
    exchange.end(plan, _journal())
    return moved
