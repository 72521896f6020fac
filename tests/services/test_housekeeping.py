"""What is tidied by itself, and that one row that may not go does not keep the rest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from playground.media import storage
from playground.models import GenerationReference, Membership, Reference, Video
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
