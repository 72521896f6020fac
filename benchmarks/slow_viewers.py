"""Other people's pages while 50 viewers and 50 uploads crawl along at 50 KB/s each.

Four visitors go through Create, gallery, runs and the cards' refresh on kept connections, first alone (the reference),
then beside the hundred. Prints p95 of both; exits 1 when that beside them is over BAR_MS. A viewer that is told to come
back (503: all streams of a process are taken) does so.

    python -m benchmarks.slow_viewers [--behind nginx] [--database postgres]

`--behind nginx` puts nginx in front as docs/operations.md says: it takes in the uploads and sends the bytes.
"""

import argparse
import http.client
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import stage
from benchmarks.uploads import BOUNDARY, form, picture
from tests.support import nginx
from tests.support.processes import free_port

VIEWERS = UPLOADS = 50
BYTES_A_SECOND = 50_000
STEP_S = 0.1
FILM_BYTES = 60_000_000
ALONE_S, BESIDE_S = 8.0, 30.0
VISITORS = 4
BAR_MS = 500.0
PAGES = ("/create/", "/gallery/", "/runs/", "/generations/cards/?ids=")


@dataclass
class Crowd:
    """The hundred. `read` and `sent` are bytes of all of them together."""

    port: int
    headers: dict[str, str]
    film: str
    over: threading.Event = field(default_factory=threading.Event)
    read: int = 0
    sent: int = 0
    told_to_wait: int = 0
    problems: list[str] = field(default_factory=list)

    def view(self) -> None:
        """Read the film at its pace with a small buffer; begin again at its end."""
        while not self.over.is_set():
            with socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
                connection.settimeout(30)
                connection.connect(("127.0.0.1", self.port))
                lines = [f"{name}: {value}" for name, value in ({"Host": host(self.port)} | self.headers).items()]
                connection.sendall(f"GET {self.film} HTTP/1.1\r\n".encode())
                connection.sendall(("\r\n".join(lines) + "\r\nConnection: close\r\n\r\n").encode())
                status = connection.recv(12)
                if b" 503" in status:
                    self.told_to_wait += 1
                    self.over.wait(2)
                    continue
                if b" 200" not in status:
                    self.problems.append(f"a viewer got {status!r}")
                    return
                while not self.over.wait(STEP_S) and (block := connection.recv(int(BYTES_A_SECOND * STEP_S))):
                    self.read += len(block)

    def upload(self, body: list[bytes], headers: dict[str, str]) -> None:
        """Send a picture at its pace; it is not finished before the end."""
        with socket.socket() as connection:
            connection.settimeout(30)
            connection.connect(("127.0.0.1", self.port))
            length = str(sum(len(piece) for piece in body))
            kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Content-Length": length}
            lines = [f"{name}: {value}" for name, value in ({"Host": host(self.port)} | headers | kind).items()]
            connection.sendall(("POST /references/ HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n").encode())
            connection.sendall(body[0])
            for start in range(0, len(body[1]), int(BYTES_A_SECOND * STEP_S)):
                if self.over.wait(STEP_S):
                    return
                try:
                    connection.sendall(body[1][start : start + int(BYTES_A_SECOND * STEP_S)])
                except OSError as error:
                    self.problems.append(f"an upload broke off: {error}")
                    return
                self.sent += int(BYTES_A_SECOND * STEP_S)


def host(port: int) -> str:
    return f"localhost:{port}"


def visit(port: int, headers: dict[str, str], end: float, times: list[float]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < end:
        for page in PAGES:
            begin = time.monotonic()
            status = stage.get(connection, page, headers | {"Host": host(port)})
            times.append((time.monotonic() - begin) * 1000)
            if status not in (200, 204):
                raise RuntimeError(f"{page} answered {status}")
        time.sleep(random.uniform(0.05, 0.15))
    connection.close()


def pages(port: int, people: list[dict[str, str]], seconds: float) -> list[float]:
    """Milliseconds of each page, for so long."""
    times: list[float] = []
    end = time.monotonic() + seconds
    visitors = [threading.Thread(target=visit, args=(port, headers, end, times)) for headers in people]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return times


def film_of(member: object) -> str:
    """The address of a video whose file is long."""
    from django.urls import reverse

    from playground.media import storage
    from tests import factories

    video = factories.make_video(by=member)  # type: ignore[arg-type]
    path = storage.local_path(video.key)
    assert path is not None
    path.write_bytes(random.Random(1).randbytes(FILM_BYTES))
    return reverse("media.video", args=[video.id])


@contextmanager
def front(behind: str, folder: Path) -> Iterator[int]:
    """The port that browsers use."""
    with stage.web(workers=2) as (port, _):
        if behind != "nginx":
            yield port
            return
        outer = int(os.environ["PUBLIC_URL"].rpartition(":")[2])
        with nginx.in_front_of(folder / "nginx", upstream=port, media=folder / "media", port=outer):
            yield outer


def measure(
    port: int, film: str, people: list[tuple[object, dict[str, str]]]
) -> tuple[list[float], list[float], Crowd]:
    data, headers = picture(), [one for _, one in people]
    crowd = Crowd(port, headers[0], film)
    alone = pages(port, headers[:VISITORS], ALONE_S)
    threads = [threading.Thread(target=crowd.view) for _ in range(VIEWERS)]
    for member, own in people[VISITORS:]:
        threads.append(threading.Thread(target=crowd.upload, args=(form(data, member.team.slug), own)))  # type: ignore[attr-defined]
    for thread in threads:
        thread.start()
    time.sleep(3)
    beside = pages(port, headers[:VISITORS], BESIDE_S)
    crowd.over.set()
    for thread in threads:
        thread.join()
    return alone, beside, crowd


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--behind", choices=["nothing", "nginx"], default="nothing")
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    behind = options.behind
    proxy = {"MEDIA_ACCEL_PREFIX": "/stored/", "TRUST_PROXY": "true", "PUBLIC_URL": f"http://localhost:{free_port()}"}
    with (
        tempfile.TemporaryDirectory() as name,
        stage.database(options.database) as url,
        stage.entered(Path(name), database=url, **(proxy if behind == "nginx" else {})),
    ):
        people = [stage.visitor() for _ in range(VISITORS + UPLOADS)]
        film = film_of(people[0][0])
        with front(behind, Path(name)) as port:
            alone, beside, crowd = measure(port, film, people)
    before, p95 = stage.percentile(alone, 0.95), stage.percentile(beside, 0.95)
    pace = crowd.read / BESIDE_S / VIEWERS / 1000
    print(
        f"{options.database}: p95 {p95:.0f} ms beside {VIEWERS} viewers and {UPLOADS} uploads, {before:.0f} ms alone:"
        f" {p95 / before:.2f}"
        f" (bar {BAR_MS:.0f} ms); worst {max(beside):.0f} ms; {pace:.0f} KB/s a viewer, {crowd.told_to_wait} times told"
        f" to wait; {stage.load()}"
    )
    for problem in crowd.problems[:5]:
        print(problem)
    return 0 if p95 <= BAR_MS and not crowd.problems and crowd.sent and pace > 10 else 1


if __name__ == "__main__":
    sys.exit(main())
