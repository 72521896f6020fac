"""Two hundred connections announce a body and send none, or ask for a file and take none of it: pages go on."""

import http.client
import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from PIL import Image

from playground.supervisor.environment import service_environment
from playground.supervisor.procfile import read_procfile
from tests.media.server import answers
from tests.support.installation import ROOT
from tests.support.processes import wait_until
from tests.support.running import Running
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

STALLED = 200
BODY_SECONDS = 4
FILE = "/static/django_htmx/htmax-4.js"
BLOCK_BYTES, BLOCK_S = 4_000, 0.2
"""20 KB/s, a phone on a slow line."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The web server as the Procfile has it, and nothing beside it."""
    running = Running(tmp_path_factory.mktemp("web"), BODY_SECONDS=str(BODY_SECONDS), HOST="127.0.0.1")
    running.environment = service_environment(running.environment, {"WEB_WORKERS": "2"})
    try:
        running.prepared().start("/bin/sh", "-c", f"exec {read_procfile(ROOT / 'Procfile')['web']}")
        wait_until(lambda: answers(running.port), what="a web server")
        yield running
    finally:
        running.remove()


@pytest.fixture(scope="module")
def ana(up: Running) -> Visitor:
    return Visitor(up.url).sign_in(up.command("signin_link", "ana@example.com", "--team", "studio").strip())


@pytest.mark.parametrize("addresses", [1, 8])
def test_bodies_that_never_come_stop_nobody_and_end(up: Running, ana: Visitor, addresses: int) -> None:
    gallery = ana.ask("/gallery/")
    with ExitStack() as open_ones:
        stalled = [open_ones.enter_context(stalling(up.port, f"127.0.0.{2 + n % addresses}")) for n in range(STALLED)]
        upload = Slow(up.port, ana, gallery.value("csrfmiddlewaretoken"))
        upload.start()
        ends: Counter[int] = Counter()
        slowest = 0.0

        def look() -> bool:
            nonlocal slowest
            for path in ("/healthz", "/gallery/"):
                asked = time.monotonic()
                assert ana.ask(path).status == 200
                slowest = max(slowest, time.monotonic() - asked)
            for one in [one for one in stalled if one.fileno() >= 0]:
                count_answer(one, ends)
            return ends.total() == STALLED

        wait_until(look, within=BODY_SECONDS * 4, what="an end of the stalled ones")
        upload.join(30)
    assert upload.status == 200, "the honest upload got in and through"
    assert set(ends) <= {408, 503}
    assert slowest < BODY_SECONDS - 1, "no page waited for them"


def test_files_of_the_page_that_nobody_takes_stop_nobody(up: Running, ana: Visitor) -> None:
    with ExitStack() as open_ones:
        for _ in range(STALLED):
            open_ones.enter_context(not_reading(up.port, FILE))
        for path in ("/healthz", "/gallery/", FILE) * 3:
            asked = time.monotonic()
            assert ana.ask(path).status == 200
            assert time.monotonic() - asked < BODY_SECONDS - 1, "no page waited for them"


def not_reading(port: int, path: str) -> socket.socket:
    """Asks for 200 KB and has room for two."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    one.connect(("127.0.0.1", port))
    one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    return one


def stalling(port: int, address: str) -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(address, 0))
    lines = ["POST /accounts/login/ HTTP/1.1", f"Host: localhost:{port}", "Content-Length: 1000000"]
    one.sendall("\r\n".join([*lines, "Content-Type: application/x-www-form-urlencoded", "", ""]).encode())
    one.setblocking(False)
    return one


def count_answer(one: socket.socket, ends: Counter[int]) -> None:
    """Counts and closes it where it has been answered."""
    try:
        head = one.recv(4096)
    except BlockingIOError:
        return
    ends[int(head.split()[1])] += 1
    one.close()


class Slow(threading.Thread):
    """A picture that goes up at its pace."""

    status = 0

    def __init__(self, port: int, person: Visitor, token: str) -> None:
        super().__init__()
        self._port = port
        cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in person.cookies())
        self._headers = {
            "Host": f"localhost:{port}",
            "Cookie": cookies,
            "X-CSRFToken": token,
            "Content-Type": "multipart/form-data; boundary=edge",
        }

    def run(self) -> None:
        part = "--edge\r\nContent-Disposition: form-data; name="
        team = f'{part}"team"\r\n\r\nstudio\r\n'
        head = f'{part}"reference"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        body = (team + head).encode() + picture() + b"\r\n--edge--\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("POST", "/references/", paced(body), self._headers | {"Content-Length": str(len(body))})
        self.status = connection.getresponse().status
        connection.close()


def paced(body: bytes) -> Iterator[bytes]:
    pace = threading.Event()
    for start in range(0, len(body), BLOCK_BYTES):
        yield body[start : start + BLOCK_BYTES]
        pace.wait(BLOCK_S)


def picture() -> bytes:
    """About 100 KB, five seconds at this pace: longer than a body that stalls is waited for."""
    out = io.BytesIO()
    noise = Image.effect_noise((320, 320), 80)
    noise.save(out, "PNG")
    return out.getvalue()
