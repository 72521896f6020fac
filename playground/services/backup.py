"""Writing a backup while everything runs, and proving that it can be read.

The database first, the media after it: what the copied rows name was stored before they were committed, and stored
files never change. The other way round, a video saved in between would be a row without its file. What was deleted for
good between the two steps shows as a file that is missing here and whose row is gone from the living database; then the
database is copied anew, so that each row of the backup has its file.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from django.conf import settings

from playground.media import storage
from playground.models import Generation, Reference, User, Video
from playground.services import archive, database_copy, orphan_files
from playground.services.archive import BadBackup, Entry, Manifest, Reader, Writer

log = structlog.get_logger(__name__)

ROUNDS = 5
SECRETS = (
    "SECRET_KEY",
    "SECRETS_KEYS",
    "LUMENFALL_API_KEY",
    "GATEWAY_BASE_URL",
    "GATEWAY_API_KEY",
    "GATEWAY_DIALECT",
    "GATEWAY_HONOURS",
    "GATEWAY_KEY_TRUSTED_S",
)
"""What `keys.env` holds of the settings, as far as it is set."""


@dataclass(frozen=True, slots=True)
class Written:
    target: Path
    manifest: Manifest
    has_keys: bool

    @property
    def is_whole(self) -> bool:
        return not (self.manifest.missing or self.manifest.damaged)


def write(target: Path, *, now: datetime, with_keys: bool = True, with_bucket: bool = False) -> Written:
    """Back up to `target`, a `.tar` file or a new folder, and prove it. Raises BadBackup, CannotCopy, OSError.

    Media in a bucket are listed, and copied only `with_bucket`.
    """
    manifest = Manifest(
        version=settings.VERSION,
        made_at=now.isoformat(),
        engine=database_copy.engine(),
        migrations=database_copy.applied(),
        counts={model.__name__: model._default_manager.count() for model in (User, Generation, Video, Reference)},
    )
    with archive.writing(target) as writer, TemporaryDirectory(dir=storage.temporary_folder()) as folder:
        copy = Path(folder) / database_copy.FILE_NAMES[manifest.engine]
        _copy_all(writer, manifest, copy, now=now, with_bucket=with_bucket)
        with copy.open("rb") as file:
            manifest.files.append(writer.add(copy.name, file, copy.stat().st_size))
        if with_keys:
            keys = keys_in_use()
            manifest.files.append(writer.add(archive.KEYS, io.BytesIO(keys), len(keys)))
        told = manifest.to_json()
        writer.add(archive.MANIFEST, io.BytesIO(told), len(told))
        writer.close()
    verify(target)
    log.info("backup_written", files=len(manifest.files), missing=len(manifest.missing), damaged=len(manifest.damaged))
    return Written(target, manifest, with_keys)


def _copy_all(writer: Writer, manifest: Manifest, copy: Path, *, now: datetime, with_bucket: bool) -> None:
    """The database and the media its rows name, until the two agree."""
    done: dict[str, Entry] = {}
    listed_only = storage.local_path("videos") is None and not with_bucket
    for _ in range(ROUNDS):
        named = database_copy.copy_to(copy, at=now)
        if listed_only:
            manifest.listed = [key for key, _, _ in named]
            return
        missing = {key for key, _, _ in named if key not in done and not _copied(writer, key, done)}
        gone = missing - orphan_files.named(missing)
        if not gone:
            break
    else:
        raise BadBackup("files are deleted faster than they can be copied; try again in a moment")
    manifest.missing = sorted(missing)
    manifest.files += done.values()
    manifest.damaged = [
        key for key, size, sha256 in named if sha256 and key in done and not _fits(done[key], size, sha256)
    ]


def _copied(writer: Writer, key: str, done: dict[str, Entry]) -> bool:
    try:
        with storage.open(key) as file:
            done[key] = writer.add(f"{archive.MEDIA}{key}", file, storage.size(key))
    except FileNotFoundError:
        return False
    return True


def _fits(entry: Entry, size: int | None, sha256: str | None) -> bool:
    return (entry.size, entry.sha256) == (size, sha256)


def keys_in_use() -> bytes:
    """The secrets as lines that `.env` takes."""
    values = {name: getattr(settings, name) for name in SECRETS}
    lines = [f"{name}={','.join(v) if isinstance(v, list) else v}" for name, v in values.items() if v]
    return ("\n".join(lines) + "\n").encode()


def verify(source: Path) -> Manifest:
    """Prove a backup: every file's bytes against the manifest, the database by its own check, and that each file which
    a row names is there and is the one that the row says. Raises BadBackup or CannotCopy."""
    reader = Reader(source)
    try:
        for entry in reader.manifest.files:
            if entry.name != database_name(reader.manifest):
                reader.copy(entry)
        with TemporaryDirectory(dir=storage.temporary_folder()) as folder:
            extract_database(reader, Path(folder))
        return reader.manifest
    finally:
        reader.close()


def database_name(manifest: Manifest) -> str:
    name = database_copy.FILE_NAMES.get(manifest.engine)
    if name is None:
        raise BadBackup(f"its database is of an unknown kind, {manifest.engine!r}")
    return name


def extract_database(reader: Reader, folder: Path) -> Path:
    """The database of a backup as a checked file in `folder`."""
    manifest, name = reader.manifest, database_name(reader.manifest)
    entry = next((entry for entry in manifest.files if entry.name == name), None)
    if entry is None:
        raise BadBackup(f"{name} is missing in it")
    copy = folder / name
    with copy.open("wb") as file:
        reader.copy(entry, file)
    if manifest.engine == "postgresql":
        database_copy.check_dump(copy)
        return copy
    media = manifest.media
    known = {*manifest.listed, *manifest.missing, *manifest.damaged}
    for key, size, sha256 in database_copy.check_sqlite(copy):
        if key in known:
            continue
        if key not in media:
            raise BadBackup(f"a row names {key}, which is missing in it")
        if sha256 and not _fits(media[key], size, sha256):
            raise BadBackup(f"{key} is not the file that its row names")
    return copy
