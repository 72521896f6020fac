"""serve_media under a real granian, over real sockets."""

import json
import socket
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.media.server import running, wait_until

FILM = bytes(i * 7 % 251 for i in range(250_000)) * 40  # 10 MB
STREAMS = 32


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    data = tmp_path_factory.mktemp("served")
    (data / "media").mkdir()
    (data / "media" / "film.mp4").write_bytes(FILM)
    (data / "media" / "small.webp").write_bytes(FILM[:5000])
    with running(data, threads=64, streams=STREAMS) as port:
        yield port


@pytest.fixture(autouse=True)
def every_slot_comes_back(port):
    yield
    wait_until(lambda: streams(port) == 0, "a stream slot is still taken")


def connect(port, *, buffer=None):
    connection = socket.socket()
    if buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    connection.settimeout(20)
    connection.connect(("127.0.0.1", port))
    return connection


def send(connection, method, path, **headers):
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items()),
    ]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())


def read_head(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        assert block, "the connection ended inside the headers"
        data += block
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields, rest


def read_body(connection, length, rest):
    data = bytearray(rest)
    while len(data) < length:
        block = connection.recv(1 << 20)
        if not block:
            break
        data += block
    return bytes(data)


def ask(port, method="GET", path="/file/film.mp4", **headers):
    with connect(port) as connection:
        send(connection, method, path, Connection="close", **headers)
        status, fields, rest = read_head(connection)
        wanted = 1 << 40 if method == "HEAD" else int(fields.get("content-length", 1 << 40))
        return status, fields, read_body(connection, wanted, rest)


def streams(port) -> int:
    return json.loads(ask(port, path="/state")[2])["streams"]


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-1048575", 0, 1 << 20),
        ("bytes=5000000-6048575", 5_000_000, 6_048_576),
        ("bytes=9000000-", 9_000_000, None),
        ("bytes=-777", -777, None),
        ("bytes=9999990-99999999", 9_999_990, None),
    ],
)
def test_ranges_arrive_byte_for_byte(port, header, start, stop):
    status, fields, body = ask(port, Range=header)
    assert status == 206
    assert body == FILM[start:stop]
    assert int(fields["content-length"]) == len(body)
    assert fields["content-range"].endswith(f"/{len(FILM)}")


def test_the_whole_file_arrives(port):
    status, fields, body = ask(port)
    assert (status, len(body), fields["accept-ranges"]) == (200, len(FILM), "bytes")
    assert body == FILM


def test_outside_is_416_and_several_are_200(port):
    status, fields, body = ask(port, Range="bytes=10000000-")
    assert (status, fields["content-range"], body) == (416, f"bytes */{len(FILM)}", b"")
    assert ask(port, Range="bytes=0-1,4-5")[2] == FILM


def test_if_range_and_if_none_match(port):
    etag = f'"{"ab" * 32}"'
    assert ask(port, Range="bytes=0-9", If_Range=etag)[0] == 206
    assert ask(port, Range="bytes=0-9", If_Range='"else"')[0] == 200
    status, _fields, body = ask(port, If_None_Match=etag)
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("path", ["/file/film.mp4", "/file/small.webp"])
def test_head_tells_the_length_and_sends_nothing(port, path):
    status, fields, body = ask(port, "HEAD", path)
    assert (status, body) == (200, b"")
    assert fields["content-length"] == str(len(FILM) if "film" in path else 5000)


def test_one_connection_carries_many_ranges(port):
    with connect(port) as connection:
        for start in range(0, 3_000_000, 300_001):
            send(connection, "GET", "/file/film.mp4", Range=f"bytes={start}-{start + 299_999}")
            status, _fields, rest = read_head(connection)
            assert status == 206
            assert read_body(connection, 300_000, rest) == FILM[start : start + 300_000]


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_viewer_who_leaves_in_the_middle_frees_the_slot(port, reset):
    connection = connect(port, buffer=4096)
    send(connection, "GET", "/file/film.mp4")
    assert read_head(connection)[0] == 200
    assert streams(port) == 1
    if reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    wait_until(lambda: streams(port) == 0, "the slot was not freed")


def test_forty_slow_viewers_leave_pages_alive_and_then_everything_recovers(port):
    viewers = [connect(port, buffer=4096) for _ in range(40)]
    try:
        for viewer in viewers:
            send(viewer, "GET", "/file/film.mp4")
        with ThreadPoolExecutor(40) as pool:
            heads = list(pool.map(read_head, viewers))
        statuses = [status for status, _fields, _rest in heads]
        assert (statuses.count(200), statuses.count(503)) == (STREAMS, 40 - STREAMS)
        assert all(fields["retry-after"] == "2" for status, fields, _rest in heads if status == 503)
        assert streams(port) == STREAMS
        assert ask(port, path="/file/small.webp")[2] == FILM[:5000]
        finisher = statuses.index(200)
        _status, _fields, rest = heads[finisher]
        assert read_body(viewers[finisher], len(FILM), rest) == FILM
        wait_until(lambda: streams(port) == STREAMS - 1, "the finished stream kept its slot")
        assert ask(port, Range="bytes=0-9")[0] == 206
    finally:
        for viewer in viewers:
            viewer.close()
    wait_until(lambda: streams(port) == 0, "a slot was not freed")
    assert ask(port)[0] == 200
