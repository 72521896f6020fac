"""Nothing dials but what is listed here, and every call to a gateway asks the wall (gateway/egress.py) first."""

import ast
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from playground.gateway.client import GatewayClient
from playground.gateway.egress import Egress
from playground.gateway.errors import GatewayError
from playground.gateway.poller import Poller
from playground.gateway.types import Dialect, Order
from tests.gateway.fake import Fake, config, fake, says
from tests.gateway.test_download import FILM, film, job

pytestmark = pytest.mark.pure

PACKAGE = Path(__file__).resolve().parents[1] / "playground"
ABLE = {
    "aiohttp",
    "boto3",
    "botocore",
    "ftplib",
    "http.client",
    "httpcore",
    "httpx",
    "imaplib",
    "nntplib",
    "poplib",
    "requests",
    "smtplib",
    "socket",
    "socketserver",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "xmlrpc.client",
}
MAY = {
    "front/sockets.py": "sets a limit on the sockets that listen",
    "gateway/calls.py": "through wire.py",
    "gateway/download.py": "through wire.py",
    "gateway/egress.py": "the wall: looks names up, dials nothing",
    "gateway/poller.py": "dials the addresses that the wall gave",
    "gateway/wire.py": "dials the addresses that the wall gave",
    "mail_server.py": "the mail server of EMAIL_URL",
    "media/bucket.py": "the bucket of MEDIA_STORAGE_URL",
    "sandbox/post.py": "the imitation gateway's own webhooks, which go to us",
    "sandbox/server.py": "listens",
    "services/mailing.py": "catches what the mail server answers",
    "supervisor/keeper.py": "asks whether a port is free",
    "supervisor/preflight.py": "asks whether a port is free",
    "supervisor/ready.py": "asks our own web process whether it is ready",
}


def able(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        if any(name in ABLE or name.split(".")[0] in ABLE for name in names):
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("open_connection", "create_connection", "sock_connect"):
            return True
    return False


def test_only_listed_modules_can_open_a_connection() -> None:
    found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if able(path)}
    assert found == set(MAY)


@pytest.fixture
def dials(monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[list[str], list[str]]]:
    """The addresses that were dialled, and those that the wall gave."""
    dialled, given = list[str](), list[str]()
    connect, addresses = socket.socket.connect, Egress.addresses

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        dialled.append(address[0])
        connect(self, address)

    def asked(self: Egress, host: str, port: int, seconds: float) -> list[str]:
        found = addresses(self, host, port, seconds)
        given.extend(found)
        return found

    monkeypatch.setattr(socket.socket, "connect", noted)
    monkeypatch.setattr(Egress, "addresses", asked)
    return lambda: (dialled, given)


def order() -> Order:
    return Order(order_id="0192", model="m", prompt="a boat")


CALLS: dict[str, Callable[[GatewayClient, Fake], object]] = {
    "order": lambda client, _: client.create(order()),
    "price": lambda client, _: client.estimate(order()),
    "question": lambda client, _: client.retrieve("video_1"),
    "stop": lambda client, _: client.cancel("video_1"),
    "models": lambda client, _: client.models(),
    "balance": lambda client, _: client.balance(),
    "log of requests": lambda client, _: list(client.requests()),
    "secret of webhooks": lambda client, _: client.webhook_secret(),
    "file": lambda client, server: client.download(film(server), io.BytesIO()),
    "file at the gateway": lambda client, _: client.download(job(None), io.BytesIO()),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_dials_what_the_wall_gave_and_nothing_else(
    name: str, dials: Callable[[], tuple[list[str], list[str]]]
) -> None:
    with fake(says(200, FILM, Content_Type="video/mp4")) as server, suppress(GatewayError):
        settings = config(server, dialect=Dialect.LUMENFALL, dry_run=True, cancel=True)
        CALLS[name](GatewayClient(settings), server)
    dialled, given = dials()
    assert dialled
    assert dialled == given


@pytest.mark.parametrize("name", CALLS)
def test_no_call_dials_when_the_wall_refuses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_args: object) -> list[str]:
        raise GatewayError("no")

    monkeypatch.setattr(Egress, "addresses", refuses)
    with fake(says(200, FILM, Content_Type="video/mp4")) as server:
        settings = config(server, dialect=Dialect.LUMENFALL, dry_run=True, cancel=True)
        with pytest.raises(GatewayError, match="no"):
            CALLS[name](GatewayClient(settings), server)
    assert server.connections == 0


def test_questions_of_the_sweep_dial_what_the_wall_gave(dials: Callable[[], tuple[list[str], list[str]]]) -> None:
    with fake(says(200, {"id": "video_1", "status": "queued"})) as server:
        poller = Poller()
        try:
            poller.ask("one", config(server), ["video_1"])
            assert poller.collect(wait_s=10)
        finally:
            poller.close()
    dialled, given = dials()
    assert dialled == given == ["127.0.0.1"]
