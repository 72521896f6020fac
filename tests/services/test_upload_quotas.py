"""How much may be uploaded: exact, whoever uploads at the same time, and given back with what goes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction
from PIL import Image

from playground.media import storage
from playground.models import Membership, Reference, UploadDay, UploadTotal
from playground.services import housekeeping, upload_quotas, uploads
from playground.services.uploads import ImageRefused
from tests import factories

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
TOGETHER = 50
ROOM_FOR = 10
SENT, STORED = 100_000, 200_000


@pytest.fixture
def member() -> Membership:
    return factories.make_member()


def picture(shade: int = 0) -> BytesIO:
    file = BytesIO()
    Image.new("RGB", (64, 64), (shade, 40, 40)).save(file, "PNG")
    return file


def limits(monkeypatch: pytest.MonkeyPatch, *, day: int = 10**12, team: int = 10**12) -> None:
    monkeypatch.setattr(upload_quotas, "_day_limit", lambda: day)
    monkeypatch.setattr(upload_quotas, "_team_limit", lambda: team)


def files() -> list[Path]:
    root = storage.local_path("references")
    return [path for path in root.rglob("*") if path.is_file()] if root else []


def stored(member: Membership) -> int:
    return UploadTotal.objects.get(team=member.team).stored_bytes


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["day", "team"])
def test_of_fifty_uploads_at_once_as_many_are_kept_as_there_is_room_for(
    which: str, member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(monkeypatch, **{which: ROOM_FOR * (SENT if which == "day" else STORED) + 1})
    together = Barrier(TOGETHER)
    refused = list[str]()

    def upload(number: int) -> None:
        together.wait()
        try:
            with transaction.atomic():
                upload_quotas.take(by=member, sent_bytes=SENT, stored_bytes=STORED, now=NOON)
        except ImageRefused as error:
            refused.append(error.code)
        finally:
            connection.close()

    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(upload, range(TOGETHER)))

    assert refused == [f"over_{which}"] * (TOGETHER - ROOM_FOR)
    assert stored(member) == ROOM_FOR * STORED
    assert UploadDay.objects.get().sent_bytes == ROOM_FOR * SENT


@pytest.mark.django_db(transaction=True)
def test_whole_uploads_at_once_leave_no_file_of_those_that_were_refused(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(picture().getvalue())
    monkeypatch.setattr(upload_quotas, "check", lambda **_: None)  # all of them come as far as the counters
    limits(monkeypatch, day=3 * (size + 20))
    together = Barrier(8)

    def upload(shade: int) -> bool:
        together.wait()
        try:
            uploads.store(by=member, stream=picture(shade * 30), now=NOON)
        except ImageRefused:
            return False
        finally:
            connection.close()
        return True

    before = set(files())
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(upload, range(8)))

    assert kept.count(True) == 3 == Reference.objects.count()
    assert len(set(files()) - before) == 3 * 3
    assert stored(member) == sum(Reference.objects.values_list("stored_bytes", flat=True))


def test_what_counts_is_what_was_sent_in_the_day_and_what_lies_there_in_all(member: Membership) -> None:
    sent = picture()
    reference = uploads.store(by=member, stream=sent, now=NOON)
    keys = [reference.key, reference.thumb_key, reference.original_key]

    assert UploadDay.objects.get(user=member.user, day=NOON.date()).sent_bytes == len(sent.getvalue())
    assert stored(member) == reference.stored_bytes == sum(storage.size(key) for key in keys)


def test_same_picture_again_counts_once(member: Membership) -> None:
    uploads.store(by=member, stream=picture(), now=NOON)
    before = stored(member), UploadDay.objects.get().sent_bytes
    uploads.store(by=member, stream=picture(), now=NOON)
    assert (stored(member), UploadDay.objects.get().sent_bytes) == before


def test_limits_are_said_in_words_with_their_figure(member: Membership, settings: object) -> None:
    uploads.store(by=member, stream=picture(), now=NOON)
    settings.UPLOAD_DAY_MB = 0  # type: ignore[attr-defined]
    with pytest.raises(ImageRefused, match="over_day") as refused:
        uploads.store(by=member, stream=picture(9), now=NOON)
    assert "0 MB" in refused.value.message
    settings.UPLOAD_DAY_MB, settings.UPLOAD_TEAM_MB = 500, 0  # type: ignore[attr-defined]
    with pytest.raises(ImageRefused, match="over_team") as refused:
        uploads.store(by=member, stream=picture(9), now=NOON)
    assert "0 MB" in refused.value.message
    assert Reference.objects.count() == 1


def test_next_day_there_is_room_again_and_another_person_has_their_own(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits(monkeypatch, day=len(picture().getvalue()) + 20)
    uploads.store(by=member, stream=picture(), now=NOON)
    with pytest.raises(ImageRefused):
        uploads.store(by=member, stream=picture(9), now=NOON)
    uploads.store(by=member, stream=picture(9), now=NOON + timedelta(days=1))
    uploads.store(by=factories.make_member(team=member.team), stream=picture(9), now=NOON)


def test_day_of_a_person_is_one_in_all_of_their_teams_and_total_is_of_the_team(
    member: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = factories.make_member(user=member.user)
    limits(monkeypatch, day=len(picture().getvalue()) + 20)
    uploads.store(by=member, stream=picture(), now=NOON)
    with pytest.raises(ImageRefused):
        uploads.store(by=elsewhere, stream=picture(9), now=NOON)
    assert not UploadTotal.objects.filter(team=elsewhere.team).exists()


def test_removing_a_picture_gives_its_room_back_to_the_team_and_not_to_the_day(member: Membership) -> None:
    reference = uploads.store(by=member, stream=picture(), now=NOON)
    sent = UploadDay.objects.get().sent_bytes
    assert uploads.discard(by=member, reference=reference)
    assert not uploads.discard(by=member, reference=reference)
    assert (stored(member), UploadDay.objects.get().sent_bytes) == (0, sent)


def test_pictures_that_are_tidied_give_their_room_back_and_old_days_go(member: Membership) -> None:
    reference = uploads.store(by=member, stream=picture(), now=NOON)
    Reference.objects.filter(id=reference.id).update(created_at=NOON)
    housekeeping.tidy(now=NOON + timedelta(days=31))
    assert not Reference.objects.exists()
    assert stored(member) == 0
    assert not UploadDay.objects.exists()


def test_part_that_is_cut_out_counts_for_nothing(member: Membership) -> None:
    from playground.domain.crop import crop_for

    whole = uploads.store(by=member, stream=picture(), now=NOON)
    before = stored(member)
    uploads.cut(by=member, reference=whole, crop=crop_for(64, 64, "16:9", 50))
    assert stored(member) == before


def test_order_takes_so_many_pictures_and_no_more(member: Membership) -> None:
    reference = uploads.store(by=member, stream=picture(), now=NOON)
    uploads.check_count([reference] * uploads.PER_ORDER)
    with pytest.raises(ImageRefused, match="too_many"):
        uploads.check_count([reference] * (uploads.PER_ORDER + 1))


def refused_by(step: str, member: Membership, sent: int, stores: int = 0) -> str:
    """By the look before the work, or by the count itself."""
    try:
        if step == "check":
            upload_quotas.check(by=member, sent_bytes=sent, now=NOON)
        else:
            upload_quotas.take(by=member, sent_bytes=sent, stored_bytes=stores, now=NOON)
    except ImageRefused as error:
        return error.code
    return ""


@pytest.mark.parametrize("step", ["check", "take"])
@pytest.mark.parametrize("used", [0, 400_000])
def test_last_byte_of_a_limit_may_be_used_and_none_beyond_it(
    step: str, used: int, member: Membership, settings: Any
) -> None:
    settings.UPLOAD_DAY_MB, settings.UPLOAD_TEAM_MB = 1, 2
    if used:
        upload_quotas.take(by=member, sent_bytes=used, stored_bytes=0, now=NOON)
    assert refused_by(step, member, 1_000_001 - used) == "over_day"
    assert refused_by(step, member, 1_000_000 - used) == ""


@pytest.mark.parametrize("used", [0, 400_000])
def test_last_byte_of_a_teams_room_may_be_used_and_none_beyond_it(used: int, member: Membership, settings: Any) -> None:
    settings.UPLOAD_DAY_MB, settings.UPLOAD_TEAM_MB = 9, 1
    if used:
        upload_quotas.take(by=member, sent_bytes=0, stored_bytes=used, now=NOON)
    assert refused_by("check", member, 1_000_001 - used) == "over_team"
    assert refused_by("check", member, 1_000_000 - used) == ""
    assert refused_by("take", member, 0, 1_000_001 - used) == "over_team"
    assert refused_by("take", member, 0, 1_000_000 - used) == ""


def test_days_are_kept_for_a_week_and_no_longer(member: Membership) -> None:
    for days in range(6, 10):
        UploadDay.objects.create(user=member.user, day=(NOON - timedelta(days=days)).date(), sent_bytes=1)
    assert upload_quotas.prune(now=NOON) == 2
    assert {row.day for row in UploadDay.objects.all()} == {(NOON - timedelta(days=days)).date() for days in (6, 7)}


def test_what_is_counted_and_given_back_is_this_team_s_and_this_day_s_alone(member: Membership) -> None:
    """Every counter that another upload could touch is there: of another day, person and team."""
    colleague, stranger = factories.make_member(team=member.team), factories.make_member()
    yesterday = NOON - timedelta(days=1)
    for by, now in ((member, yesterday), (colleague, NOON), (stranger, NOON)):
        upload_quotas.take(by=by, sent_bytes=1, stored_bytes=2, now=now)
    upload_quotas.take(by=member, sent_bytes=SENT, stored_bytes=STORED, now=NOON)
    sent = {(row.user_id, row.day): row.sent_bytes for row in UploadDay.objects.all()}
    assert sent.pop((member.user_id, NOON.date())) == SENT
    assert list(sent.values()) == [1, 1, 1]
    assert (stored(member), stored(stranger)) == (STORED + 4, 2)
    upload_quotas.give_back(team_id=member.team_id, stored_bytes=3)
    assert (stored(member), stored(stranger)) == (STORED + 1, 2)
