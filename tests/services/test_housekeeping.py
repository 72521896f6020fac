"""What is tidied by itself, and that one row that may not go does not keep the rest."""

import os
from datetime import timedelta
from uuid import UUID

import pytest
import structlog
from django.utils import timezone

from playground.domain.status import Status
from playground.media import storage
from playground.models import Event, GenerationReference, Membership, Reference, Video
from playground.models.base import new_id
from playground.services import housekeeping
from tests import factories

pytestmark = pytest.mark.django_db


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


def test_picture_stays_while_a_part_of_it_is_in_use(member: Membership) -> None:
    whole, unused = factories.make_reference(by=member), factories.make_reference(by=member)
    cut = factories.make_reference(by=member, generation=factories.make_generation(by=member), cut_from=whole)
    Reference.objects.update(created_at=timezone.now() - timedelta(days=31))

    housekeeping.tidy()

    assert set(Reference.objects.all()) == {whole, cut}
    assert unused not in Reference.objects.all()


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


def test_files_without_a_row_go_after_a_day_and_those_of_rows_stay(
    member: Membership,
) -> None:
    day, hour = timedelta(days=1, minutes=1), timedelta(hours=1)
    named = {field: orphan(day, written=day) for field in ("key", "poster_key", "preview_key")}
    Video.objects.filter(id=factories.make_video(by=member).id).update(**named)
    sent = {field: orphan(day, written=day) for field in ("key", "original_key", "thumb_key")}
    Reference.objects.filter(id=factories.make_reference(by=member).id).update(**sent)
    gone, of_young_row, young = orphan(day, written=day), orphan(hour, written=day), orphan(day, written=hour)

    with structlog.testing.capture_logs() as logs:
        housekeeping.tidy()

    assert [storage.exists(key) for key in (gone, of_young_row, young)] == [False, True, True]
    assert all(storage.exists(key) for key in (*named.values(), *sent.values()))
    assert gone in [entry["key"] for entry in logs if entry["event"] == "orphan_removed"]


def test_files_of_a_save_that_was_frozen_for_days_stay(member: Membership) -> None:
    generation = factories.make_generation(by=member, status=Status.STORING)
    Event.objects.create(
        generation=generation, kind="saving_started", at=timezone.now() - timedelta(days=3), to_status=Status.STORING
    )
    held = orphan(timedelta(days=2), written=timedelta(days=2))
    older = orphan(timedelta(days=4), written=timedelta(days=4))

    housekeeping.tidy()

    assert [storage.exists(key) for key in (held, older)] == [True, False]
