"""One POST to an address that came from outside: to a checked machine only, no redirect followed, never for long."""

import http.client
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_TLS = ssl.create_default_context()


class NotPosted(Exception):
    """There was no answer; the text is one word for why."""


def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float, loopback: bool) -> int:
    """The status of the answer, of which nothing else is read. Raises NotPosted.

    The name is resolved once and that very address is dialled. It has to be a public one; with `loopback` one of this
    machine may be it too.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    limit = _Limit(_connected(host, port, seconds=seconds, loopback=loopback), seconds)
    try:
        if parts.scheme == "https":
            limit.sock = tls = _TLS.wrap_socket(limit.sock, server_hostname=host, do_handshake_on_connect=False)
            tls.do_handshake()
        connection = http.client.HTTPConnection(host, port, timeout=seconds)
        connection.sock = limit.sock
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, {**headers, "User-Agent": "sandbox-gateway", "Connection": "close"})
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotPosted(type(error).__name__) from error
    finally:
        limit.end()
    if limit.is_over:
        raise NotPosted("too slow")  # the library takes the end of the connection for the end of the answer's head
    return status


class _Limit:
    """Cuts a connection that takes too long in all: a byte now and then would keep every single wait short."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self.sock, self.is_over = sock, False
        self.timer = threading.Timer(seconds, self._cut)
        self.timer.start()

    def _cut(self) -> None:
        self.is_over = True
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self.timer.cancel()
        self.sock.close()


def _connected(host: str, port: int, *, seconds: float, loopback: bool) -> socket.socket:
    problem = "no address"
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotPosted("name not found") from error
    for address in dict.fromkeys(str(entry[4][0]) for entry in found):
        ip = ipaddress.ip_address(address.partition("%")[0])
        if not (ip.is_global and not ip.is_multicast) and not (loopback and ip.is_loopback):
            problem = "internal address"
            continue
        try:
            return socket.create_connection((address, port), timeout=seconds)
        except OSError as error:
            problem = type(error).__name__
    raise NotPosted(problem)
