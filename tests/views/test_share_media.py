"""The bytes behind a share link: ranges, headers, names; and that they end with the link."""

import pytest
from django.test import Client
from django.urls import reverse

from playground.media import serve, watching
from playground.media.streams import BLOCK_BYTES
from playground.services import sharing, videos
from tests import factories
from tests.support.sharing import make_collection, make_link

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

LARGE = bytes(i * 7 % 251 for i in range(5 * BLOCK_BYTES))


@pytest.fixture
def video(member):
    return factories.make_video(by=member, prompt="A harbour / at dawn", model=factories.make_model("kling/v3.1"))


@pytest.fixture
def large(member):
    video = factories.make_video(by=member, files=False, size_bytes=len(LARGE))
    factories.store(video.key, LARGE)
    return video


def address(token: str, video, kind: str = "video") -> str:
    return reverse(f"share_media.{kind}", args=[token, video.id])


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [("video", "video/mp4"), ("poster", "image/webp"), ("preview", "video/mp4"), ("download", "video/mp4")],
)
def test_each_kind_is_served_harmless_and_private(client, member, video, kind, content_type):
    _link, token = make_link(by=member, video=video)
    answer = client.get(address(token, video, kind))
    assert answer.status_code == 200
    assert body(answer)
    assert answer["Content-Type"] == content_type
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert answer["Cache-Control"] == "private, max-age=60, must-revalidate"
    assert not answer.cookies


def test_ranges(client, member, video):
    _link, token = make_link(by=member, video=video)
    data = factories.clip_bytes()
    part = client.get(address(token, video), headers={"range": "bytes=10-19"})
    assert (part.status_code, body(part), part["Content-Range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")
    assert client.get(address(token, video), headers={"range": f"bytes={len(data)}-"}).status_code == 416
    head = client.head(address(token, video))
    assert (head["Content-Length"], body(head)) == (str(len(data)), b"")
    known = client.get(address(token, video), headers={"if-none-match": head["ETag"]})
    assert known.status_code == 304


def test_name_of_the_file_tells_no_more_than_the_page(client, member, video):
    def name(**terms) -> str:
        _link, token = make_link(by=member, video=video, **terms)
        return client.get(address(token, video, "download"))["Content-Disposition"]

    assert name() == f'attachment; filename="video-{video.id.hex[-6:]}.mp4"'
    assert name(shows_prompt=True) == 'attachment; filename="a-harbour-at-dawn.mp4"'
    video.title = 'Cut\r\n2; "final" /../é=cmd'
    video.save()
    assert name() == 'attachment; filename="cut-2-final-ecmd.mp4"'


def test_revoked_link_gets_not_one_byte_more(client, member, video):
    link, token = make_link(by=member, video=video)
    assert client.get(address(token, video), headers={"range": "bytes=0-9"}).status_code == 206
    sharing.revoke(by=member, link=link)
    for headers in ({"range": "bytes=10-19"}, {"range": "bytes=0-9"}, {"if-none-match": f'"{video.sha256}"'}, {}):
        assert client.get(address(token, video), headers=headers).status_code == 404


@pytest.fixture
def looking_always(monkeypatch):
    monkeypatch.setattr(watching, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(watching, "release_connections", lambda: None)


def started(client, token, video):
    answer = client.get(address(token, video))
    blocks = iter(answer.streaming_content)
    assert next(blocks) == LARGE[:BLOCK_BYTES]
    return answer, blocks


def end_by_revoking(member, link):
    sharing.revoke(by=member, link=link)


def end_by_new_address(member, link):
    sharing.renew(by=member, link=link, shown=sharing.mark_of(link))


def end_by_trash(member, link):
    videos.trash(by=member, videos=[link.video])


def end_by_password(member, link):
    sharing.change(by=member, link=link, terms=sharing.Terms("Client A", 7, "open sesame"), keeps_password=False)


@pytest.mark.parametrize("end", [end_by_revoking, end_by_new_address, end_by_trash, end_by_password])
@pytest.mark.usefixtures("looking_always")
def test_file_that_is_being_sent_stops_at_the_next_block(client, member, large, end):
    link, token = make_link(by=member, video=large)
    _answer, blocks = started(client, token, large)
    assert next(blocks) == LARGE[BLOCK_BYTES : 2 * BLOCK_BYTES]
    end(member, link)
    assert next(blocks, None) is None
    assert serve.slots.taken == 0


@pytest.mark.usefixtures("looking_always")
def test_file_of_an_open_link_is_sent_whole(client, member, large):
    _link, token = make_link(by=member, video=large)
    answer, blocks = started(client, token, large)
    assert LARGE[:BLOCK_BYTES] + b"".join(blocks) == LARGE
    answer.close()


def test_the_database_is_asked_now_and_then_not_for_each_block(client, member, large, django_assert_num_queries):
    _link, token = make_link(by=member, video=large)
    answer, blocks = started(client, token, large)
    with django_assert_num_queries(0):
        assert b"".join(blocks) == LARGE[BLOCK_BYTES:]
    answer.close()


def test_strangers_leave_room_for_members(client, member, large, browser_of, settings):
    settings.MEDIA_STREAMS = 4
    _link, token = make_link(by=member, video=large)
    watching = [client.get(address(token, large)) for _ in range(3)]
    assert [answer.status_code for answer in watching] == [200] * 3
    assert client.get(address(token, large)).status_code == 503
    mine = browser_of(member).get(reverse("media.video", args=[large.id]))
    assert mine.status_code == 200
    for answer in (*watching, mine):
        answer.close()


def test_missing_preview_and_missing_file_are_the_same_404(client, member, video):
    bare = factories.make_video(by=member, files=False, preview_key="")
    _link, token = make_link(by=member, collection=make_collection(video, bare, by=member))
    gone = client.get("/s/wrong/").content
    for kind in ("video", "poster", "preview", "download"):
        answer = client.get(address(token, bare, kind))
        assert (answer.status_code, answer.content) == (404, gone)


def test_proxy_sends_the_file_where_one_is_set_up(client, member, video, settings):
    settings.MEDIA_ACCEL_PREFIX = "/protected"
    link, token = make_link(by=member, video=video)
    answer = client.get(address(token, video))
    assert answer["X-Accel-Redirect"] == f"/protected/{video.key}"
    assert answer["Cache-Control"] == "private, max-age=60, must-revalidate"
    sharing.revoke(by=member, link=link)
    assert "X-Accel-Redirect" not in client.get(address(token, video))


def test_media_write_nothing(member, video):
    link, token = make_link(by=member, video=video)
    Client(headers={"User-Agent": "Mozilla/5.0"}).get(address(token, video))
    link.refresh_from_db()
    assert (link.view_count, link.last_seen_at) == (0, None)
