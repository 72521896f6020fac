"""Range reads of our own view under granian against nginx, in the same run.

8 connections ask for 1 MiB ranges of a 100 MB file for a few seconds, one server after the other, two rounds each; the
better round counts. Exits 1 below RATIO, 2 when nginx is missing (Debian: `apt-get install nginx-light`).

    python -m benchmarks.range_reads
"""

import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.media.server import free_port, running
from tests.support import nginx

RATIO = 0.3
CONNECTIONS = 8
SECONDS = 4.0
RANGE_BYTES = 1 << 20
FILE_BYTES = 100_000_000


def answer_head(connection: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = connection.recv(65536)
        if not block:
            raise RuntimeError("the server hung up")
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def read_ranges(port: int, path: str, end: float, counts: list[int]) -> None:
    """Ask for random ranges on one connection until `end`; appends how many came whole."""
    chooser, buffer, done = random.Random(port), memoryview(bytearray(RANGE_BYTES)), 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        while time.monotonic() < end:
            start = chooser.randrange(FILE_BYTES - RANGE_BYTES)
            asked = f"Range: bytes={start}-{start + RANGE_BYTES - 1}"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{asked}\r\n\r\n".encode())
            head, rest = answer_head(connection)
            if b" 206 " not in head.split(b"\r\n", 1)[0]:
                raise RuntimeError(head.decode("latin-1"))
            left = RANGE_BYTES - len(rest)
            while left:
                got = connection.recv_into(buffer, left)
                if not got:
                    raise RuntimeError("the body ended early")
                left -= got
            done += 1
    counts.append(done)


def measure(port: int, path: str) -> float:
    """Ranges per second over all connections."""
    counts: list[int] = []
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=read_ranges, args=(port, path, end, counts)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(counts) != CONNECTIONS:
        raise RuntimeError("a connection failed")
    return sum(counts) / SECONDS


def bare(port: int, media: Path) -> str:
    return f"server {{ listen 127.0.0.1:{port}; root {media}; }}"


def main() -> int:
    if nginx.find_nginx() is None:
        print("nginx is not installed; on Debian as root: apt-get install nginx-light")
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        media = folder / "media"
        media.mkdir()
        (media / "film.mp4").write_bytes(random.Random(1).randbytes(FILE_BYTES))
        port = free_port()
        serving = nginx.serving(folder / "nginx", bare(port, media), port=port)
        with serving as reference, running(folder, workers=2, threads=64) as ours:
            rounds = [(measure(reference, "/film.mp4"), measure(ours, "/file/film.mp4")) for _ in range(2)]
    best_reference, best_ours = max(a for a, _ in rounds), max(b for _, b in rounds)
    ratio = best_ours / best_reference
    print(f"nginx {best_reference:.0f}/s, our view {best_ours:.0f}/s, 1 MiB ranges: ratio {ratio:.2f} (bar {RATIO})")
    return 0 if ratio >= RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
