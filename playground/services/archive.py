"""The outside of a backup: a folder or one tar file with the database, the media, the keys and a manifest.

    manifest.json                     what is in it, with the size and SHA-256 of each file; written last
    database.sqlite3 | database.dump  the database
    keys.env                          secrets; only with them can what is sealed in the database be read
    media/<key>                       files, under the names they have in the store

Files are hashed while they are written, and read again to prove it. Names from a backup are never used as paths
unless they are ones that this product makes.
"""

import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from playground.media.orphans import OURS

FORMAT = 1
MANIFEST = "manifest.json"
KEYS = "keys.env"
MEDIA = "media/"
BLOCK = 1024 * 1024
_KNOWN = re.compile(r"manifest\.json|keys\.env|database\.(sqlite3|dump)")


class BadBackup(Exception):
    """What is wrong with a backup, as one line."""


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    size: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """`listed` are media of a bucket that were not copied; `missing` and `damaged` those that were so already."""

    version: str
    made_at: str
    engine: str
    migrations: list[str]
    counts: dict[str, int]
    files: list[Entry] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "Manifest":
        try:
            values: dict[str, Any] = json.loads(data)
            if values.get("format") != FORMAT:
                raise BadBackup(f"it is of format {values.get('format')!r}; this version reads {FORMAT}")
            values["files"] = [Entry(**entry) for entry in values["files"]]
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadBackup(f"its {MANIFEST} cannot be read: {error}") from None

    @property
    def media(self) -> dict[str, Entry]:
        """By key."""
        return {entry.name.removeprefix(MEDIA): entry for entry in self.files if entry.name.startswith(MEDIA)}


class _Hashing:
    """Passes bytes on, counting and hashing."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self._digest, self.size = source, hashlib.sha256(), 0

    def read(self, count: int = -1) -> bytes:
        data = self._source.read(count)
        self._digest.update(data)
        self.size += len(data)
        return data

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Writer(Protocol):
    def add(self, name: str, source: BinaryIO, size: int) -> Entry: ...

    def close(self) -> None:
        """Everything is on the disk, under its final name."""


@contextmanager
def writing(target: Path) -> Iterator[Writer]:
    """A new backup at `target`, a `.tar` file or a folder; it gets its name at `close`, and is removed when not closed.

    Raises BadBackup when there is something already.
    """
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise BadBackup(f"{target} is there already")
    target.parent.mkdir(parents=True, exist_ok=True)
    writer: Writer = _Tar(part, target) if target.suffix == ".tar" else _Folder(part, target)
    try:
        yield writer
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part)
    else:
        part.unlink(missing_ok=True)


class _Folder:
    def __init__(self, part: Path, target: Path) -> None:
        self.part, self.target = part, target
        part.mkdir(mode=0o700)

    def add(self, name: str, source: BinaryIO, size: int) -> Entry:
        path = self.part / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        hashing = _Hashing(source)
        with open(path, "xb", opener=_private) as file:
            shutil.copyfileobj(cast(BinaryIO, hashing), file, BLOCK)
            file.flush()
            os.fsync(file.fileno())
        return Entry(name, hashing.size, hashing.sha256)

    def close(self) -> None:
        if self.target.exists():
            self.target.rmdir()
        self.part.rename(self.target)
        sync_folder(self.target.parent)


class _Tar:
    def __init__(self, part: Path, target: Path) -> None:
        self.part, self.target = part, target
        self.file = open(part, "xb", opener=_private)  # noqa: SIM115  closed below
        self.tar = tarfile.open(fileobj=self.file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115  closed below

    def add(self, name: str, source: BinaryIO, size: int) -> Entry:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        hashing = _Hashing(source)
        self.tar.addfile(info, cast(BinaryIO, hashing))
        return Entry(name, size, hashing.sha256)

    def close(self) -> None:
        self.tar.close()
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.part.rename(self.target)
        sync_folder(self.target.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Reader:
    """A backup for reading. Raises BadBackup for whatever is not one."""

    def __init__(self, source: Path) -> None:
        self.source = source
        if not source.exists():
            raise BadBackup(f"{source} is not there")
        self._file = source.open("rb") if source.is_file() else None
        try:
            self._tar = tarfile.open(fileobj=self._file, mode="r:") if self._file else None  # noqa: SIM115
            self._members = {member.name: member for member in self._tar.getmembers()} if self._tar else {}
            self.manifest = self._read_manifest()
        except (tarfile.TarError, BadBackup) as error:
            self.close()
            raise BadBackup(f"{source} is no whole backup: {error}") from None

    def _read_manifest(self) -> Manifest:
        with self.open(MANIFEST) as file:
            manifest = Manifest.from_json(file.read())
        for entry in manifest.files:
            if not (_KNOWN.fullmatch(entry.name) or OURS.fullmatch(entry.name.removeprefix(MEDIA))):
                raise BadBackup(f"it holds {entry.name!r}, which no backup of this product does")
        return manifest

    def open(self, name: str) -> BinaryIO:
        if self._tar is None:
            try:
                return (self.source / name).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                raise BadBackup(f"{name} is missing in it") from None
        member = self._members.get(name)
        file = self._tar.extractfile(member) if member is not None and member.isreg() else None
        if file is None:
            raise BadBackup(f"{name} is missing in it")
        return cast(BinaryIO, file)

    def copy(self, entry: Entry, target: BinaryIO | None = None) -> None:
        """Read a file to its end, to `target` or nowhere. Raises BadBackup unless it is what the manifest says."""
        with self.open(entry.name) as file:
            hashing = _Hashing(file)
            shutil.copyfileobj(cast(BinaryIO, hashing), target or _Nowhere(), BLOCK)
        if (hashing.size, hashing.sha256) != (entry.size, entry.sha256):
            raise BadBackup(f"{entry.name} is damaged: its {hashing.size} bytes are not those that were written")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def stored_hash(file: BinaryIO) -> tuple[int, str]:
    """Bytes and SHA-256 of an open file."""
    hashing = _Hashing(file)
    while hashing.read(BLOCK):
        pass
    return hashing.size, hashing.sha256
