"""A TCP relay between the playground and its gateway that delays, cuts and swallows, by chance or on order.

Every connection draws one mishap. What the gateway has already read stays done: cutting the answer of an accepted
order is the fault that makes others pay twice.
"""

import random
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MISHAPS = ("refuse", "cut-request", "cut-answer", "swallow", "delay")
SWALLOW_S = 0.6


class Relay:
    """Listens on `port` and forwards to `target`. `share` of the connections go wrong; `mishap` makes all do so."""

    def __init__(self, target: int, *, port: int = 0) -> None:
        self.target, self.share, self.mishap = target, 0.0, ""
        self.chance = random.Random(0)
        self.met: dict[str, int] = {}
        self.port = port
        self.up()

    def up(self) -> None:
        """Listen, on the same port as before."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        listener.settimeout(0.1)
        self.port, self.ended = listener.getsockname()[1], threading.Event()
        self.thread = threading.Thread(target=self._accept, args=(listener, self.ended), name="relay", daemon=True)
        self.thread.start()

    def down(self) -> None:
        """From now on every connection is refused, as by a machine that is off."""
        self.ended.set()
        self.thread.join()

    def _accept(self, listener: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            mishap = self.mishap or (self.chance.choice(MISHAPS) if self.chance.random() < self.share else "")
            self.met[mishap] = self.met.get(mishap, 0) + 1
            threading.Thread(target=self._serve, args=(client, mishap), daemon=True).start()
        listener.close()

    def _serve(self, client: socket.socket, mishap: str) -> None:
        with client:
            if mishap == "refuse":
                return
            if mishap == "delay":
                time.sleep(self.chance.uniform(0.05, 0.4))
            try:
                with socket.create_connection(("127.0.0.1", self.target), timeout=5) as server:
                    self._forward(client, server, mishap)
            except OSError:
                return

    def _forward(self, client: socket.socket, server: socket.socket, mishap: str) -> None:
        """Until one side ends. `cut-request` passes on 40 bytes, `cut-answer` 20; `swallow` passes no answer on."""
        left = {client: 40 if mishap == "cut-request" else 1 << 40}
        left[server] = {"cut-answer": 20, "swallow": 0}.get(mishap, 1 << 40)
        other = {client: server, server: client}
        while True:
            for ready in select.select([client, server], [], [], 30)[0] or [None]:
                data = ready.recv(65536) if ready else b""
                if not ready or not data:
                    return
                if len(data) > left[ready]:
                    other[ready].sendall(data[: left[ready]])
                    time.sleep(SWALLOW_S if mishap == "swallow" else 0)
                    return
                left[ready] -= len(data)
                other[ready].sendall(data)


@contextmanager
def relayed(target: int, *, port: int = 0) -> Iterator[Relay]:
    relay = Relay(target, port=port)
    try:
        yield relay
    finally:
        relay.down()
