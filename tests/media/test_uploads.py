"""The upload handler: in process for its rules, and under a real granian for what arrives."""

import io
import json
import re
import socket
from contextlib import suppress

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.test import RequestFactory
from PIL import Image

from playground.media.images import MAX_FILE_BYTES, ImageRefused, normalise
from playground.upload_handlers import CHUNK_BYTES, MAX_BODY_BYTES, CappedUploadHandler, UploadTooLarge
from tests.media.server import running

HANDLERS = ["playground.upload_handlers.CappedUploadHandler"]


@pytest.fixture
def form(settings, tmp_path):
    """Makes a POST request with this file and a prompt."""
    settings.FILE_UPLOAD_HANDLERS = HANDLERS
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    requests = []

    def make(data: bytes, **extra):
        file = io.BytesIO(data)
        file.name = "picture.png"
        request = RequestFactory().post("/", {"reference": file, "prompt": "a harbour", **extra})
        requests.append(request)
        return request

    yield make
    for request in requests:
        request.close()


def test_even_a_small_file_goes_to_disk(form, tmp_path):
    sent = form(b"tiny").FILES["reference"]
    assert isinstance(sent, TemporaryUploadedFile)
    assert sent.temporary_file_path().startswith(str(tmp_path))
    assert sent.read() == b"tiny"


def test_a_file_of_exactly_the_limit_arrives_whole(form):
    request = form(b"x" * MAX_FILE_BYTES)
    sent = request.FILES["reference"]
    assert sent.size == MAX_FILE_BYTES
    assert sent.read() == b"x" * MAX_FILE_BYTES


def test_a_file_over_the_limit_is_cut_on_disk_and_the_form_survives(form, tmp_path):
    request = form(b"x" * (MAX_FILE_BYTES + 5_000_000))
    assert request.POST["prompt"] == "a harbour"
    sent = request.FILES["reference"]
    assert sent.size == MAX_FILE_BYTES + 5_000_000
    assert len(sent.read()) == MAX_FILE_BYTES + 1
    with pytest.raises(ImageRefused) as refused:
        normalise(sent.file, tmp_path / "out.jpg")
    assert refused.value.code == "too_large"


def test_a_body_over_the_limit_is_refused_before_it_is_read(form):
    request = form(b"x")
    request.META["CONTENT_LENGTH"] = str(MAX_BODY_BYTES + 1)
    with pytest.raises(UploadTooLarge):
        _ = request.POST


def test_a_body_that_lies_about_its_length_is_cut_off(settings, tmp_path):
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path
    request = RequestFactory().post("/")
    handler = CappedUploadHandler(request)
    handler.new_file("reference", "a.png", "image/png", 10, None, None)
    block = b"x" * CHUNK_BYTES
    for _number in range(MAX_BODY_BYTES // CHUNK_BYTES):
        handler.receive_data_chunk(block, 0)
    with pytest.raises(UploadTooLarge):
        handler.receive_data_chunk(block, 0)
    handler.file.close()


def test_two_files_are_limited_together_and_each_alone(form):
    second = io.BytesIO(b"second")
    second.name = "b.png"
    request = form(b"x" * (MAX_FILE_BYTES + 10), more=second)
    assert len(request.FILES["reference"].read()) == MAX_FILE_BYTES + 1
    assert request.FILES["more"].read() == b"second"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    data = tmp_path_factory.mktemp("uploads")
    (data / "media").mkdir()
    with running(data, threads=8) as port:
        yield port


TOKEN = "a" * 32


def post(port, data: bytes, *, declared: int | None = None):
    """Sends a form with a file and returns status and JSON. `declared` is a Content-Length other than the true one."""
    boundary = "b0undary"
    part = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = f'{part}"csrfmiddlewaretoken"\r\n\r\n{TOKEN}\r\n{part}"prompt"\r\n\r\na harbour\r\n'
    head += f'{part}"reference"; filename="p.png"\r\n\r\n'
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    lines = ["POST /upload HTTP/1.1", "Host: 127.0.0.1", f"Cookie: csrf={TOKEN}", "Connection: close"]
    lines += [f"Content-Type: multipart/form-data; boundary={boundary}", f"Content-Length: {declared or len(body)}"]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        # A server that has answered already need not read the rest.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
        answer = b""
        while block := connection.recv(65536):
            answer += block
            match = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
            if match and b"\r\n\r\n" in answer and len(answer.split(b"\r\n\r\n", 1)[1]) >= int(match[1]):
                break
    return int(answer.split()[1]), json.loads(answer.split(b"\r\n\r\n", 1)[1])


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((400, 300), 60).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_arrives_through_csrf_protection(port):
    data = picture()
    status, answer = post(port, data)
    assert status == 200
    assert answer == {"width": 400, "height": 300, "bytes": len(data), "kind": "TemporaryUploadedFile"}


def test_a_file_that_is_too_large_is_said_with_the_prompt_kept(port):
    status, answer = post(port, b"x" * (MAX_FILE_BYTES + 1))
    assert (status, answer) == (422, {"code": "too_large", "prompt": "a harbour"})


def test_two_hundred_megabytes_are_refused_after_the_first_of_them(port):
    status, answer = post(port, b"x" * 1_000_000, declared=200_000_000)
    assert (status, answer) == (413, {"error": "too large"})


def read_by(port, head: list[str], *, most: int) -> tuple[int, int]:
    """How many bytes of an endless body the server takes before it answers or hangs up, and the status (0: none)."""
    taken = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode())
        connection.settimeout(2)
        with suppress(OSError):
            while taken < most:
                taken += connection.send(b"x" * 65536)
        answer = b""
        with suppress(OSError):
            answer = connection.recv(4096)
    return taken, int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0


def test_little_of_two_hundred_megabytes_is_taken_by_the_server(port):
    head = ["POST /upload HTTP/1.1", "Host: 127.0.0.1", f"Cookie: csrf={TOKEN}", "Content-Length: 200000000"]
    head += ["Content-Type: multipart/form-data; boundary=b0undary"]
    taken, status = read_by(port, head, most=200_000_000)
    assert taken <= 12 * 2**20  # what lies in the buffers of both sockets is not read by anybody
    assert status in (413, 0)


def test_body_without_a_length_is_none(port):
    lines = ["POST /upload HTTP/1.1", "Host: 127.0.0.1", f"Cookie: csrf={TOKEN}", "Transfer-Encoding: chunked"]
    lines += ["Content-Type: multipart/form-data; boundary=b0undary", "Connection: close"]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + b"5\r\nhello\r\n0\r\n\r\n")
        answer = connection.recv(4096)
    assert int(answer.split()[1]) in (400, 403, 411)
