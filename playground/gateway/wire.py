"""The wire: one HTTP exchange with every limit kept, over httpcore.

httpx limits a single silent wait but has no limit for a whole call, so a server that sends one byte now and then
holds it for ever. Here every name lookup, connect, TLS handshake, read and write is given at most what is left until
the deadline. Whether a byte of the request was written is known for sure, which tells NotSent from Unclear.

No proxy or other environment variable is read, no redirect followed, no cookie kept, nothing repeated.
"""

import contextlib
import functools
import logging
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import httpcore
import httpx  # noqa: TID251

from playground.gateway.egress import Egress
from playground.gateway.errors import Deadline, GatewayError, NotSent, Unclear
from playground.gateway.types import Timing

# At DEBUG these two print every request header.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@functools.cache
def tls() -> ssl.SSLContext:
    """One context for the process: building it costs some 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


class Clock:
    """What is left of a call, and whether any of the request has left this machine."""

    def __init__(self, total: float) -> None:
        self.ends_at = time.monotonic() + total
        self.wrote = False

    @property
    def left(self) -> float:
        return self.ends_at - time.monotonic()

    @property
    def passed(self) -> bool:
        return self.left <= 0

    def cap(self, timeout: float | None) -> float:
        """At most `timeout` and what is left; never zero, which would mean non-blocking to a socket."""
        return max(0.001, self.left if timeout is None else min(timeout, self.left))


class _Stream(httpcore.NetworkStream):
    """A socket whose every wait ends at the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, clock: Clock, on_read: Callable[[int], None] | None) -> None:
        self._inner = inner
        self._clock = clock
        self._on_read = on_read

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._clock.passed:
            raise httpcore.ReadTimeout
        data = self._inner.read(max_bytes, self._clock.cap(timeout))
        if self._on_read is not None:
            self._on_read(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._clock.passed:
            raise httpcore.WriteTimeout
        if not buffer:
            return
        self._clock.wrote = True
        sock = self._inner.get_extra_info("socket")
        try:
            # sendall's limit is for the whole buffer, so that a reader that takes a byte now and then cannot stretch it
            sock.settimeout(self._clock.cap(timeout))
            sock.sendall(buffer)
        except TimeoutError as late:
            raise httpcore.WriteTimeout(str(late)) from late
        except OSError as broken:
            raise httpcore.WriteError(str(broken)) from broken

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._clock.cap(timeout))
        return _Stream(inner, self._clock, self._on_read)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Dials only what the egress rules give, by address."""

    def __init__(self, egress: Egress, clock: Clock, on_read: Callable[[int], None] | None) -> None:
        self._egress = egress
        self._clock = clock
        self._on_read = on_read
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._egress.addresses(host, port, self._clock.cap(timeout)):
            if self._clock.passed:
                raise httpcore.ConnectTimeout
            try:
                stream = self._sockets.connect_tcp(address, port, self._clock.cap(timeout), local_address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failure = refused
            else:
                return _Stream(stream, self._clock, self._on_read)
        raise failure


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` finds names without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Wire:
    """Connections for one call (or one short series of calls) under one clock. Use as a context manager.

    `on_read` is told how many bytes each read off the network brought, those of a head too. What it raises ends the
    call.
    """

    def __init__(self, egress: Egress, timing: Timing, *, on_read: Callable[[int], None] | None = None) -> None:
        self.clock = Clock(timing.total)
        self._timing = timing
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls(),
            max_connections=2,
            retries=0,
            network_backend=_Backend(egress, self.clock, on_read),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()

    @contextlib.contextmanager
    def stream(self, request: httpx.Request) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Send, and give the head of the answer and its raw body in pieces as they arrive.

        Raises NotSent, Unclear or Deadline, here and while iterating; the error holds neither the request nor the
        library's exception, since both hold the key.
        """
        self.clock.wrote = False
        response = self._send(request)
        try:
            yield (
                Answer(status=response.status, headers=httpx.Headers(response.headers)),
                self._pieces(response),
            )
        finally:
            with contextlib.suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                response.close()

    def exchange(self, request: httpx.Request, *, max_bytes: int) -> Answer:
        """Send and read the whole answer, at most `max_bytes` of it, unpacked if it came packed."""
        body = bytearray()
        with self.stream(request) as (head, pieces):
            for piece in pieces:
                body += piece
                if len(body) > max_bytes:
                    raise Unclear("The gateway's answer is too large.", code="too_large", status=head.status)
        return Answer(head.status, head.headers, unpacked(bytes(body), head.headers, max_bytes, head.status))

    def _send(self, request: httpx.Request) -> httpcore.Response:
        failure: GatewayError
        try:
            return self._pool.handle_request(self._for_core(request))
        except GatewayError as error:
            failure = error.with_traceback(None)
        except _HTTP_FAILURES as error:
            failure = self._meaning(error)
        raise failure  # outside the handler: no trace of the request hangs on it

    def _pieces(self, response: httpcore.Response) -> Iterator[bytes]:
        failure: GatewayError
        try:
            for piece in response.iter_stream():
                yield piece
                if self.clock.passed:
                    break
            else:
                return
            failure = _deadline()
        except _HTTP_FAILURES as error:
            failure = self._meaning(error)
        raise failure

    def _for_core(self, request: httpx.Request) -> httpcore.Request:
        limits = self._timing
        body = cast("Iterable[bytes]", request.stream)
        return httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=_order(body) if "traceparent" in request.headers else body,
            extensions={
                "timeout": {
                    "connect": limits.connect,
                    "read": limits.read,
                    "write": limits.write,
                    "pool": limits.connect,
                }
            },
        )

    def _meaning(self, error: Exception) -> GatewayError:
        """What a broken exchange says about the order. Only words of our own: the library's may quote a header."""
        late = isinstance(error, httpcore.TimeoutException)
        if not self.clock.wrote:
            if isinstance(error, httpcore.LocalProtocolError | httpcore.UnsupportedProtocol):
                return NotSent("The request could not be written.", code="bad_request")
            if isinstance(error, httpcore.PoolTimeout):
                return NotSent("No connection was free.", code="busy")
            return NotSent("The gateway could not be reached.", code="timeout_connect" if late else "unreachable")
        if self.clock.passed:
            return _deadline()
        if late:
            return Unclear("The gateway did not answer in time.", code="timeout")
        return Unclear("The connection to the gateway was lost before its answer.", code="connection_lost")


def _order(body: Iterable[bytes]) -> Iterator[bytes]:
    """The body of an order, which alone carries a trace. Whoever asks beyond its last piece has written all of it."""
    yield from body
    # fault: request-sent


_HTTP_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    OSError,
)


def _deadline() -> Deadline:
    return Deadline("The time for this call ran out before the answer was complete.")


def unpacked(body: bytes, headers: Mapping[str, str], max_bytes: int, status: int) -> bytes:
    """The body as it was before packing. We ask for none, but some edge servers pack all the same.

    Raises Unclear for a packing we do not know, a broken one, or one that grows beyond `max_bytes`.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unclear("The gateway's answer is packed in an unknown way.", code="not_json", status=status)
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = unpacker.decompress(body, max_bytes + 1)
    except zlib.error:
        plain = None
    if plain is None or (not unpacker.eof and len(plain) <= max_bytes):
        raise Unclear("The gateway's answer is damaged.", code="not_json", status=status)
    if len(plain) > max_bytes:
        raise Unclear("The gateway's answer is too large.", code="too_large", status=status)
    return plain
