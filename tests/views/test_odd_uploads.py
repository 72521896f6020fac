"""Forms with a file as no browser sends them: a message or a picture, never a 500, and nothing left behind."""

from pathlib import Path

import pytest

from playground.media.images import MAX_FILE_BYTES
from playground.models import Reference
from playground.upload_handlers import MAX_PART_HEAD_BYTES
from tests.browser.conftest import jpeg

pytestmark = pytest.mark.pure

BOUNDARY = "part"
KIND = f"multipart/form-data; boundary={BOUNDARY}"


def part(head: str, body: bytes = b"") -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


def file(name: str, body: bytes, field: str = "reference") -> bytes:
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: image/jpeg'
    return part(head, body)


def field(name: str, value: str) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', value.encode())


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def send(member, browser_of, settings, tmp_path):
    """Posts these parts as a reference image and tells what is answered. No temporary file may be left."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    browser = browser_of(member)

    def post(*parts: bytes, **extra):
        body = field("team", member.team.slug) + b"".join(parts)
        return browser.generic("POST", "/references/", body, content_type=KIND, **extra)

    yield post
    assert list(tmp_path.iterdir()) == []
    assert not [*Path(settings.MEDIA_ROOT).rglob("*.part"), *Path(settings.DATA_DIR).glob("tmp/*")]


LONG = ["a" * 5000 + ".jpg", "a." + "x" * 900, "a." + "x" * 5000, "ü" * 300]
ODD = ["../../etc/passwd", "..", "/", "CON", "a\tb"]


@pytest.mark.parametrize("name", LONG + ODD)
def test_name_of_a_file_does_not_matter(send, name):
    answer = send(file(name, jpeg()), END)
    assert answer.status_code in (200, 422)
    if name not in ("..", "/"):
        assert (answer.status_code, Reference.objects.count()) == (200, 1)


def test_name_of_a_megabyte_is_refused_in_words(send):
    answer = send(file("a" * 1_000_000, jpeg()), END)
    assert answer.status_code == 400
    assert "could not read" in answer.content.decode()


def test_heads_up_to_the_limit_are_read(send):
    assert send(file("a" * (MAX_PART_HEAD_BYTES - 200), jpeg()), END).status_code == 200


NO_FILE = {
    "empty file": file("a.jpg", b"") + END,
    "empty name": file("", b"words") + END,
    "no name": field("reference", "bytes without a name") + END,
    "no file at all": END,
    "another field": file("a.jpg", jpeg(), field="other") + END,
}


@pytest.mark.parametrize("body", NO_FILE.values(), ids=NO_FILE)
def test_no_file_is_said_beside_the_field(send, body):
    answer = send(body)
    assert answer.status_code == 422
    assert 'id="reference-error"' in answer.content.decode()
    assert not Reference.objects.exists()


def test_of_two_files_the_last_is_taken(send):
    assert send(file("a.jpg", jpeg((64, 64))), file("b.jpg", jpeg((128, 64))), END).status_code == 200
    assert Reference.objects.get().width == 128


BROKEN = {
    "a text in place of a form": b"hello",
    "cut in the file": file("a.jpg", jpeg())[:-200],
    "cut in a head": file("a.jpg", jpeg()) + b'--part\r\nContent-Disposition: form-data; name="x',
    "no end": file("a.jpg", jpeg()),
    "no picture": file("a.jpg", b"\xff\xd8\xff" + bytes(5000)) + END,
    "base64 that is none": part(
        'Content-Disposition: form-data; name="reference"; filename="a.jpg"\r\nContent-Transfer-Encoding: base64',
        b"%%%",
    )
    + END,
    "a thousand heads": part("\r\n".join(f"X-{n}: y" for n in range(1000)), b"") + END,
    "parts without names": part("Content-Type: image/jpeg", jpeg()) * 200 + END,
    "nested": part('Content-Type: multipart/mixed; boundary="inner"', b"--inner\r\n\r\nx\r\n--inner--") + END,
    "a NUL": field("prompt", "a\0b") + file("a\0.jpg", jpeg()) + END,
    "bytes that are no text": part('Content-Disposition: form-data; name="prompt"', b"\xff\xfe\x80") + END,
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_broken_form_is_answered_in_words(send, body):
    answer = send(body)
    assert answer.status_code in (200, 400, 404, 413, 422)
    assert answer.content.strip()


@pytest.mark.parametrize("length", ["0", "5", "-1", "abc", "99999999"])
def test_wrong_length_is_answered_in_words(send, length):
    answer = send(file("a.jpg", jpeg()), END, CONTENT_LENGTH=length)
    assert answer.status_code in (400, 413, 422)


def test_file_over_the_limit_is_said_beside_the_field(send):
    answer = send(file("a.jpg", bytes(MAX_FILE_BYTES + 1)), END)
    assert answer.status_code == 422
    assert "12 MiB" in answer.content.decode()
