"""Media addresses when the bytes are in a bucket: who may see them is still decided here."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from django.urls import reverse
from django.utils import timezone

from playground.services import sharing
from tests import factories
from tests.support.bucket import ACCESS_KEY, TestBucket, marks
from tests.support.sharing import make_link

pytestmark = marks


@pytest.fixture(autouse=True)
def in_bucket(settings, tmp_path, bucket: TestBucket) -> TestBucket:
    settings.DATA_DIR = tmp_path
    return bucket


def fetched(answer) -> tuple[bytes, str, str]:
    assert answer.status_code == 302
    with urlopen(answer["Location"], timeout=10) as file:
        return file.read(), file.headers["Content-Type"], file.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("video", "video/mp4"), ("poster", "image/webp"), ("preview", "video/mp4"), ("download", "video/mp4")],
)
def test_member_is_sent_to_the_bytes_as_what_they_are(member, browser_of, name, kind):
    video = factories.make_video(by=member, prompt="A harbour")
    data, content_type, disposition = fetched(browser_of(member).get(reverse(f"media.{name}", args=[video.id])))
    assert content_type == kind
    assert disposition.startswith('attachment; filename="') if name == "download" else disposition == "inline"
    assert data if name != "video" else data == factories.clip_bytes()


def test_member_is_sent_to_reference_images(member, browser_of):
    reference = factories.make_reference(by=member)
    for name, kind in (("reference", reference.content_type), ("reference_thumb", "image/webp")):
        assert fetched(browser_of(member).get(reverse(f"media.{name}", args=[reference.id])))[1] == kind


@pytest.mark.parametrize("name", ["video", "poster", "preview", "download"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_another_team_gets_404_without_a_link(member, stranger, browser_of, in_bucket, name, method):
    video = factories.make_video(by=member)
    answer = getattr(browser_of(stranger), method)(reverse(f"media.{name}", args=[video.id]))
    assert answer.status_code == 404
    said = f"{dict(answer.items())} {answer.content.decode()}"
    assert not any(word in said for word in ("X-Amz", ACCESS_KEY, in_bucket.name, video.key))


def test_nobody_is_sent_anywhere_but_to_sign_in(member, browser_of):
    video = factories.make_video(by=member)
    assert "X-Amz" not in browser_of().get(reverse("media.video", args=[video.id]))["Location"]


# --- by a share link ---------------------------------------------------------------------------------------------
def seconds(answer) -> int:
    return int(parse_qs(urlsplit(answer["Location"]).query)["X-Amz-Expires"][0])


def test_signed_links_of_strangers_are_short(client, member):
    video = factories.make_video(by=member)
    _link, token = make_link(by=member, video=video)
    for kind in ("video", "poster", "preview", "download"):
        answer = client.get(reverse(f"share_media.{kind}", args=[token, video.id]))
        assert answer.status_code == 302
        assert seconds(answer) == 300
        assert answer["Cache-Control"] == "private, no-store"
        with urlopen(answer["Location"], timeout=10) as file:
            assert file.read()


def test_signed_link_ends_with_the_share_link(client, member):
    video = factories.make_video(by=member)
    almost = timezone.now() - timedelta(days=7) + timedelta(seconds=90)
    _link, token = make_link(by=member, video=video, days=7, now=almost)
    assert 0 < seconds(client.get(reverse("share_media.video", args=[token, video.id]))) <= 90


def test_revoked_link_gets_no_signed_one(client, member):
    video = factories.make_video(by=member)
    link, token = make_link(by=member, video=video)
    sharing.revoke(by=member, link=link)
    answer = client.get(reverse("share_media.video", args=[token, video.id]))
    assert answer.status_code == 404
    assert b"X-Amz" not in answer.content
