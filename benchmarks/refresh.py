"""An unchanged refresh of twenty running cards against the cheapest signed-in view, and against /healthz.

The refresh is what every open page asks every two seconds: a session, a person, a membership, twenty cards drawn up
and compared, answered 204. The cheapest signed-in view is `/`, which looks at session and person and redirects; the
ratio to it is the claim. /healthz does neither and is printed for scale. Real granian, one process, CONNECTIONS kept
connections, the three in turn; medians of ROUNDS rounds. A trigger counts how often "somebody watches" was
written, which is held back to about once in five seconds a card: more than one refresh in twenty that wrote, or none at
all, and something else than an unchanged refresh was measured (exit 2).

    python -m benchmarks.refresh
"""

import socket
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import stage

BAR = 0.25
CARDS = 20
CONNECTIONS = 8
SECONDS = 3.0
ROUNDS = 5
WRITING = 0.05


def make_cards(member: object) -> str:
    """CARDS running orders; returns the refresh's address as the page asks for it."""
    from playground.domain.status import Status
    from tests.factories import make_generation, make_model, make_reference, make_run

    model = make_model()
    made = []
    for _ in range(CARDS):
        generation = make_generation(run=make_run(by=member, model=model), status=Status.RUNNING)
        make_reference(by=member, generation=generation)
        made.append(generation)
    return "/generations/cards/?g=" + ",".join(f"{row.id}:{row.version}" for row in made)


def count_writes() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE watched (id INTEGER PRIMARY KEY, generation TEXT)")
        cursor.execute(
            "CREATE TRIGGER count_watched AFTER UPDATE OF viewed_at ON playground_generation"
            " BEGIN INSERT INTO watched (generation) VALUES (new.id); END"
        )


def writes() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        return int(cursor.execute("SELECT COUNT(*) FROM watched").fetchone()[0])


class Kept:
    """One kept connection that asks for the same thing again and again. Plain sockets: the client costs little."""

    def __init__(self, port: int, path: str, status: int, headers: dict[str, str]) -> None:
        lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{name}: {v}" for name, v in headers.items())]
        self.request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self.status = f" {status} ".encode()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def ask(self) -> None:
        self.socket.sendall(self.request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        if self.status not in head[:16]:
            raise RuntimeError(f"expected{self.status.decode()}, got {head[:200]!r}")
        left = self._length(head) - len(body)
        while left > 0:
            left -= len(self._more())

    def _more(self) -> bytes:
        block = self.socket.recv(65536)
        if not block:
            raise RuntimeError("the server hung up")
        return block

    @staticmethod
    def _length(head: bytes) -> int:
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return int(line[15:])
        return 0


def rate(port: int, path: str, status: int, headers: dict[str, str]) -> float:
    """Answers a second over all connections."""
    counts: list[int] = []
    end = time.monotonic() + SECONDS

    def work() -> None:
        kept, done = Kept(port, path, status, headers), 0
        with kept.socket:
            while time.monotonic() < end:
                kept.ask()
                done += 1
        counts.append(done)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) != CONNECTIONS:
        raise RuntimeError("a connection failed")
    return sum(counts) / SECONDS


def main() -> int:
    with tempfile.TemporaryDirectory() as name, stage.entered(Path(name)):
        member, headers = stage.visitor()
        refresh = make_cards(member)
        count_writes()
        asked = (refresh, 204), ("/", 302), ("/healthz", 200)
        with stage.web() as (port, _pid):
            rate(port, refresh, 204, headers)
            before = writes()
            rounds = [[rate(port, path, status, headers) for path, status in asked] for _ in range(ROUNDS)]
            written = (writes() - before) / CARDS
        share = written / sum(round[0] * SECONDS for round in rounds)
        if not 0 < share <= WRITING:
            print(f"{share:.1%} of the refreshes wrote, expected at most {WRITING:.0%}: not what is claimed")
            return 2
    ours, trivial, alive = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(own / cheap for own, cheap, _ in rounds)
    print(
        f"refresh of {CARDS} cards {ours:.0f}/s, cheapest signed-in view {trivial:.0f}/s, /healthz {alive:.0f}/s;"
        f" {share:.1%} of them wrote: ratio to signed-in {ratio:.2f} (bar {BAR}),"
        f" to /healthz {ours / alive:.2f}"
    )
    return 0 if ratio >= BAR else 1


if __name__ == "__main__":
    sys.exit(main())
