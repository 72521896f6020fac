"""Storing bytes: what holds for a folder and for a bucket alike, and what each has of its own."""

import errno
import os
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.exceptions import SuspiciousFileOperation

from playground.media import orphans, storage
from playground.models.base import new_id
from tests.support.bucket import marks

# 2026-11-21 03:36:05 UTC in milliseconds in the first 48 bits.
ID = UUID("019aa45c-0c88-7abc-8def-0123456789ab")
MADE_IN = "2025/11"


@pytest.fixture(params=["folder", pytest.param("bucket", marks=marks)])
def either(request, media_store):
    """The media store, once of each kind."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")


def put(key: str, data: bytes) -> None:
    with storage.temporary() as path:
        path.write_bytes(data)
        storage.adopt(path, key)


def test_keys_hold_the_month_of_the_id_and_nothing_else():
    assert storage.video_key(ID) == f"videos/{MADE_IN}/{ID}.mp4"
    assert storage.video_key(ID, ".webm") == f"videos/{MADE_IN}/{ID}.webm"
    assert storage.poster_key(ID) == f"posters/{MADE_IN}/{ID}.webp"
    assert storage.preview_key(ID) == f"previews/{MADE_IN}/{ID}.mp4"
    assert storage.reference_key(ID, ".jpg") == f"references/{MADE_IN}/{ID}.jpg"
    assert storage.reference_key(ID, ".png", variant="original") == f"references/{MADE_IN}/{ID}-original.png"


def test_an_id_without_time_makes_no_key():
    with pytest.raises(ValueError, match="UUIDv7"):
        storage.video_key(UUID("3a31b9f3-9c7f-4e4c-8f53-6c2c1b6a6f10"))


def test_adopting_moves_the_bytes_and_closes_the_file_to_others(media_store):
    with storage.temporary(".mp4") as path:
        assert path.name.endswith(".mp4.part")
        path.write_bytes(b"film")
        storage.adopt(path, "videos/2026/11/a.mp4")
        assert not path.exists()
    stored = media_store / "videos/2026/11/a.mp4"
    assert stored.read_bytes() == b"film"
    assert stored.stat().st_mode & 0o777 == 0o640
    assert stored.parent.stat().st_mode & 0o007 == 0
    assert storage.local_path("videos/2026/11/a.mp4") == stored
    assert storage.size("videos/2026/11/a.mp4") == 4
    with storage.open("videos/2026/11/a.mp4") as file:
        assert file.read() == b"film"


def test_what_was_adopted_can_be_read_and_measured(either):
    with storage.temporary(".mp4") as path:
        path.write_bytes(b"film" * 50_000)
        storage.adopt(path, "videos/2026/11/a.mp4")
        assert not path.exists()
    assert storage.exists("videos/2026/11/a.mp4")
    assert storage.size("videos/2026/11/a.mp4") == 200_000
    with storage.open("videos/2026/11/a.mp4") as file:
        assert file.read(6) == b"filmfi"
        assert file.seek(0, os.SEEK_END) == 200_000
    assert not list(storage.temporary_folder().iterdir())


def test_an_empty_file_is_a_file(either):
    put("videos/a.mp4", b"")
    assert storage.exists("videos/a.mp4")
    assert storage.size("videos/a.mp4") == 0


def test_what_is_not_there_is_said_so(either):
    assert not storage.exists("videos/missing.mp4")
    for ask in (storage.size, storage.open):
        with pytest.raises(FileNotFoundError):
            ask("videos/missing.mp4")


def test_file_and_folder_are_synced_around_the_rename(media_store, monkeypatch):
    order = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd))[1])
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))[1])
    (media_store / "videos").mkdir(parents=True)
    with storage.temporary() as path:
        storage.adopt(path, "videos/a.mp4")
    assert order == [str(path), "rename", str(media_store / "videos")]


def test_adopting_twice_changes_nothing(either):
    with storage.temporary() as path:
        path.write_bytes(b"film")
        storage.adopt(path, "videos/a.mp4")
        storage.adopt(path, "videos/a.mp4")
    with storage.open("videos/a.mp4") as file:
        assert file.read() == b"film"


def test_adopting_again_replaces_an_earlier_download(either):
    put("videos/a.mp4", b"first")
    put("videos/a.mp4", b"second")
    with storage.open("videos/a.mp4") as file:
        assert file.read() == b"second"


def test_adopting_nothing_is_an_error(either, tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.adopt(tmp_path / "missing.part", "videos/a.mp4")


def test_adopting_across_file_systems_copies_and_leaves_no_part(media_store, monkeypatch):
    replace = Path.replace

    def other_device(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", other_device)
    put("videos/a.mp4", b"film")
    assert [path.name for path in (media_store / "videos").iterdir()] == ["a.mp4"]
    assert (media_store / "videos/a.mp4").stat().st_mode & 0o777 == 0o640
    assert not list(storage.temporary_folder().iterdir())


def test_an_error_leaves_no_temporary_file(media_store):
    paths = []

    def fail_half_way():
        with storage.temporary() as path:
            paths.append(path)
            path.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert not paths[0].exists()


def test_only_old_parts_are_swept(media_store):
    folder = storage.temporary_folder()
    old, fresh, other = folder / "old.part", folder / "fresh.part", folder / "upload"
    for path in (old, fresh, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (1_000_000, 1_000_000))
    assert storage.sweep_temporary(timedelta(hours=1)) == [old]
    assert sorted(path.name for path in folder.iterdir()) == ["fresh.part", "upload"]


def test_deleting_twice_is_fine(either):
    put("videos/a.mp4", b"film")
    storage.delete("videos/a.mp4")
    storage.delete("videos/a.mp4")
    assert not storage.exists("videos/a.mp4")


def test_old_keys_are_found_in_every_folder_and_young_ones_left(either):
    young = storage.video_key(new_id())
    keys = [storage.video_key(ID), storage.poster_key(ID), storage.reference_key(ID, ".png", variant="original")]
    for key in (*keys, "previews/of-nobody.txt", "elsewhere/a.mp4", young):
        put(key, b"film")
    assert list(orphans.old_keys(timedelta(hours=1))) == []  # their bytes are young, whatever their names say
    assert sorted(orphans.old_keys(timedelta(seconds=-60))) == sorted([*keys, young])


def test_forgetting_removes_what_is_there_and_takes_no_name_for_none(either):
    put("videos/a.mp4", b"film")
    storage.forget("videos/a.mp4", "", "videos/missing.mp4")
    assert not storage.exists("videos/a.mp4")


def test_the_store_can_be_tried_out_and_keeps_nothing_of_it(either):
    storage.try_out()
    assert not storage.exists("tmp")
    assert not list(storage.temporary_folder().iterdir())


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "videos/../../outside"])
def test_a_key_never_leads_outside_the_store(key, media_store):
    with pytest.raises(SuspiciousFileOperation):
        storage.local_path(key)


def test_a_local_store_has_no_signed_link(media_store):
    assert storage.signed_url("videos/a.mp4", 60) is None


def test_free_space_is_told_in_bytes(media_store):
    assert storage.free_bytes() > 1_000_000


def test_what_is_set_aside_keeps_its_bytes_and_comes_back(either):
    key = storage.video_key(ID)
    put(key, b"film")
    orphans.set_aside(key)
    assert not storage.exists(key)
    assert storage.exists(f"orphans/{key}")
    orphans.bring_back(key)
    assert not storage.exists(f"orphans/{key}")
    with storage.open(key) as file:
        assert file.read() == b"film"


def test_coming_back_replaces_nothing(either):
    key = storage.video_key(ID)
    put(key, b"old")
    orphans.set_aside(key)
    put(key, b"new")
    orphans.bring_back(key)
    with storage.open(key) as file:
        assert file.read() == b"new"
    assert not storage.exists(f"orphans/{key}")


def test_nothing_to_set_aside_or_bring_back_is_an_error(either):
    key = storage.video_key(ID)
    for move in (orphans.set_aside, orphans.bring_back):
        with pytest.raises(FileNotFoundError):
            move(key)


def test_time_of_setting_aside_is_that_of_the_move(media_store):
    key = storage.video_key(ID)
    put(key, b"film")
    os.utime(media_store / key, (0, 0))
    orphans.set_aside(key)
    ((found, moved_at),) = orphans.keys_aside()
    assert found == key
    assert moved_at.year > 2000
