"""Where bytes live: names, temporary files, and the one way in.

A file is written as a `.part` in `DATA_DIR/tmp` (media/parts.py), checked there, and only then adopted under its key:
synced, renamed, and its folder synced, so that a database row committed afterwards never names a file that a power cut
could take away.
Keys are made from the row's UUIDv7 and hold neither a person's name nor anything a person typed.

The store is Django's storage named "media": a folder by default, a bucket (media/bucket.py) by MEDIA_STORAGE_URL. A
local store answers `local_path`, a remote one `signed_url`; everything else is the same for both.
"""

import errno
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.core.files import File
from django.core.files.storage import Storage, storages

from playground.media.parts import FOLDER_MODE
from playground.media.parts import clear_abandoned as clear_abandoned
from playground.media.parts import sweep_temporary as sweep_temporary
from playground.media.parts import temporary as temporary
from playground.media.parts import temporary_folder as temporary_folder

logger = logging.getLogger(__name__)

FILE_MODE = 0o640
FOLDERS = ("videos", "posters", "previews", "references")
_making = threading.Lock()


class StoreUnavailable(OSError):
    """A remote store could not be reached, or refused. Its words hold no key and no signed address."""

    code = "media_store"

    def __init__(self, why: str) -> None:
        super().__init__(f"The media store cannot be used: {why}.")


def store() -> Storage:
    """The media store. Django makes it at the first use and would make two for two threads that come together."""
    with _making:
        return storages["media"]


def video_key(id: UUID, suffix: str = ".mp4") -> str:
    """`videos/2026/11/<id>.mp4`; year and month are read off the id."""
    return _key("videos", id, suffix)


def poster_key(id: UUID, suffix: str = ".webp") -> str:
    return _key("posters", id, suffix)


def preview_key(id: UUID, suffix: str = ".mp4") -> str:
    return _key("previews", id, suffix)


def reference_key(id: UUID, suffix: str, *, variant: str = "") -> str:
    """`references/2026/11/<id>.jpg`, or `<id>-original.jpg` with `variant="original"`."""
    return _key("references", id, f"-{variant}{suffix}" if variant else suffix)


def _key(folder: str, id: UUID, ending: str) -> str:
    if id.version != 7:
        raise ValueError(f"a media key needs a UUIDv7, got version {id.version}")
    return f"{folder}/{moment(id):%Y/%m}/{id}{ending}"


def moment(id: UUID) -> datetime:
    """When a UUIDv7 was made."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, tz=UTC)


def adopt(temporary_path: Path, key: str) -> None:
    """Make the file known under `key`, replacing what was there; the temporary name is gone afterwards.

    Calling it again after it succeeded does nothing. Raises FileNotFoundError when neither file exists.
    """
    target = local_path(key)
    if not temporary_path.exists() and exists(key):
        return
    if target is None:
        _send(temporary_path, key)
    else:
        _move(temporary_path, target)


def _move(source: Path, target: Path) -> None:
    _make_folders(target.parent)
    try:
        source.chmod(FILE_MODE)
        _sync(source)
        # fault: fsynced
        source.replace(target)
        # fault: renamed
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_across(source, target)
    _sync(target.parent)


def _copy_across(source: Path, target: Path) -> None:
    """The media folder is a mount of its own: copy beside the target first, so that the rename is still atomic."""
    beside = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, beside)
        beside.chmod(FILE_MODE)
        _sync(beside)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    source.unlink()


def _make_folders(folder: Path) -> None:
    """Like `mkdir -p`, but a new folder's entry is synced into its parent too."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
        _sync(parent.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _send(source: Path, key: str) -> None:
    """Send to a remote store, which replaces what was there, and ask it what arrived before our own copy goes.

    A name other than the key would be a file nobody finds again.
    """
    with source.open("rb") as file:
        sent = os.fstat(file.fileno()).st_size
        name = store().save(key, File(file, name=key))
    if name != key:
        store().delete(name)
        raise OSError(f"the media store saved {key!r} under another name, {name!r}")
    if (arrived := store().size(key)) != sent:
        raise OSError(f"the media store holds {arrived} of the {sent} bytes of {key!r}")
    source.unlink()


def open(key: str) -> BinaryIO:
    """The stored bytes for reading. Raises FileNotFoundError."""
    path = local_path(key)
    if path is not None:
        return path.open("rb")
    return cast(BinaryIO, store().open(key, "rb"))


def size(key: str) -> int:
    return store().size(key)


def exists(key: str) -> bool:
    return store().exists(key)


def delete(key: str) -> None:
    """Remove the file; one that is gone already is fine."""
    try:
        store().delete(key)
    except FileNotFoundError:
        return


def forget(*keys: str) -> None:
    """Remove files whose row is gone. What cannot be removed now is left to the search for files that no row names."""
    for key in filter(None, keys):
        try:
            delete(key)
        except OSError as error:
            logger.warning("media file left behind: %s: %s", key, error)


def try_out() -> None:
    """Use a remote store as media will use it. Raises OSError with the fault; a folder of ours is not tried."""
    remote: Any = store()
    if local_path("tmp") is None:
        remote.try_out()


def local_path(key: str) -> Path | None:
    """The file on this machine, or None when the store is remote. Raises SuspiciousFileOperation outside the store."""
    try:
        return Path(store().path(key))
    except NotImplementedError:
        return None


def signed_url(
    key: str, expires: int, *, content_type: str | None = None, disposition: str | None = None
) -> str | None:
    """A link to a remote store, good for `expires` seconds; None for a local store, whose bytes we send ourselves.

    Signed on this machine, without asking the store; it answers with the headers that are given here.
    """
    if local_path(key) is not None:
        return None
    wanted = {"ResponseContentType": content_type, "ResponseContentDisposition": disposition}
    parameters = {name: value for name, value in wanted.items() if value}
    remote: Any = store()
    return str(remote.url(key, parameters=parameters, expire=expires))


def rename(key: str, other: str) -> None:
    """Give the file another key. Raises FileNotFoundError. A bucket copies within itself and then deletes."""
    path, target, remote = local_path(key), local_path(other), cast(Any, store())
    if path is None or target is None:
        remote.rename(key, other)
        return
    _make_folders(target.parent)
    path.replace(target)
    _sync(target.parent)


def entries(folder: str) -> Iterator[tuple[str, datetime]]:
    """Every key below a folder and when its bytes were written. A bucket tells both in one listing."""
    remote: Any = store()
    if local_path(folder) is None:
        yield from remote.entries(folder)
        return
    for key in _keys_below(folder):
        try:
            yield key, store().get_modified_time(key)
        except FileNotFoundError:
            continue


def _keys_below(folder: str) -> Iterator[str]:
    try:
        folders, files = store().listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        yield f"{folder}/{name}"
    for name in folders:
        yield from _keys_below(f"{folder}/{name}")


def free_bytes() -> int:
    """Free space for new files, in bytes: where they are first written and, when that is ours, where they stay."""
    places = [temporary_folder(), _nearest(local_path("videos"))]
    return min(shutil.disk_usage(place).free for place in places if place is not None)


def _nearest(path: Path | None) -> Path | None:
    """The folder itself or the first one above it that is there already."""
    return next((place for place in (path, *path.parents) if place.exists()), None) if path else None
