"""The order is in the database before its gateway hears of it: a power cut at that moment leaves enough."""

import json
import socket
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from playground.services import submit
from tests import factories
from tests.gateway.fake import Heard
from tests.services.upstream import Upstream, model_of_gateway, queued, upstream

LOOK = """
import json, sys, django
django.setup()
from playground.models import Generation, LedgerEntry
row = Generation.objects.get()
hold = LedgerEntry.objects.get(generation=row)
events = list(row.events.order_by("id").values_list("to_status", flat=True))
print(json.dumps([row.status, row.attempts, row.idempotency_key, row.sent_at is not None, hold.kind, events[-1]]))
"""


@pytest.mark.django_db(transaction=True)
def test_another_process_reads_the_intent_at_the_moment_at_which_the_gateway_gets_the_order(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    answer = Upstream.__call__

    def look_first(self: Upstream, heard: Heard, sock: socket.socket) -> None:
        if heard.method == "POST":
            seen.append((other_process(), json.loads(heard.body)["idempotency_key"]))
        answer(self, heard, sock)

    monkeypatch.setattr(Upstream, "__call__", look_first)
    with upstream(settings):
        order = queued(by=factories.make_member(), model=model_of_gateway())
        submit.submit_queued(order.id)

    key = str(order.id)
    assert seen == [(["submitting", 1, key, True, "hold", "submitting"], key)]
    assert is_synced()


def other_process() -> list[Any]:
    """What a process of its own finds in the database's file or server."""
    from django.conf import settings

    environment = {
        "DJANGO_SETTINGS_MODULE": "playground.settings",
        "DATABASE_URL": address(),
        "SECRET_KEY": settings.SECRET_KEY,
        "PLAYGROUND_DATA": str(settings.DATA_DIR),
        "PUBLIC_URL": "http://localhost:8000",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(
        command, env=environment, cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def address() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )


def is_synced() -> bool:
    """Whether a commit waits for the disk. The tests' PostgreSQL does not; services/durability.py judges a real one."""
    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        return cursor.fetchone()[0] >= 2
