"""Which bodies the gate reads before Django is asked, and what is told of those it gives up."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from structlog.testing import capture_logs

from playground import asgi
from playground.front.bodies import Gone, Message, TooMany, TooSlow
from playground.upload_handlers import MAX_BODY_BYTES
from tests.front.test_bridge import SCOPE
from tests.support.processes import wait_until

pytestmark = pytest.mark.pure

FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("method", "kind", "length", "read"),
    [
        ("POST", FORM, "1", True),
        ("POST", FORM, str(1024 * 1024), True),
        ("POST", FORM, str(1024 * 1024 + 1), False),
        ("POST", FILES, str(MAX_BODY_BYTES), True),
        ("POST", FILES, str(MAX_BODY_BYTES + 1), False),
        ("POST", FILES.replace("multipart/form-data", "Multipart/Form-DATA"), str(MAX_BODY_BYTES), True),
        ("POST", FORM, "0", False),
        ("POST", FORM, "", False),
        ("POST", FORM, "-1", False),
        ("POST", FORM, "0" * 5000 + "5", False),
        ("POST", FORM, "\u0665", False),
        ("GET", FORM, "10", False),
        ("PUT", FILES, "10", False),
    ],
)
def test_a_body_is_read_where_a_view_may_want_it(method: str, kind: str, length: str, read: bool) -> None:
    assert asgi._wanted({"REQUEST_METHOD": method, "CONTENT_TYPE": kind, "CONTENT_LENGTH": length}) is read


def answered(monkeypatch: pytest.MonkeyPatch, error: Exception, times: int = 1) -> list[Message]:
    sent: list[Message] = []

    @asynccontextmanager
    async def read(*_: Any, **__: Any) -> AsyncIterator[None]:
        raise error
        yield

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing of the body is wanted any more")

    monkeypatch.setattr(asgi.bodies, "read", read)
    for _ in range(times):
        asyncio.run(asgi.application(SCOPE, receive, send))
    return sent


@pytest.mark.parametrize(("error", "status"), [(TooSlow("3 bytes came"), 408), (TooMany("64 are being read"), 503)])
def test_a_refused_body_is_answered_in_words_and_the_connection_ended(
    monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    head, body = answered(monkeypatch, error)
    headers = dict(head["headers"])
    assert head["status"] == status
    assert headers[b"Connection"] == b"close"
    assert (b"Retry-After" in headers) is (status == 503)
    assert b"gain" in body["body"]


def test_a_client_that_ends_before_its_body_does_is_told_and_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still listen: it has only closed its own direction."""
    with capture_logs() as lines:
        head, body = answered(monkeypatch, Gone())
    assert (head["status"], lines) == (400, [])
    assert b"before all of it had come" in body["body"]


def test_a_thread_without_work_gives_its_database_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL counts them for all programs, and no request would come to close what an ended thread left open."""
    closed: list[int] = []
    monkeypatch.setattr(BaseDatabaseWrapper, "close", lambda _wrapper: closed.append(threading.get_ident()))
    threads = asgi.bridge._threads
    monkeypatch.setattr(threads, "_idle_s", 0.02)

    def use() -> int:
        assert connections["default"]
        return threading.get_ident()

    worked_in = threads.submit(use).result(10)
    wait_until(lambda: closed == [worked_in], within=10)


def test_a_flood_of_refused_bodies_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "_told_at", -asgi.LINE_EVERY_S)
    monkeypatch.setattr(asgi, "_refused", 0)
    monkeypatch.setattr(asgi.time, "monotonic", lambda: 100.0)
    with capture_logs() as lines:
        answered(monkeypatch, TooMany("64 are being read"), times=30)
    told = [(line["event"], line["kind"], line["status"], line["since_last_line"]) for line in lines]
    assert told == [("request_refused", "TooMany", 503, 1)]
