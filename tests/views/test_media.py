"""The bytes through the real views: ranges, validators, headers, names."""

import pytest
from django.urls import reverse

from tests import factories

pytestmark = pytest.mark.pure


@pytest.fixture
def video(member):
    return factories.make_video(
        by=member, prompt="A harbour / at dawn: boats", model=factories.make_model("kling/v3.1")
    )


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_whole_file_is_served_as_what_it_is(member, video, browser_of):
    answer = browser_of(member).get(reverse("media.video", args=[video.id]))
    assert body(answer) == factories.clip_bytes()
    assert answer["Content-Type"] == "video/mp4"
    assert answer["Content-Disposition"] == "inline"
    assert answer["Accept-Ranges"] == "bytes"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "private" in answer["Cache-Control"]


def test_range_suffix_and_past_the_end(member, video, browser_of):
    client, address, data = browser_of(member), reverse("media.video", args=[video.id]), factories.clip_bytes()
    part = client.get(address, headers={"range": "bytes=10-19"})
    assert (part.status_code, body(part)) == (206, data[10:20])
    assert part["Content-Range"] == f"bytes 10-19/{len(data)}"
    assert body(client.get(address, headers={"range": "bytes=-5"})) == data[-5:]
    assert client.get(address, headers={"range": f"bytes={len(data)}-"}).status_code == 416


def test_stale_if_range_gets_the_whole_file(member, video, browser_of):
    client, address = browser_of(member), reverse("media.video", args=[video.id])
    stale = client.get(address, headers={"range": "bytes=0-3", "if-range": '"another"'})
    assert (stale.status_code, len(body(stale))) == (200, video.size_bytes)
    fresh = client.get(address, headers={"range": "bytes=0-3", "if-range": f'"{video.sha256}"'})
    assert fresh.status_code == 206


def test_head_tells_the_length_and_sends_nothing(member, video, browser_of):
    answer = browser_of(member).head(reverse("media.video", args=[video.id]))
    assert answer.status_code == 200
    assert answer["Content-Length"] == str(video.size_bytes)
    assert body(answer) == b""


def test_known_bytes_are_not_sent_again(member, video, browser_of):
    client, address = browser_of(member), reverse("media.poster", args=[video.id])
    first = client.get(address)
    assert first["Content-Type"] == "image/webp"
    assert client.get(address, headers={"if-none-match": first["ETag"]}).status_code == 304


def test_poster_and_preview_have_validators_of_their_own(member, video, browser_of):
    client = browser_of(member)
    tags = {client.get(reverse(f"media.{name}", args=[video.id]))["ETag"] for name in ("video", "poster", "preview")}
    assert len(tags) == 3


def test_download_is_named_by_day_model_and_words(member, video, browser_of):
    answer = browser_of(member).get(reverse("media.download", args=[video.id]))
    day = f"{video.created_at:%Y-%m-%d}"
    assert answer["Content-Disposition"] == f'attachment; filename="{day}-kling-v3-1-a-harbour-at-dawn-boats.mp4"'


@pytest.mark.parametrize("prompt", ["夜明けの港", "", "\r\nSet-Cookie: x", '";rm -rf', "a" * 600])
def test_download_name_is_always_a_plain_file_name(member, browser_of, prompt):
    video = factories.make_video(by=member, prompt=prompt)
    header = browser_of(member).get(reverse("media.download", args=[video.id]))["Content-Disposition"]
    name = header.removeprefix('attachment; filename="').removesuffix('"')
    assert name.endswith(".mp4")
    assert len(name) < 160
    assert not set(name) & set('\r\n"/\\;:')


def test_video_in_the_trash_still_plays_for_members(member, video, stranger, browser_of):
    browser_of(member).post(reverse("videos.trash"), {"video": str(video.id)})
    address = reverse("media.video", args=[video.id])
    assert browser_of(member).get(address).status_code == 200
    assert browser_of(stranger).get(address).status_code == 404


def test_missing_preview_and_missing_file_are_404(member, browser_of):
    without = factories.make_video(by=member, files=False, preview_key="")
    for name in ("media.preview", "media.video"):
        assert browser_of(member).get(reverse(name, args=[without.id])).status_code == 404


def test_media_takes_no_post(member, video, browser_of):
    assert browser_of(member).post(reverse("media.video", args=[video.id])).status_code == 405
