"""Each address that gives out bytes: harmless in a browser, for the team alone, and a file that nobody else reads."""

from io import BytesIO

import pytest
from django.urls import get_resolver, reverse
from PIL import Image

from playground.media import storage
from playground.services import uploads
from tests import factories

pytestmark = pytest.mark.pure

NAMES = ["video", "poster", "preview", "download", "reference", "reference_thumb"]
KINDS = {"reference": "image/jpeg", "reference_thumb": "image/webp", "poster": "image/webp"}


@pytest.fixture
def address(member):
    sink = BytesIO()
    Image.new("RGB", (64, 64), "teal").save(sink, "PNG")
    reference, video = uploads.store(by=member, stream=sink), factories.make_video(by=member)
    return lambda name: reverse(f"media.{name}", args=[(reference if "reference" in name else video).id])


def body(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def test_no_address_of_bytes_is_forgotten():
    names = [str(getattr(pattern, "name", "")) for pattern in get_resolver().url_patterns]
    found = {name for name in names if name.startswith("media.")}
    assert found == {f"media.{name}" for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_bytes_can_do_nothing_in_a_browser(name, member, browser_of, address):
    answer = browser_of(member).get(address(name))
    assert answer.status_code == 200
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Content-Type"] == KINDS.get(name, "video/mp4")
    assert answer["Content-Disposition"].startswith("attachment; filename=" if name == "download" else "inline")
    assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_bytes_are_exact(name, member, browser_of, address):
    client, place = browser_of(member), address(name)
    data = body(client.get(place))
    for asked, part in {
        "bytes=0-0": data[:1],
        "bytes=5-9": data[5:10],
        "bytes=5-": data[5:],
        "bytes=-7": data[-7:],
        f"bytes={len(data) - 1}-": data[-1:],
        "bytes=0-999999999": data,
    }.items():
        answer = client.get(place, headers={"range": asked})
        assert (answer.status_code, body(answer)) == (206, part), asked
    for asked in (f"bytes={len(data)}-", "bytes=-0"):
        assert client.get(place, headers={"range": asked}).status_code == 416, asked
    for asked in ("bytes=9-5", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b"):
        answer = client.get(place, headers={"range": asked})
        assert (answer.status_code, body(answer)) == (200, data), asked


@pytest.mark.parametrize("name", NAMES)
def test_stranger_gets_no_byte(name, stranger, browser_of, address):
    assert browser_of(stranger).get(address(name)).status_code == 404
    assert browser_of().get(address(name)).status_code == 302


def test_original_of_a_picture_has_no_address_and_no_file_is_for_everybody(member, settings):
    sink = BytesIO()
    Image.new("RGB", (64, 64)).save(sink, "PNG")
    reference = uploads.store(by=member, stream=sink)
    for key in (reference.key, reference.thumb_key, reference.original_key):
        path = storage.local_path(key)
        assert path.stat().st_mode & 0o777 == 0o640
        assert not path.is_relative_to(settings.STATIC_ROOT)
