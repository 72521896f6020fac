"""A small HTTP peer at the level of the raw socket, so that it can also break every rule: cut an answer in two, drip,
never end, hang up, talk nonsense. It keeps every request it read."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from playground.gateway.client import GatewayClient
from playground.gateway.types import Dialect, GatewayConfig, Limits, Timing

KEY = "lmnfl_canary.0123456789abcdefCANARY"


@dataclass
class Heard:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    head: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.body


Behaviour = Callable[[Heard, socket.socket], None]


def reply(status: int = 200, body: bytes | object = b"", **headers: str) -> bytes:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
    return head.encode() + b"\r\n" + payload


def says(status: int = 200, body: bytes | object = b"", **headers: str) -> Behaviour:
    def behave(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(reply(status, body, **headers))

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """The first for the first request and so on; the last one stays."""
    left = list(behaviours)
    lock = threading.Lock()

    def behave(heard: Heard, sock: socket.socket) -> None:
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        chosen(heard, sock)

    return behave


@dataclass
class Fake:
    behave: Behaviour
    heard: list[Heard] = field(default_factory=list)
    keep_bodies: bool = True
    connections: int = 0

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self.listener.getsockname()[1]
        self.closed = threading.Event()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.closed.set()
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # a blocked accept would keep the port open
        self.listener.close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            while not self.closed.is_set():
                heard = self._read(sock)
                if heard is None:
                    break
                self.heard.append(heard)
                self.behave(heard, sock)
                if "close" in heard.headers.get("connection", ""):
                    break
        self._open.discard(sock)

    def _read(self, sock: socket.socket) -> Heard | None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body, count = [rest], len(rest)
        while count < int(headers.get("content-length", "0")):
            piece = sock.recv(65536)
            if not piece:
                return None
            count += len(piece)
            if self.keep_bodies:
                body.append(piece)
        return Heard(method, target, headers, b"".join(body), head + b"\r\n\r\n")


@contextmanager
def fake(behave: Behaviour, **options: Any) -> Iterator[Fake]:
    server = Fake(behave, **options)
    try:
        yield server
    finally:
        server.close()


QUICK = Timing(connect=1, read=1, write=1, total=1.5)


def config(server: Fake | None = None, **changes: Any) -> GatewayConfig:
    origin = server.origin if server else "http://127.0.0.1:9"
    given: dict[str, Any] = {
        "base_url": f"{origin}/openai/v1",
        "api_key": KEY,
        "dialect": Dialect.LUMENFALL,
        "honours_idempotency_key": True,
        "dry_run": True,
        "cancel": True,
        "allow_loopback": True,
        "version": "1.2.3",
        "limits": Limits(
            create=QUICK,
            estimate=QUICK,
            retrieve=QUICK,
            cancel=QUICK,
            models=QUICK,
            balance=QUICK,
            requests=QUICK,
            download=QUICK,
        ),
    }
    return GatewayConfig(**(given | changes))


def client(server: Fake, **changes: Any) -> GatewayClient:
    return GatewayClient(config(server, **changes))
