"""What is tidied by itself, and that one row that may not go does not keep the rest."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from django.utils import timezone

from playground.domain.status import Status
from playground.media import orphans, storage
from playground.models import Event, GenerationReference, Membership, Reference, Video
from playground.models.base import new_id
from playground.services import housekeeping, orphan_files
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> None:
    """A store without the files of other tests, and a folder of temporary files."""
    local = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "media"}}
    settings.STORAGES = {**settings.STORAGES, "media": local}
    settings.DATA_DIR = tmp_path


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


def test_upload_that_gets_used_meanwhile_stays_and_the_others_go(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        factories.make_reference(by=member)
    Reference.objects.update(created_at=timezone.now() - timedelta(days=31))
    generation = factories.make_generation(by=member)
    used: list[Reference] = []
    delete = storage.delete

    def delete_and_use_another(key: str) -> None:
        if not used:
            used.append(Reference.objects.get(id=Reference.objects.values("id")[:1]))
            GenerationReference.objects.create(generation=generation, reference=used[0])
        delete(key)

    monkeypatch.setattr(storage, "delete", delete_and_use_another)
    housekeeping.tidy()

    assert list(Reference.objects.all()) == used
    assert storage.exists(used[0].key)


def test_trash_is_emptied_of_what_is_older_than_it_is_kept(member: Membership) -> None:
    now = timezone.now()
    old, young, kept = (factories.make_video(by=member) for _ in range(3))
    Video.objects.filter(id=old.id).update(trashed_at=now - housekeeping.TRASH_KEPT - timedelta(minutes=1))
    Video.objects.filter(id=young.id).update(trashed_at=now - housekeeping.TRASH_KEPT + timedelta(minutes=1))

    housekeeping.tidy(now=now)

    assert set(Video.objects.all()) == {young, kept}
    assert [storage.exists(video.key) for video in (old, young, kept)] == [False, True, True]


def test_video_that_may_not_go_does_not_keep_the_rest_of_the_trash(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db.models import ProtectedError
    from django.db.models.signals import pre_delete

    videos = [factories.make_video(by=member) for _ in range(3)]
    Video.objects.update(trashed_at=timezone.now() - timedelta(days=31))

    def needed(sender: object, instance: Video, **more: object) -> None:
        if instance.id == videos[0].id:
            raise ProtectedError("needed", {instance})

    pre_delete.connect(needed, sender=Video)
    try:
        housekeeping.tidy()
    finally:
        pre_delete.disconnect(needed, sender=Video)

    assert list(Video.objects.all()) == videos[:1]
    assert storage.exists(videos[0].key)


def test_picture_stays_while_a_part_of_it_is_in_use_and_no_delete_is_tried(member: Membership) -> None:
    whole, unused = factories.make_reference(by=member), factories.make_reference(by=member)
    cut = factories.make_reference(by=member, generation=factories.make_generation(by=member), cut_from=whole)
    Reference.objects.update(created_at=timezone.now() - timedelta(days=31))

    with structlog.testing.capture_logs() as logs:
        housekeeping.tidy()

    assert set(Reference.objects.all()) == {whole, cut}
    assert unused not in Reference.objects.all()
    assert "upload_in_use_after_all" not in [entry["event"] for entry in logs]


def orphan(made: timedelta, *, written: timedelta, suffix: str = ".mp4") -> str:
    """A stored file without a row, by a key made and with bytes written so long ago."""
    moment = int((timezone.now() - made).timestamp() * 1000)
    id = UUID(int=(moment << 80) | (new_id().int & ((1 << 80) - 1)))
    key = storage.video_key(id, suffix)
    with storage.temporary() as part:
        part.write_bytes(b"film")
        storage.adopt(part, key)
    at = (timezone.now() - written).timestamp()
    os.utime(storage.local_path(key), (at, at))
    return key


DAY, HOUR = timedelta(days=1, minutes=1), timedelta(hours=1)


def aside(key: str) -> str:
    return f"{orphans.ASIDE}/{key}"


def tidy_and_read() -> dict[str, list[dict[str, object]]]:
    """What was logged, by event."""
    with structlog.testing.capture_logs() as logs:
        housekeeping.tidy()
    found: dict[str, list[dict[str, object]]] = {}
    for entry in logs:
        found.setdefault(entry["event"], []).append(dict(entry))
    return found


def waiting_since(key: str, waited: timedelta) -> None:
    path = storage.local_path(aside(key))
    at = (timezone.now() - waited).timestamp()
    os.utime(path, (at, at))


def test_files_without_a_row_are_set_aside_after_a_day_and_those_of_rows_stay(member: Membership) -> None:
    named = {field: orphan(DAY, written=DAY) for field in ("key", "poster_key", "preview_key")}
    Video.objects.filter(id=factories.make_video(by=member).id).update(**named)
    sent = {field: orphan(DAY, written=DAY) for field in ("key", "original_key", "thumb_key")}
    Reference.objects.filter(id=factories.make_reference(by=member).id).update(**sent)
    gone, of_young_row, young = orphan(DAY, written=DAY), orphan(HOUR, written=DAY), orphan(DAY, written=HOUR)

    logs = tidy_and_read()

    assert [storage.exists(key) for key in (gone, of_young_row, young)] == [False, True, True]
    assert all(storage.exists(key) for key in (*named.values(), *sent.values()))
    assert [entry["key"] for entry in logs["orphan_set_aside"]] == [gone]
    with storage.open(aside(gone)) as file:
        assert file.read() == b"film"


def test_what_was_set_aside_is_deleted_thirty_days_after_that(member: Membership) -> None:
    factories.make_video(by=member)
    year = timedelta(days=365)
    just_now, young, old = (orphan(year, written=year) for _ in range(3))
    housekeeping.tidy()
    waiting_since(young, orphan_files.KEPT - HOUR)
    waiting_since(old, orphan_files.KEPT + HOUR)

    logs = tidy_and_read()

    assert [storage.exists(aside(key)) for key in (just_now, young, old)] == [True, True, False]
    assert [entry["key"] for entry in logs["orphan_removed"]] == [old]


@pytest.mark.parametrize("video_rows", [0, 1])
def test_refused_file_is_deleted_fourteen_days_after_it_came_and_puts_no_other_in_doubt(
    member: Membership, video_rows: int
) -> None:
    for _ in range(video_rows):
        factories.make_video(by=member)
    young, old, theirs = places = [f"{orphans.REFUSED}/{name}" for name in (f"{new_id()}.mp4", f"{new_id()}.bin", "a")]
    for place, waited in zip(places, (-HOUR, HOUR, DAY), strict=True):
        with storage.temporary() as part:
            part.write_bytes(b"film")
            storage.adopt(part, place)
        at = (timezone.now() - orphan_files.REFUSED_KEPT - waited).timestamp()
        os.utime(storage.local_path(place), (at, at))

    logs = tidy_and_read()

    assert [storage.exists(place) for place in (young, old, theirs)] == [True, False, True]
    assert [entry["key"] for entry in logs["refused_file_removed"]] == [old]
    assert "orphans_left_alone" not in logs


def test_what_a_row_names_again_comes_back_however_long_it_waited(member: Membership) -> None:
    video = factories.make_video(by=member)
    key = orphan(DAY, written=DAY)
    housekeeping.tidy()
    waiting_since(key, orphan_files.KEPT + HOUR)
    Video.objects.filter(id=video.id).update(poster_key=key)

    housekeeping.tidy()

    assert [storage.exists(key), storage.exists(aside(key))] == [True, False]


@pytest.mark.parametrize(
    "name",
    [
        "videos/film.mp4",
        "videos/2026/11/film.mp4",
        "videos/2026/11/3a31b9f3-9c7f-4e4c-8f53-6c2c1b6a6f10.mp4",
        "videos/01939a00-0000-7000-8000-000000000000.mp4",
        "videos/2024/12/01939a00-0000-7000-8000-000000000000 (copy).mp4",
        "orphans/notes.txt",
        "orphans/videos/readme.txt",
    ],
)
def test_files_that_are_none_of_ours_are_never_touched(member: Membership, name: str) -> None:
    factories.make_video(by=member)
    path = storage.local_path(name)
    assert path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"theirs")
    os.utime(path, (0, 0))

    housekeeping.tidy()

    assert path.read_bytes() == b"theirs"


def test_part_that_an_interrupted_copy_left_is_set_aside(member: Membership) -> None:
    factories.make_video(by=member)
    key = orphan(DAY, written=DAY)
    path = storage.local_path(key)
    assert path
    part = path.rename(path.with_name(f".{path.name}.part"))

    housekeeping.tidy()

    assert not part.exists()


@pytest.mark.parametrize("already_aside", [False, True])
def test_empty_database_sets_nothing_aside_and_deletes_nothing(member: Membership, already_aside: bool) -> None:
    video = factories.make_video(by=member)
    key = orphan(DAY, written=DAY)
    if already_aside:
        housekeeping.tidy()
        waiting_since(key, orphan_files.KEPT + HOUR)
    video.delete()

    logs = tidy_and_read()

    assert storage.exists(aside(key) if already_aside else key)
    assert [entry["log_level"] for entry in logs["orphans_left_alone"]] == ["error"]


def test_empty_database_with_no_file_is_nothing_to_speak_of(member: Membership) -> None:
    assert "orphans_left_alone" not in tidy_and_read()


@pytest.mark.parametrize(("orphans", "left"), [(20, False), (21, True)])
def test_more_orphans_than_a_few_are_left_where_they_are(member: Membership, orphans: int, left: bool) -> None:
    factories.make_video(by=member)
    keys = [orphan(DAY, written=DAY) for _ in range(orphans)]

    logs = tidy_and_read()

    assert {storage.exists(key) for key in keys} == {left}
    assert ("orphans_left_alone" in logs) is left


def test_a_tenth_of_many_files_is_not_too_many(member: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphan_files, "FEW", 0)
    named = [orphan(DAY, written=DAY) for _ in range(9)]
    for key in named:
        Video.objects.filter(id=factories.make_video(by=member).id).update(key=key)
    first, second = orphan(DAY, written=DAY), orphan(DAY, written=DAY)
    housekeeping.tidy()
    assert storage.exists(second)

    storage.delete(second)
    housekeeping.tidy()

    assert not storage.exists(first)
    assert storage.exists(aside(first))


def test_files_of_a_save_that_was_frozen_for_days_stay(member: Membership) -> None:
    factories.make_video(by=member)
    generation = factories.make_generation(by=member, status=Status.STORING)
    Event.objects.create(
        generation=generation, kind="saving_started", at=timezone.now() - timedelta(days=3), to_status=Status.STORING
    )
    held = orphan(timedelta(days=2), written=timedelta(days=2))
    older = orphan(timedelta(days=4), written=timedelta(days=4))

    housekeeping.tidy()

    assert [storage.exists(key) for key in (held, older)] == [True, False]
