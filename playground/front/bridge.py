"""A WSGI program under an ASGI server: the environment of a request, and the way of an answer.

The program runs in a thread of its own pool. A page, and a stream that says it is short, is handed over whole and its
thread is free at once, however slowly it is fetched. Another stream keeps its thread, since its rows and files belong
to it, and waits there until the server has taken each block; only so many run at once.
"""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from functools import partial
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from playground.front.bodies import Message, Receive, Refused
from playground.front.threads import Threads

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Program = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Send = Callable[[Message], Awaitable[None]]

Page = tuple[Message, Message]

STALLED_S = 120.0
"""How long a reader of a stream may take no block at all."""
WHOLE_BYTES = 256 * 1024
"""Up to this announced length a stream is handed over whole: a script or a picture of the page costs no thread."""
BODILESS = (204, 304)
STREAMING_SHARE = 0.75
"""Of the threads: the others are kept for pages."""


class TooManyStreams(Refused):
    """As many threads stream as may."""


class ReaderGone(Exception):
    """Nobody reads this stream any more."""


def environ_of(scope: Message) -> Environ:
    """What PEP 3333 asks for, without `wsgi.input`.

    A header whose name has an underscore would pass for the one with hyphens, and is left out.
    """
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": scope["server"][0],
        "SERVER_PORT": str(scope["server"][1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name:
            _add_header(environ, name.decode("latin-1").upper().replace("-", "_"), value.decode("latin-1"))
    return environ


def _add_header(environ: Environ, name: str, value: str) -> None:
    """Of two lines X-Forwarded-Proto the last is the proxy's own."""
    key = name if name in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{name}"
    if name == "X_FORWARDED_PROTO":
        environ[key] = value
        return
    between = "; " if name == "COOKIE" else ","
    environ[key] = f"{environ[key]}{between}{value}" if key in environ else value


class Stream:
    """An answer that goes out block by block, from the thread that makes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send) -> None:
        self._loop = loop
        self._receive = receive
        self._send = send
        self._gone = threading.Event()

    def run(self, head: Message, blocks: Iterable[bytes]) -> None:
        """Raises ReaderGone when the client has left, or took nothing for STALLED_S."""
        self._pass_on(head)
        watcher = asyncio.run_coroutine_threadsafe(self._watch(), self._loop)
        try:
            for block in blocks:
                if self._gone.is_set():
                    raise ReaderGone
                if block:
                    self._pass_on({"type": "http.response.body", "body": block, "more_body": True})
            self._pass_on({"type": "http.response.body", "body": b""})
        finally:
            watcher.cancel()

    def _pass_on(self, message: Message) -> None:
        passing = asyncio.run_coroutine_threadsafe(self._sent(message), self._loop)
        try:
            passing.result(STALLED_S)
        except NotYet:
            passing.cancel()
            raise ReaderGone from None

    async def _sent(self, message: Message) -> None:
        await self._send(message)

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone.set()


class Bridge:
    """Runs `program` for requests, `threads` of them at once."""

    def __init__(self, program: Program, *, threads: int, at_end: Callable[[], None] = lambda: None) -> None:
        """`at_end` is called in each thread before it ends."""
        self._program = program
        self._threads = Threads(threads, at_end=at_end)
        self._streams = threading.BoundedSemaphore(max(1, int(threads * STREAMING_SHARE)))

    async def answer(self, environ: Environ, body: IO[bytes], receive: Receive, send: Send) -> None:
        """`receive` has to be at the end of the body, or the body unwanted.

        Raises Refused before anything was sent.
        """
        stream = Stream(asyncio.get_running_loop(), receive, send)
        called = partial(self._called, environ | {"wsgi.input": body}, stream)
        page = await asyncio.wrap_future(self._threads.submit(called))
        if page is not None:
            for message in page:
                await send(message)

    def _called(self, environ: Environ, stream: Stream) -> Page | None:
        """A page as two messages, or None for what was streamed."""
        started: list[tuple[str, Headers]] = []

        def start_response(status: str, headers: Headers, exc_info: object = None) -> None:
            started.append((status, headers))

        answer = self._program(environ, start_response)
        try:
            status, headers = started[-1]
            head = head_of(int(status.split(" ", 1)[0]), headers)
            if not getattr(answer, "streaming", False) or head["status"] in BODILESS or _is_short(headers):
                return head, {"type": "http.response.body", "body": b"".join(answer)}
            self._stream(stream, head, answer)
            return None
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()

    def _stream(self, stream: Stream, head: Message, answer: Iterable[bytes]) -> None:
        if not self._streams.acquire(blocking=False):
            raise TooManyStreams("answers that stream")
        try:
            with suppress(ReaderGone):
                stream.run(head, answer)
        finally:
            self._streams.release()


def _is_short(headers: Headers) -> bool:
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    return bool(lengths) and int(lengths[-1]) <= WHOLE_BYTES


def head_of(status: int, headers: Headers) -> Message:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": pairs}
