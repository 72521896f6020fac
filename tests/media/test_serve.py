"""serve_media through RequestFactory: every form of request, byte for byte."""

import gc
from datetime import UTC, datetime

import pytest
from django.http import Http404
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from playground.media import serve
from playground.media.ranges import RangeNotSatisfiable, parse_range
from playground.media.serve import SMALL_FILE_BYTES, content_disposition, serve_media
from playground.media.streams import FileSlice

pytestmark = pytest.mark.pure

KEY = "videos/2026/11/film.mp4"
ETAG = "0f" * 32
MODIFIED = datetime(2026, 11, 21, 3, 0, 0, 500, tzinfo=UTC)
MODIFIED_HEADER = "Sat, 21 Nov 2026 03:00:00 GMT"
LARGE = bytes(i * 7 % 251 for i in range(700_000))
SMALL = LARGE[:1000]
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(params=[LARGE, SMALL], ids=["streamed", "at once"])
def data(request, media_store):
    return stored(media_store, request.param)


@pytest.fixture
def large(media_store):
    return stored(media_store, LARGE)


@pytest.fixture(autouse=True)
def every_stream_ends():
    yield
    if serve.slots.taken:
        gc.collect()
    assert serve.slots.taken == 0


def stored(root, data):
    path = root / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return data


def ask(method="GET", *, release=lambda: None, download_name=None, **headers):
    request = getattr(RequestFactory(), method.lower())(
        "/", headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    return serve_media(
        request,
        KEY,
        content_type="video/mp4",
        etag=ETAG,
        last_modified=MODIFIED,
        download_name=download_name,
        release=release,
    )


def body(response) -> bytes:
    data = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return data


def test_the_small_and_the_large_sample_take_both_ways():
    assert len(SMALL) < SMALL_FILE_BYTES < len(LARGE)


def test_without_range_the_whole_file_is_sent(data):
    response = ask()
    assert response.status_code == 200
    assert body(response) == data
    assert response["Content-Length"] == str(len(data))
    assert "Content-Range" not in response


def test_headers_keep_the_file_harmless_private_and_seekable(data):
    response = ask()
    response.close()
    assert {name: response[name] for name in SECURITY} == SECURITY
    assert response["Content-Type"] == "video/mp4"
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == f'"{ETAG}"'
    assert response["Last-Modified"] == MODIFIED_HEADER
    assert response["Cache-Control"] == "private, max-age=300, must-revalidate"
    assert response["Vary"] == "Cookie"
    assert response["Content-Disposition"] == "inline"


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-199", 100, 200),
        ("bytes=500-", 500, None),
        ("bytes=0-", 0, None),
        ("bytes=-1", -1, None),
        ("bytes=-300", -300, None),
        ("bytes=-99999999", 0, None),
        ("bytes=900-99999999999999999999999999", 900, None),
        ("BYTES = 10 - 19 ", 10, 20),
        ("bytes=0-" + "9" * 5000, 0, None),
    ],
)
def test_a_range_is_answered_with_exactly_its_bytes(header, start, stop, data):
    response = ask(Range=header)
    expected = data[start:stop]
    first = start if start >= 0 else len(data) + start
    assert response.status_code == 206
    assert body(response) == expected
    assert response["Content-Length"] == str(len(expected))
    assert response["Content-Range"] == f"bytes {first}-{first + len(expected) - 1}/{len(data)}"
    assert response["ETag"] == f'"{ETAG}"'


def test_the_last_byte_can_be_asked_for(data):
    last = len(data) - 1
    assert body(ask(Range=f"bytes={last}-{last}")) == data[-1:]


@pytest.mark.parametrize("header", ["bytes=700000-", "bytes=8888888-9999999", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_outside_the_file_is_416_with_its_size(header, data):
    response = ask(Range=header)
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{len(data)}"
    assert response["Content-Length"] == "0"
    assert body(response) == b""
    assert {name: response[name] for name in SECURITY} == SECURITY


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-1,5-6",
        "bytes=5-2",
        "bytes=-",
        "bytes=a-b",
        "bytes=",
        "items=0-5",
        "bytes 0-5",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=٣-٤",
    ],
)
def test_several_ranges_or_a_malformed_one_get_the_whole_file(header, data):
    response = ask(Range=header)
    assert response.status_code == 200
    assert body(response) == data


@given(st.integers(1, 500), st.integers(0, 600), st.integers(0, 600))
def test_a_parsed_range_is_what_slicing_gives(size, first, last):
    sample = bytes(i % 256 for i in range(size))
    try:
        part = parse_range(f"bytes={first}-{last}", size)
    except RangeNotSatisfiable:
        assert first >= size
        return
    if part is None:
        assert last < first
        return
    assert sample[part.start : part.stop] == sample[first : last + 1]


def test_an_empty_file_ignores_ranges(media_store):
    stored(media_store, b"")
    response = ask(Range="bytes=0-")
    assert (response.status_code, response["Content-Length"], body(response)) == (200, "0", b"")


@pytest.mark.parametrize("value", [f'"{ETAG}"', MODIFIED_HEADER])
def test_if_range_that_matches_gives_the_part(value, data):
    response = ask(Range="bytes=0-9", If_Range=value)
    assert response.status_code == 206
    assert body(response) == data[:10]


@pytest.mark.parametrize(
    "value", ['"other"', f'W/"{ETAG}"', ETAG, "Sat, 21 Nov 2026 03:00:01 GMT", "Fri, 20 Nov 2026 03:00:00 GMT", "x", ""]
)
def test_if_range_that_does_not_match_gives_the_whole_file(value, data):
    response = ask(Range="bytes=0-9", If_Range=value)
    assert response.status_code == 200
    assert body(response) == data


@pytest.mark.parametrize(
    "headers",
    [
        {"If_None_Match": f'"{ETAG}"'},
        {"If_None_Match": f'"other", W/"{ETAG}"'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": MODIFIED_HEADER},
        {"If_None_Match": f'"{ETAG}"', "Range": "bytes=0-9"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_unchanged_file_is_304_without_a_body(method, headers, data):
    response = ask(method, **headers)
    assert response.status_code == 304
    assert body(response) == b""
    assert response["ETag"] == f'"{ETAG}"'
    assert response["Cache-Control"].startswith("private")
    assert response["Vary"] == "Cookie"


@pytest.mark.parametrize(
    "headers",
    [{"If_None_Match": '"other"'}, {"If_Modified_Since": "Fri, 20 Nov 2026 03:00:00 GMT"}],
)
def test_a_changed_file_is_sent(headers, data):
    response = ask(**headers)
    assert response.status_code == 200
    assert body(response) == data


def test_if_match_that_fails_is_412(data):
    assert ask(If_Match='"other"').status_code == 412


def test_head_has_the_headers_of_get_and_no_body(data):
    response, whole = ask("HEAD", Range="bytes=0-9"), ask()
    whole.close()
    assert response.status_code == 200
    assert body(response) == b""
    assert dict(response.items()) == dict(whole.items())


def test_a_missing_file_is_404(media_store):
    with pytest.raises(Http404):
        ask()


@pytest.mark.parametrize(
    ("name", "header"),
    [
        (None, "inline"),
        ("harbour.mp4", 'attachment; filename="harbour.mp4"'),
        (
            "Nacht – ä.mp4",
            "attachment; filename=\"Nacht _ _.mp4\"; filename*=UTF-8''Nacht%20%E2%80%93%20%C3%A4.mp4",
        ),
        ('a"b\r\nSet-Cookie: x.mp4', 'attachment; filename="a_b_Set-Cookie_ x.mp4"'),
        ("../../etc/passwd", 'attachment; filename="_.._etc_passwd"'),
        ("...", 'attachment; filename="download"'),
    ],
)
def test_a_download_name_can_do_no_harm(name, header):
    assert content_disposition(name) == header


def test_download_makes_it_an_attachment(data):
    response = ask(download_name="film.mp4")
    response.close()
    assert response["Content-Disposition"] == 'attachment; filename="film.mp4"'


def test_the_database_is_given_back_before_the_first_byte(large):
    calls = []
    response = ask(release=lambda: calls.append("released"))
    assert calls == []
    stream = iter(response.streaming_content)
    next(stream)
    next(stream)
    assert calls == ["released"]
    response.close()


def test_streams_are_bounded_and_the_next_one_is_told_when_to_come_back(large, settings):
    settings.MEDIA_STREAMS = 2
    first, second = ask(), ask(Range="bytes=0-9")
    refused = ask()
    assert refused.status_code == 503
    assert refused["Retry-After"] == "2"
    assert refused["Cache-Control"] == "no-store"
    assert body(second) == LARGE[:10]
    third = ask()
    assert third.status_code == 200
    first.close()
    third.close()


def test_small_files_head_and_304_need_no_slot(media_store, settings):
    stored(media_store, SMALL)
    settings.MEDIA_STREAMS = 0
    assert body(ask()) == SMALL
    assert ask("HEAD").status_code == 200
    assert ask(If_None_Match="*").status_code == 304


def test_a_stream_closed_half_way_frees_its_slot_and_its_file(large):
    response = ask()
    next(iter(response.streaming_content))
    assert serve.slots.taken == 1
    response.close()
    response.close()
    assert serve.slots.taken == 0


def test_an_answer_dropped_before_it_was_started_frees_its_slot(large):
    response = ask()
    assert serve.slots.taken == 1
    del response
    gc.collect()
    assert serve.slots.taken == 0


def test_a_file_that_shrank_breaks_off_instead_of_ending_well(tmp_path):
    path = tmp_path / "short"
    path.write_bytes(b"12345")
    closed = []
    part = FileSlice(path.open("rb"), 10, on_start=lambda: None, on_close=lambda: closed.append(1), block_size=4)
    with pytest.raises(OSError, match="5 bytes early"):
        list(part)
    assert closed == [1]


def test_blocks_are_bounded(large):
    response = ask()
    sizes = [len(block) for block in response.streaming_content]
    response.close()
    assert max(sizes) == 256 * 1024
    assert sum(sizes) == len(LARGE)


def test_behind_a_proxy_the_answer_is_empty_and_names_the_file(media_store, settings):
    settings.MEDIA_ACCEL_PREFIX = "/internal-media/"
    request = RequestFactory().get("/", headers={"Range": "bytes=0-9"})
    response = serve_media(
        request, "videos/ä b%.mp4", content_type="video/mp4", etag=ETAG, last_modified=MODIFIED, download_name="a.mp4"
    )
    assert (response.status_code, response.content) == (200, b"")
    assert response["X-Accel-Redirect"] == "/internal-media/videos/%C3%A4%20b%25.mp4"
    assert response["Content-Type"] == "video/mp4"
    assert response["Content-Disposition"] == 'attachment; filename="a.mp4"'
    assert response["Cache-Control"].startswith("private")
    assert "Content-Length" not in response
    assert "ETag" not in response
