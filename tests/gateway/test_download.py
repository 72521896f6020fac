"""Bringing files home: nothing about the place they come from is trusted."""

import gzip
import hashlib
import io
import socket

import pytest

from playground.gateway import download
from playground.gateway.client import GatewayClient
from playground.gateway.errors import Deadline, GatewayError, NotSent, OutputBad, OutputGone, OutputLength, Unclear
from playground.gateway.types import Dialect, Job, JobState, Limits, Output
from tests.gateway.fake import QUICK, Behaviour, Fake, Heard, client, config, fake, in_turn, says

FILM = bytes(range(256)) * 1000


def job(url: str | None, size: int | None = None) -> Job:
    return Job(id="video_1", state=JobState.COMPLETED, output=Output(url, "video/mp4", size))


def film(server: Fake, size: int | None = None) -> Job:
    return job(f"{server.origin}/media/v.mp4", size)


def video(**headers: str) -> Behaviour:
    return says(200, FILM, **({"Content_Type": "video/mp4"} | headers))


def test_a_file_is_streamed_counted_and_hashed_without_the_key() -> None:
    sink, seen = io.BytesIO(), []
    with fake(video()) as server:
        got = client(server).download(film(server, len(FILM)), sink, progress=seen.append)
    assert sink.getvalue() == FILM
    assert (got.size_bytes, got.sha256) == (len(FILM), hashlib.sha256(FILM).hexdigest())
    assert got.content_type == "video/mp4"
    assert seen[-1] == len(FILM)
    assert seen == sorted(seen)
    assert "authorization" not in server.heard[0].headers
    assert server.heard[0].headers["accept-encoding"] == "identity"


def test_the_gateways_own_content_is_asked_for_with_the_key() -> None:
    sink = io.BytesIO()
    with fake(video()) as server:
        client(server, dialect=Dialect.OPENAI).download(job(None), sink)
    assert server.heard[0].target == "/openai/v1/videos/video_1/content"
    assert "authorization" in server.heard[0].headers


def test_a_completed_job_without_a_file_asks_to_read_it_again() -> None:
    with fake(video()) as server, pytest.raises(OutputGone) as caught:
        client(server).download(Job(id="v", state=JobState.COMPLETED), io.BytesIO())
    assert caught.value.code == "output_missing"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_dead_link_is_gone(status: int) -> None:
    with fake(says(status)) as server, pytest.raises(OutputGone):
        client(server).download(film(server), io.BytesIO())


def truncated(_heard: Heard, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 9999\r\n\r\nshort")
    sock.shutdown(socket.SHUT_RDWR)


def truncated_chunks(_heard: Heard, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    sock.shutdown(socket.SHUT_RDWR)


def endless(_heard: Heard, sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
    while True:
        sock.sendall(b"x" * 65536)


@pytest.mark.parametrize(
    ("behave", "told", "expected", "code"),
    [
        (truncated, None, Unclear, "download_broken"),
        (says(503), None, Unclear, "server_error"),
        (says(206, FILM, Content_Type="video/mp4"), None, OutputBad, "output_bad"),
        (video(), len(FILM) + 1, OutputLength, "output_length"),
        (truncated_chunks, None, Unclear, "download_broken"),
        (says(200, b"<html>", Content_Type="text/html"), None, OutputBad, "output_type"),
        (says(200, {"error": "x"}), None, OutputBad, "output_type"),
        (says(200, b"", Content_Type="video/mp4"), None, OutputBad, "output_empty"),
        (endless, 300_000, OutputBad, "output_too_large"),
        (endless, None, OutputBad, "output_too_large"),
        (
            says(200, gzip.compress(b"0" * 10_000_000), Content_Type="video/mp4", Content_Encoding="gzip"),
            None,
            OutputBad,
            "output_encoded",
        ),
        (says(200, b"x", Content_Type="video/mp4", Content_Length="99999999999"), None, OutputBad, "output_too_large"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value))[:30],
)
def test_each_bad_file_is_refused(behave: Behaviour, told: int | None, expected: type, code: str) -> None:
    limits = Limits(download=QUICK, max_download_bytes=1_000_000)
    with fake(behave) as server, pytest.raises(GatewayError) as caught:
        client(server, limits=limits).download(film(server, told), io.BytesIO())
    assert type(caught.value) is expected
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Content_Encoding": "aws-chunked"}),
        (200, {"Content_Encoding": "utf-8"}),
        (206, {"Content_Range": f"bytes 0-{len(FILM) - 1}/{len(FILM)}"}),
    ],
)
def test_whole_file_is_taken_whatever_a_store_calls_it(status: int, headers: dict[str, str]) -> None:
    sink = io.BytesIO()
    with fake(says(status, FILM, Content_Type="video/mp4", **headers)) as server:
        client(server, limits=Limits(download=QUICK)).download(film(server, None), sink)
    assert sink.getvalue() == FILM


@pytest.mark.parametrize("told", ["bytes 1-9/10", "bytes 0-8/10", "bytes 0-9/*", "all"])
def test_part_of_a_file_is_refused(told: str) -> None:
    with fake(says(206, FILM, Content_Type="video/mp4", Content_Range=told)) as server, pytest.raises(OutputBad):
        client(server, limits=Limits(download=QUICK)).download(film(server, None), io.BytesIO())


def test_file_that_goes_on_far_beyond_what_was_told_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "MUCH_BYTES", 100_000)
    sink = io.BytesIO()
    with fake(endless) as server, pytest.raises(OutputBad) as caught:
        client(server, limits=Limits(download=QUICK)).download(film(server, 5), sink)
    assert caught.value.code == "output_length"
    assert sink.tell() <= 100_020


def test_a_dripping_media_host_is_ended_by_the_deadline() -> None:
    def drips(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n\r\n")
        while not server.closed.wait(0.05):
            sock.sendall(b"x")

    beats: list[int] = []
    with fake(drips) as server, pytest.raises(Deadline):
        client(server).download(film(server), io.BytesIO(), progress=beats.append)
    assert beats


@pytest.mark.parametrize(("length", "code"), [(400, "download_slow"), (40_000, "deadline")])
def test_file_of_which_much_has_come_is_slow_and_not_endless(length: int, code: str) -> None:
    """When its time is over: a second and a half here, in which some 250 bytes come."""

    def drips(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % length)
        while not server.closed.wait(0.05):
            sock.sendall(b"x" * 10)

    with fake(drips) as server, pytest.raises(Unclear) as caught:
        client(server, limits=Limits(download=QUICK)).download(film(server, None), io.BytesIO())
    assert caught.value.code == code


def crawling(server: Fake, *, pieces: int, length: int | None = None) -> Behaviour:
    told = f"Content-Length: {length}\r\n" if length else ""

    def crawls(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n{told}Connection: close\r\n\r\n".encode())
        for _ in range(pieces):
            if server.closed.wait(0.02):
                return
            sock.sendall(b"x" * 100)
        sock.shutdown(socket.SHUT_RDWR)

    return crawls


def crawl(monkeypatch: pytest.MonkeyPatch, *, length: int | None, asked: list[bool] | None) -> int:
    """The bytes of a file of 1 000 that comes in two such minutes, where each question is answered by `asked`."""
    monkeypatch.setattr(download, "CRAWL_S", 0.11)
    sink = io.BytesIO()
    with fake(lambda heard, sock: crawling(server, pieces=10, length=length)(heard, sock)) as server:
        gives_way = (lambda _drips: asked.pop()) if asked is not None else None
        client(server).download(film(server), sink, gives_way=gives_way)
    return len(sink.getvalue())


def test_download_that_crawls_is_given_up_for_now_when_its_place_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would keep a place from others for as long as a large file may take."""
    with pytest.raises(Unclear) as caught:
        crawl(monkeypatch, length=None, asked=[True])
    assert caught.value.code == "download_slow"


def test_download_that_crawls_goes_on_while_nobody_wants_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert crawl(monkeypatch, length=None, asked=[False] * 10) == 1000
    assert crawl(monkeypatch, length=None, asked=None) == 1000


def test_download_that_is_nearly_complete_is_never_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left comes within another minute as the one before; nobody is even asked."""
    assert crawl(monkeypatch, length=1000, asked=[]) == 1000


def test_an_exception_of_the_heartbeat_or_the_sink_ends_the_download() -> None:
    class Full(io.RawIOBase):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    with fake(video()) as server, pytest.raises(OSError, match="No space"):
        client(server).download(film(server), Full())  # type: ignore[arg-type]


def redirect(to: str) -> Behaviour:
    return says(302, b"", Location=to)


def test_redirects_within_the_gateway_are_followed_up_to_three_times() -> None:
    with fake(in_turn(redirect("/b"), redirect("/c"), redirect("/d"), video())) as server:
        client(server).download(film(server), io.BytesIO())
    assert [heard.target for heard in server.heard] == ["/media/v.mp4", "/b", "/c", "/d"]
    with fake(redirect("/again")) as server, pytest.raises(OutputBad) as caught:
        client(server).download(film(server), io.BytesIO())
    assert caught.value.code == "output_redirects"
    assert len(server.heard) == 4


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{other}/v.mp4",
        "https://127.0.0.1/v.mp4",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/v.mp4",
        "https://[::ffff:127.0.0.1]/v.mp4",
        "https://2130706433/v.mp4",
        "https://0x7f.1/v.mp4",
        "https://0177.0.0.1/v.mp4",
        "http://media.example/v.mp4",
        "https://media.example:8443/v.mp4",
        "https://user:secret@media.example/v.mp4",
        "ftp://media.example/v.mp4",
        "file:///etc/passwd",
        "https://[broken/v.mp4",
    ],
)
def test_a_redirect_to_a_forbidden_place_is_refused_and_not_dialled(target: str) -> None:
    with (
        fake(video()) as other,
        fake(redirect(target.format(other=other.port))) as server,
        pytest.raises(OutputBad) as caught,
    ):
        client(server).download(film(server), io.BytesIO())
    assert caught.value.code == "output_place"
    assert other.connections == 0


def test_a_redirect_away_takes_no_key_along() -> None:
    asked: list[str] = []

    def resolver(host: str, port: int, seconds: float) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "127.0.0.1" else ["10.0.0.7"]

    with fake(redirect("https://media.example/v.mp4")) as server:
        gateway = GatewayClient(config(server, dialect=Dialect.OPENAI), resolver=resolver)
        with pytest.raises(OutputBad):
            gateway.download(job(None), io.BytesIO())
    assert asked == ["127.0.0.1", "media.example"]


def test_a_name_is_resolved_once_so_a_second_answer_cannot_slip_in() -> None:
    answers = iter([["10.0.0.7"], ["127.0.0.1"]])
    asked = []

    def rebinding(host: str, port: int, seconds: float) -> list[str]:
        asked.append(host)
        return next(answers)

    gateway = GatewayClient(config(), resolver=rebinding)
    with pytest.raises(OutputBad):
        gateway.download(job("https://rebind.example/v.mp4"), io.BytesIO())
    assert asked == ["rebind.example"]


@pytest.mark.parametrize("found", [["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"], ["nonsense"]])
def test_one_bad_address_refuses_the_whole_name(found: list[str]) -> None:
    gateway = GatewayClient(config(), resolver=lambda host, port, seconds: found)
    with pytest.raises(OutputBad) as caught:
        gateway.download(job("https://mixed.example/v.mp4"), io.BytesIO())
    assert caught.value.code == "output_place"


def test_a_resolver_that_fails_or_gives_nothing_refuses() -> None:
    def fails(host: str, port: int, seconds: float) -> list[str]:
        raise NotSent("The name of the host could not be looked up.", code="name_lookup")

    for resolver in (fails, lambda host, port, seconds: []):
        with pytest.raises(NotSent) as caught:
            GatewayClient(config(), resolver=resolver).download(job("https://x.example/v"), io.BytesIO())
        assert caught.value.code == "name_lookup"


def test_without_leave_for_this_machine_even_the_gateways_own_media_must_be_public() -> None:
    settings = config(base_url="https://gateway.example/v1", allow_loopback=False)
    gateway = GatewayClient(settings, resolver=lambda host, port, seconds: ["10.1.2.3"])
    with pytest.raises(OutputBad):
        gateway.download(job("https://gateway.example/v.mp4"), io.BytesIO())
    with pytest.raises(OutputBad):
        gateway.download(job("http://gateway.example/v.mp4"), io.BytesIO())
