"""kill -9 of any one worker process, idle or busy: work goes on, nothing is paid twice."""

import json
import os
import signal
from collections.abc import Callable
from urllib.request import Request, urlopen

import pytest

from tests.support.processes import command_line, wait_until
from tests.support.running import Running

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

WITHIN_S = 60
"""Alone it takes seven seconds, or twenty-five where an order was on its way; others run beside it."""


def charges(up: Running) -> list[str]:
    request = Request(
        f"http://127.0.0.1:{up.sandbox_port}/sandbox/charges", headers={"Authorization": "Bearer sandbox"}
    )
    with urlopen(request, timeout=10) as answer:
        return [charge["idempotency_key"] for charge in json.load(answer)["data"]]


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def order_and_wait(up: Running) -> None:
    up.command("seed", "--count", "1")
    wait_until(up.all_done, within=WITHIN_S, what=f"done, not {up.statuses()}")


def test_idle_worker_processes_may_die_one_after_another(install: Callable[..., Running]) -> None:
    """The main process, the sentinel, the first and the last worker, and the two that feed and drain the queue."""
    up = install().ready_to_order()
    order_and_wait(up)
    keys_used = (up.folder / "data" / "keys-used.jsonl").read_text()
    assert f"127.0.0.1:{up.sandbox_port}" in keys_used  # which a restored backup is held against
    victims = (0, 1, 2, -3, -2, -1)
    for number, index in enumerate(victims):
        victim = up.cluster()[index]
        title = command_line(victim)
        kill(victim)
        order_and_wait(up)
        assert len(up.statuses()) == number + 2, f"after the death of {title}"
    assert len(charges(up)) == len(set(charges(up))) == len(up.statuses())


def test_worker_killed_while_busy_is_succeeded(install: Callable[..., Running]) -> None:
    up = install(SANDBOX_JOB_SECONDS="1-2").ready_to_order()
    for _ in range(2):
        up.command("seed", "--count", "2")
        for pid in up.cluster()[2:]:
            kill(pid)
        wait_until(up.all_done, within=WITHIN_S, what=f"done, not {up.statuses()}")
    assert len(charges(up)) == len(set(charges(up))) == 4


def test_watcher_killed_is_restarted_and_leaves_no_second_cluster(install: Callable[..., Running]) -> None:
    up = install().ready_to_order()
    watcher = min(pid for pid in up.processes() if "manage.py worker" in command_line(pid))
    old = set(up.cluster())

    kill(watcher)

    wait_until(lambda: not old & up.processes(), within=10, what="the old cluster to be gone")
    order_and_wait(up)
