"""Reference images: kept once for each person, forgotten only by who may."""

from datetime import timedelta
from io import BytesIO
from uuid import UUID

import pytest
from django.utils import timezone
from PIL import Image

from playground.domain.crop import crop_for
from playground.media import storage
from playground.models import GenerationReference, Membership, Reference, Role
from playground.services import places, uploads
from tests import factories

pytestmark = pytest.mark.django_db


def picture(colour: str = "teal", format: str = "PNG") -> BytesIO:
    file = BytesIO()
    Image.new("RGB", (640, 360), colour).save(file, format)
    return file


def keys_of(reference: Reference) -> list[str]:
    return [reference.key, reference.thumb_key, reference.original_key]


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


def test_same_picture_by_the_same_person_is_kept_once(member: Membership) -> None:
    first = uploads.store(by=member, stream=picture())
    Reference.objects.update(created_at=timezone.now() - timedelta(days=29))
    again = uploads.store(by=member, stream=picture())

    assert again == first
    assert Reference.objects.get().created_at > timezone.now() - timedelta(hours=1)
    assert all(storage.exists(key) for key in keys_of(first))
    assert uploads.store(by=member, stream=picture("navy")) != first


def test_same_picture_of_another_person_or_team_is_one_of_its_own(member: Membership) -> None:
    colleague = factories.make_member(team=member.team)
    elsewhere = factories.make_member(user=member.user)

    made = {uploads.store(by=by, stream=picture()).id for by in (member, colleague, elsewhere)}

    assert len(made) == 3


def test_picture_whose_file_is_gone_is_stored_anew(member: Membership) -> None:
    first = uploads.store(by=member, stream=picture())
    storage.delete(first.key)

    again = uploads.store(by=member, stream=picture())

    assert again != first
    assert storage.exists(again.key)


def test_own_picture_is_forgotten_with_its_files(member: Membership) -> None:
    reference = uploads.store(by=member, stream=picture())

    assert uploads.discard(by=member, reference=reference)
    assert not Reference.objects.exists()
    assert not any(storage.exists(key) for key in keys_of(reference))


def test_picture_of_a_colleague_is_forgotten_by_nobody_else(member: Membership) -> None:
    colleague = factories.make_member(team=member.team)
    admin = factories.make_member(team=member.team, role=Role.ADMIN)
    stranger = factories.make_member(role=Role.ADMIN)
    reference = uploads.store(by=member, stream=picture())

    assert not uploads.discard(by=colleague, reference=reference)
    assert not uploads.discard(by=stranger, reference=reference)
    assert all(storage.exists(key) for key in keys_of(reference))
    assert not uploads.discard(by=admin, reference=reference)
    assert uploads.discard(by=member, reference=reference)


def test_picture_that_an_order_used_stays(member: Membership) -> None:
    reference = uploads.store(by=member, stream=picture())
    generation = factories.make_generation(by=member)
    GenerationReference.objects.create(generation=generation, reference=reference)

    assert not uploads.discard(by=member, reference=reference)
    assert all(storage.exists(key) for key in keys_of(reference))


def corners() -> BytesIO:
    """Left half red, right half blue, 640 x 360."""
    canvas = Image.new("RGB", (640, 360), "red")
    canvas.paste((0, 0, 255), (320, 0, 640, 360))
    file = BytesIO()
    canvas.save(file, "PNG")
    return file


def test_press_holds_up_nobody_while_its_picture_is_read(member: Membership, monkeypatch: pytest.MonkeyPatch) -> None:
    free, new_id = list[bool](), uploads.new_id

    def watched() -> UUID:
        with places.taken() as is_free:
            free.append(is_free)
        return new_id()

    monkeypatch.setattr(uploads, "new_id", watched)
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    with places.taken():
        uploads.store(by=member, stream=corners())

    assert free == [True]


def test_press_holds_up_nobody_while_the_store_is_asked_for_its_picture(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is away is waited for."""
    reference, free = uploads.store(by=member, stream=corners()), list[bool]()
    exists = storage.exists

    def asked(key: str) -> bool:
        with places.taken() as is_free:
            free.append(is_free)
        return exists(key)

    monkeypatch.setattr(storage, "exists", asked)
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    upright = crop_for(640, 360, "9:16", 50)
    whole = crop_for(640, 360, "16:9", 50)
    with places.taken():
        for crop in (upright, upright, whole):
            uploads.cut(by=member, reference=reference, crop=crop)
        with places.taken() as second:
            assert not second

    assert free
    assert all(free)


def test_part_of_a_picture_is_cut_once_for_each_box(member: Membership) -> None:
    whole = uploads.store(by=member, stream=corners())
    right = crop_for(640, 360, "9:16", 100)

    cut = uploads.cut(by=member, reference=whole, crop=right)

    assert (cut.width, cut.height, cut.cut_x, cut.cut_y, cut.cut_from) == (202, 360, 438, 0, whole)
    with storage.open(cut.key) as file, Image.open(file) as image:
        assert image.size == (202, 360)
        red, _green, blue = image.getpixel((2, 2))
        assert blue > 200 > 50 > red
    assert cut.size_bytes == storage.size(cut.key)
    assert storage.exists(cut.thumb_key)
    assert uploads.cut(by=member, reference=whole, crop=right) == cut
    assert uploads.cut(by=member, reference=whole, crop=crop_for(640, 360, "9:16", 0)) != cut
    assert uploads.cut(by=member, reference=whole, crop=crop_for(640, 360, "16:9", 0)) == whole


@pytest.mark.parametrize("shape", ["1:1", "16:9"])
def test_picture_whose_file_is_gone_is_refused_in_words_whole_or_cut(member: Membership, shape: str) -> None:
    whole = uploads.store(by=member, stream=corners())
    storage.delete(whole.key)

    with pytest.raises(uploads.ImageRefused) as refused:
        uploads.cut(by=member, reference=whole, crop=crop_for(640, 360, shape))

    assert refused.value.code == "gone"
    assert Reference.objects.count() == 1


def test_uploading_again_what_was_cut_out_is_a_picture_of_its_own(member: Membership) -> None:
    cut = uploads.cut(
        by=member, reference=uploads.store(by=member, stream=corners()), crop=crop_for(640, 360, "9:16", 100)
    )
    Reference.objects.filter(id=cut.id).update(sha256=uploads.store(by=member, stream=picture()).sha256)

    assert uploads.store(by=member, stream=picture()).cut_from is None


def test_cut_whose_file_is_gone_is_cut_again_and_a_used_one_is_young(member: Membership) -> None:
    whole, crop = uploads.store(by=member, stream=corners()), crop_for(640, 360, "9:16", 100)
    cut = uploads.cut(by=member, reference=whole, crop=crop)
    storage.delete(cut.key)
    Reference.objects.update(created_at=timezone.now() - timedelta(days=29))

    assert uploads.cut(by=member, reference=whole, crop=crop) == cut
    assert storage.size(cut.key) == cut.size_bytes
    uploads.cut(by=member, reference=whole, crop=crop)
    cut.refresh_from_db()
    assert cut.created_at > timezone.now() - timedelta(hours=1)
