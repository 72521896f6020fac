"""A gateway for tests of the engine: a real socket, orders counted by key, and every answer for the test to spoil."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from django.utils import timezone

from playground.domain.status import Status
from playground.models import Gateway, Generation, Membership, VideoModel
from playground.services import gateways, ledger
from tests import factories
from tests.gateway.fake import KEY, Fake, Heard, fake, reply

Spoil = Callable[["Accepted", int], bytes | None]
"""Gets the order and the number of its POST, from 1; gives the raw answer, b"" to hang up, None to answer well."""


@dataclass
class Accepted:
    """One paid order. `key` is empty where none was sent."""

    id: str
    key: str
    trace: str
    status: str = "in_progress"


@dataclass
class Upstream:
    honours_keys: bool = True
    refuses: tuple[int, dict[str, Any]] | None = None
    """Every order gets this before anything is taken."""
    spoils: Spoil | None = None
    poll: Callable[[str], tuple[int, Any]] | None = None
    balance: tuple[int, Any] = (200, {"billing_type": "prepaid", "available": {"amount": 10, "currency": "usd"}})
    log: tuple[int, Any] | None = None
    """The answer of the log of requests; without one the orders that were taken."""
    posts: list[str] = field(default_factory=list)
    """The key of every POST."""
    polls: int = 0
    charged: list[Accepted] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    origin: str = ""

    def __call__(self, heard: Heard, sock: socket.socket) -> None:
        path = heard.target.split("?")[0]
        if heard.method == "POST" and path.endswith("/videos"):
            sock.sendall(self._order(heard))
        elif "/videos/" in path:
            sock.sendall(self._asked(unquote(path.rpartition("/")[2])))
        elif path.endswith("/balance"):
            sock.sendall(reply(*self.balance))
        elif path.endswith("/requests"):
            sock.sendall(reply(*(self.log or (200, {"data": [self.logged(order) for order in self.charged[::-1]]}))))
        elif path.endswith("/models"):
            sock.sendall(reply(self.balance[0], {"data": []}))
        else:
            sock.sendall(reply(404, {"error": {"message": "no such route"}}))

    def _order(self, heard: Heard) -> bytes:
        body = json.loads(heard.body)
        key = str(body.get("idempotency_key", ""))
        with self.lock:
            self.posts.append(key)
            if self.refuses:
                return reply(*self.refuses)
            known = next((order for order in self.charged if key and order.key == key and self.honours_keys), None)
            order = known or self._take(key, heard)
            number = self.posts.count(key)
        spoiled = self.spoils(order, number) if self.spoils else None
        if spoiled is not None:
            return spoiled
        return reply(200 if known else 202, {"id": order.id, "status": "queued"})

    def _take(self, key: str, heard: Heard) -> Accepted:
        trace = heard.headers.get("traceparent", "--").split("-")[1]
        order = Accepted(f"video_{len(self.charged)}", key, trace)
        self.charged.append(order)
        return order

    def _asked(self, id: str) -> bytes:
        self.polls += 1
        if self.poll:
            return reply(*self.poll(id))
        order = next((order for order in self.charged if order.id == id), None)
        if order is None:
            return reply(404, {"error": {"code": "NOT_FOUND", "message": "unknown"}})
        return reply(200, {"id": id, "status": order.status})

    def logged(self, order: Accepted, **more: Any) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat()
        return {"id": order.id, "created_at": at, "status": "processing", "trace_id": order.trace} | more


@contextmanager
def upstream(settings: Any, **options: Any) -> Iterator[Upstream]:
    """The gateway in use for the block."""
    made = Upstream(**options)
    with fake(made) as server:
        made.origin = _use(settings, server)
        yield made


def _use(settings: Any, server: Fake) -> str:
    settings.GATEWAY_BASE_URL = f"{server.origin}/openai/v1"
    settings.GATEWAY_API_KEY = KEY
    settings.GATEWAY_DIALECT = "lumenfall"
    return server.origin


def model_of_gateway(**fields: Any) -> VideoModel:
    """A model of the gateway in use; `fields` change what the gateway is declared to honour."""
    gateway = gateways.ensure_default()
    Gateway.objects.filter(id=gateway.id).update(**fields)
    return factories.make_model(gateway=Gateway.objects.get(id=gateway.id))


def queued(*, by: Membership, model: VideoModel, **fields: Any) -> Generation:
    """An order that waits to be sent, with its money set aside."""
    now = timezone.now()
    fields = {"next_check_at": now, "deadline_at": now + timedelta(minutes=30), **fields}
    generation = factories.make_generation(by=by, model=model, status=Status.QUEUED, **fields)
    body = {"model": model.slug, "prompt": "A calm sea", "seconds": 4, "size": "1280x720"}
    Generation.objects.filter(id=generation.id).update(body=body)
    generation.refresh_from_db()
    ledger.hold(generation=generation, amount_micros=400_000, at=now)
    return generation


def running(*, by: Membership, model: VideoModel, upstream_id: str, minutes: float = 5, **fields: Any) -> Generation:
    """An order that the gateway took `minutes` ago, due now."""
    now = timezone.now()
    at = now - timedelta(minutes=minutes)
    fields = {"sent_at": at, "submitted_at": at, "created_at": at, "started_at": at, **fields}
    fields = {"next_check_at": now, "deadline_at": now + timedelta(minutes=25), **fields}
    generation = factories.make_generation(by=by, model=model, status=Status.RUNNING, upstream_id=upstream_id, **fields)
    ledger.hold(generation=generation, amount_micros=400_000, at=at)
    return generation
