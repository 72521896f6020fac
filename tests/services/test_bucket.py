"""Orders, pictures and tidying with the media in a bucket."""

import shutil
from datetime import timedelta
from io import BytesIO

import pytest
from django.utils import timezone
from PIL import Image

from playground.domain.crop import crop_for
from playground.domain.status import Status
from playground.media import storage
from playground.models import Reference, Video
from playground.models.base import new_id
from playground.services import backup, database_copy, housekeeping, orphan_files, restore, uploads
from playground.services.uploads import ImageRefused
from playground.services.videos import purge
from tests import factories
from tests.bench import Bench, bench, sandbox  # noqa: F401  fixtures
from tests.support.bucket import TestBucket, marks
from tests.support.processes import free_port

pytestmark = [*marks, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def own_data(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def away(bucket: TestBucket, settings) -> None:
    bucket.use(settings, bucket.url.replace(f":{bucket.server.port}/", f":{free_port()}/"))


def picture(size: tuple[int, int] = (640, 360)) -> BytesIO:
    file = BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return file


def test_order_with_a_picture_goes_from_the_bucket_to_the_bucket(bucket: TestBucket, bench: Bench):  # noqa: F811
    model = next(model for model in bench.model().__class__.objects.all() if model.takes.image_to_video)
    reference = uploads.store(by=bench.membership, stream=picture())
    wanted = bench.wanted(model.slug, references=(reference,))

    generation = bench.drive(bench.start("A kite over a field", wanted=wanted))

    assert generation.state is Status.DONE, list(generation.events.values_list("kind", "data"))
    video = Video.objects.get(generation=generation)
    assert {video.key, video.poster_key, video.preview_key} < set(bucket.keys())
    assert storage.size(video.key) == video.size_bytes
    assert len(bench.charges(generation)) == 1
    assert not list(storage.temporary_folder().iterdir())


def test_save_that_finds_the_bucket_away_is_tried_again_and_not_paid_again(
    bucket: TestBucket,
    bench: Bench,  # noqa: F811
    settings,
):
    run = bench.start("A kite over a field")
    bench.drive(run, until={Status.COMPLETED})
    bucket.use(settings, bucket.url.replace(f":{bucket.server.port}/", f":{free_port()}/"))
    bench.step()
    generation = run.generations.get()
    assert (generation.state, generation.error_code) == (Status.COMPLETED, "media_store")

    bucket.use(settings)

    assert bench.drive(run).state is Status.DONE
    assert len(bench.charges(generation)) == 1


def test_upload_and_its_cut_are_read_back_as_they_were_sent(bucket: TestBucket):
    member = factories.make_member()
    reference = uploads.store(by=member, stream=picture())
    part = uploads.cut(by=member, reference=reference, crop=crop_for(640, 360, "1:1"))

    with storage.open(part.key) as file:
        assert Image.open(file).size == (part.width, part.height)
    assert uploads.store(by=member, stream=picture()) == reference
    assert len(bucket.keys()) == 5


def test_upload_while_the_bucket_is_away_is_refused_with_words(away: None):
    member = factories.make_member()
    with pytest.raises(ImageRefused) as refused:
        uploads.store(by=member, stream=picture())
    assert "cannot be reached" in refused.value.message
    assert not Reference.objects.exists()


def test_purging_removes_the_files_and_one_left_behind_is_found_later(bucket: TestBucket, settings):
    member = factories.make_member()
    videos = [factories.make_video(by=member) for _ in range(2)]
    Video.objects.update(trashed_at=timezone.now())
    assert purge(by=member, videos=videos[:1]) == 1
    assert len(bucket.keys()) == 3
    bucket.use(settings, bucket.url.replace(f":{bucket.server.port}/", f":{free_port()}/"))
    assert purge(by=member, videos=videos[1:]) == 1  # the person's wish is done, the files wait
    bucket.use(settings)
    assert len(bucket.keys()) == 3


def test_tidying_sets_files_without_a_row_aside_and_keeps_the_others(bucket: TestBucket, monkeypatch):
    video = factories.make_video(by=factories.make_member())
    own, lost = {video.key, video.poster_key, video.preview_key}, storage.video_key(new_id())
    with storage.temporary() as path:
        path.write_bytes(b"film")
        storage.adopt(path, lost)
    housekeeping.tidy()
    assert set(bucket.keys()) == {*own, lost}  # too young
    monkeypatch.setattr(orphan_files, "OLD_ENOUGH", timedelta(seconds=-60))
    housekeeping.tidy()
    assert set(bucket.keys()) == {*own, f"orphans/{lost}"}
    monkeypatch.setattr(orphan_files, "KEPT", timedelta(seconds=-60))
    housekeeping.tidy()
    assert set(bucket.keys()) == own


def test_tidying_goes_on_while_the_bucket_is_away(away: None):
    member = factories.make_member()
    reference = Reference.objects.create(
        team=member.team,
        created_by=member.user,
        key="references/a.jpg",
        content_type="image/jpeg",
        width=1,
        height=1,
        size_bytes=1,
        sha256="0" * 64,
    )
    Reference.objects.update(created_at=timezone.now() - housekeeping.UPLOADS_KEPT - timedelta(minutes=1))
    housekeeping.tidy()
    assert not Reference.objects.filter(id=reference.id).exists()


def test_media_of_a_bucket_are_listed_in_a_backup_and_copied_only_when_told(bucket: TestBucket, tmp_path):
    video = factories.make_video(by=factories.make_member())
    now = timezone.now()
    listed = backup.write(tmp_path / "listed", now=now).manifest
    backup.write(tmp_path / "copied", now=now, with_bucket=True)
    storage.delete(video.key)

    assert (sorted(listed.listed), listed.media) == (sorted([video.key, video.poster_key, video.preview_key]), {})
    try:
        assert restore.restore(tmp_path / "listed", now=now, force=True).absent == [video.key]
        assert restore.restore(tmp_path / "copied", now=now, force=True).absent == []
    finally:
        for aside in database_copy.place().parent.glob("before-restore-*"):
            shutil.rmtree(aside)
    assert storage.size(video.key) == video.size_bytes
