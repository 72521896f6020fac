"""A WSGI program behind ASGI: what it is told, and how its answers go out."""

import asyncio
import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from playground.front import bridge as module
from playground.front.bodies import Message
from playground.front.bridge import Bridge, TooManyStreams, environ_of

pytestmark = pytest.mark.pure

SCOPE: Message = {
    "method": "POST",
    "raw_path": b"/caf%C3%A9/",
    "query_string": b"a=%20b",
    "server": ("127.0.0.1", "8000"),
    "client": ("10.0.0.7", "51000"),
    "http_version": "1.1",
    "scheme": "http",
    "headers": [
        (b"host", b"play.example"),
        (b"content-type", b"text/plain"),
        (b"content-length", b"5"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"x-forwarded-for", b"1.1.1.1"),
        (b"x-forwarded-for", b"2.2.2.2"),
        (b"x_forwarded_for", b"6.6.6.6"),
    ],
}


def test_a_program_is_told_what_pep_3333_asks_for() -> None:
    environ = environ_of(SCOPE)
    told = {name: value for name, value in environ.items() if not name.startswith("wsgi.")}
    assert told == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/caf\xc3\xa9/",
        "QUERY_STRING": "a=%20b",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "10.0.0.7",
        "HTTP_HOST": "play.example",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "5",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_FORWARDED_FOR": "1.1.1.1,2.2.2.2",
    }
    assert environ["wsgi.url_scheme"] == "http"


class Blocks:
    """An answer that streams, as Django's do."""

    streaming = True

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.blocks = blocks
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.blocks

    def close(self) -> None:
        self.closed += 1


class Server:
    """The other end: keeps what is sent, takes no more than `takes` messages, and tells when its client leaves."""

    def __init__(self, takes: int = 100) -> None:
        self.sent: list[Message] = []
        self.takes = takes
        self.left = asyncio.Event()

    async def send(self, message: Message) -> None:
        if len(self.sent) >= self.takes:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def program_of(answer: Any, *headers: tuple[str, str]) -> module.Program:
    def program(environ: module.Environ, start_response: Any) -> Any:
        start_response("201 Created", [("X-Sent", environ["wsgi.input"].read().decode()), *headers])
        return answer

    return program


async def served(server: Server, answer: Any, *headers: tuple[str, str]) -> None:
    bridge = Bridge(program_of(answer, *headers), threads=1)
    await asyncio.wait_for(bridge.answer({}, io.BytesIO(b"hello"), server.receive, server.send), 10)


def test_a_page_goes_out_in_one_piece() -> None:
    async def story() -> None:
        server = Server()
        await served(server, [b"one ", b"two"])
        head = {"type": "http.response.start", "status": 201, "headers": [(b"X-Sent", b"hello")]}
        assert server.sent == [head, {"type": "http.response.body", "body": b"one two"}]

    asyncio.run(story())


def test_a_stream_goes_out_block_by_block_and_is_closed_once() -> None:
    async def story() -> None:
        server, blocks = Server(), Blocks(iter([b"one", b"", b"two"]))
        await served(server, blocks)
        assert [message.get("more_body", False) for message in server.sent] == [False, True, True, False]
        assert (server.body, blocks.closed) == (b"onetwo", 1)

    asyncio.run(story())


def test_a_stream_ends_when_its_reader_leaves() -> None:
    async def story() -> None:
        server, left, loop = Server(takes=10_000_000), threading.Event(), asyncio.get_running_loop()

        def endless() -> Iterator[bytes]:
            yield b"x"
            loop.call_soon_threadsafe(server.left.set)
            while not left.is_set():
                yield b"x"

        blocks = Blocks(endless())
        try:
            await served(server, blocks)
        finally:
            left.set()
        assert blocks.closed == 1

    asyncio.run(story())


def test_a_stream_that_is_not_taken_ends_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STALLED_S", 0.05)

    async def story() -> None:
        server, blocks = Server(takes=2), Blocks(iter([b"x"] * 10))
        await served(server, blocks)
        assert (server.body, blocks.closed) == (b"x", 1)

    asyncio.run(story())


def test_a_stream_that_breaks_tells_so_and_is_closed() -> None:
    def breaks() -> Iterator[bytes]:
        yield b"x"
        raise OSError("the file ended early")

    async def story() -> None:
        server, blocks = Server(), Blocks(breaks())
        with pytest.raises(OSError, match="ended early"):
            await served(server, blocks)
        assert (server.body, blocks.closed) == (b"x", 1)
        assert server.sent[-1]["more_body"], "no end is sent: the reader has to see that it is not whole"

    asyncio.run(story())


def test_a_stream_that_is_short_goes_out_in_one_piece_and_holds_no_thread() -> None:
    async def story() -> None:
        server, blocks = Server(takes=0), Blocks(iter([b"one", b"two"]))
        bridge = Bridge(program_of(blocks, ("Content-Length", "6")), threads=1)
        unread = asyncio.create_task(bridge.answer({}, io.BytesIO(b""), server.receive, server.send))
        again = Server()
        await asyncio.wait_for(bridge.answer({}, io.BytesIO(b""), again.receive, again.send), 10)
        assert (blocks.closed, [message.get("more_body", False) for message in again.sent]) == (2, [False, False])
        unread.cancel()

    asyncio.run(story())


@pytest.mark.parametrize("status", ["304 Not Modified", "204 No Content"])
def test_an_answer_that_has_no_body_by_its_status_is_no_stream(status: str) -> None:
    """As what says that a script of the page is still the same: it is answered however many stream."""

    def program(_environ: module.Environ, start_response: Any) -> Any:
        start_response(status, [])
        return Blocks(iter(()))

    async def story() -> None:
        server, bridge = Server(), Bridge(program, threads=1)
        assert bridge._streams.acquire(blocking=False)
        await asyncio.wait_for(bridge.answer({}, io.BytesIO(), server.receive, server.send), 10)
        assert [message.get("more_body", False) for message in server.sent] == [False, False]

    asyncio.run(story())


@pytest.mark.parametrize("length", [str(module.WHOLE_BYTES + 1), None])
def test_a_long_stream_goes_out_block_by_block(length: str | None) -> None:
    async def story() -> None:
        server, blocks = Server(), Blocks(iter([b"one"]))
        await served(server, blocks, *([("Content-Length", length)] if length else []))
        assert [message.get("more_body", False) for message in server.sent] == [False, True, False]

    asyncio.run(story())


def test_streams_leave_threads_for_pages() -> None:
    async def story() -> None:
        go_on, running = threading.Event(), threading.Semaphore(0)

        def waits() -> Iterator[bytes]:
            running.release()
            go_on.wait(10)
            yield b"x"

        answers: list[Any] = [Blocks(waits()) for _ in range(4)]

        def program(environ: module.Environ, start_response: Any) -> Any:
            start_response("200 OK", [])
            return environ["answer"]

        bridge, server = Bridge(program, threads=4), Server()

        async def asked(answer: Any) -> None:
            await bridge.answer({"answer": answer}, io.BytesIO(), server.receive, server.send)

        streams = [asyncio.create_task(asked(answer)) for answer in answers[:3]]
        for _ in streams:
            assert await asyncio.to_thread(running.acquire, timeout=10)
        with pytest.raises(TooManyStreams):
            await asked(answers[3])
        await asyncio.wait_for(asked([b"page"]), 10)
        go_on.set()
        await asyncio.gather(*streams)
        assert [answer.closed for answer in answers] == [1, 1, 1, 1]
        await asked(Blocks(iter([b"later"])))
        assert b"page" in server.body
        assert server.body.endswith(b"later")

    asyncio.run(story())


def test_an_answer_whose_headers_cannot_be_sent_is_closed() -> None:
    async def story() -> None:
        server, blocks = Server(), Blocks(iter([b"one"]))
        with pytest.raises(UnicodeEncodeError):
            await served(server, blocks, ("X-Name", "\u2603"))
        assert (blocks.closed, server.sent) == (1, [])

    asyncio.run(story())
