"""What happens around the engine: the gateway is away, the database is locked or restarted, a clock is wrong.

Real processes, sockets and databases; times are scaled (stage/scaled.py), so seconds here stand for minutes there.
"""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.stage.database import Postgres, Sqlite
from tests.faults.stage.points import Plan
from tests.faults.stage.stage import ACTIVE, Stage, staged
from tests.support import postgres

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One installation for all tests here; each leaves nothing on its way."""
    folder = tmp_path_factory.mktemp("stage")
    with staged(folder, Sqlite(folder)) as made:
        yield made
        made.kill_engines()


def order(stage: Stage, count: int = 3) -> list[str]:
    """The ids of the generations."""
    before = set(rows(stage))
    stage.place([stage.order("Boats at dawn") for _ in range(count)])
    return sorted(set(rows(stage)) - before)


def rows(stage: Stage) -> dict[str, tuple[str, int, str]]:
    """By id: status, version, upstream id. Of the tests that ran before, too."""
    found = stage.database.rows("SELECT id, status, version, upstream_id FROM playground_generation")
    return {str(row[0]): (row[1], row[2], row[3]) for row in found}


def statuses(stage: Stage, ids: list[str]) -> set[str]:
    known = rows(stage)
    return {known[one][0] for one in ids}


def test_frozen_process_is_succeeded_and_changes_nothing_when_it_wakes(stage: Stage) -> None:
    """It has the answer to its order in hand while another sends the same order again."""
    plan = stage.plan("answer-read", how="freeze")
    stage.kill_engines()
    stage.keep_engines([plan])
    ids = order(stage, 1)
    stage.wait(lambda: stage.struck(plan), within=30, what="the freeze")
    stage.settle()
    before = rows(stage)
    assert statuses(stage, ids) == {"done"}

    frozen = int(next(pid for pid, _point, what in stage.hits() if what == "freeze"))
    stage.signal_engines(signal.SIGCONT)
    for other in set(stage.engines) - {frozen}:
        os.kill(other, signal.SIGKILL)
    alone = order(stage, 1)
    stage.wait(lambda: statuses(stage, alone) == {"done"}, within=30, what="an order made by the one that woke")

    assert {one: rows(stage)[one] for one in before} == before
    stage.assert_sound()


def test_gateway_that_is_away_fails_no_order_and_all_are_done_when_it_is_back(stage: Stage) -> None:
    """Orders wait at every stage: to be sent, to be asked after, to be saved."""
    stage.keep_engines()
    ids = order(stage, 4)
    stage.relay.down()
    time.sleep(3)
    assert stage.active()
    stage.relay.up()
    stage.settle()

    assert statuses(stage, ids) == {"done"}
    stage.assert_sound()


def test_locked_database_loses_nothing(stage: Stage) -> None:
    """BEGIN EXCLUSIVE is held six times as long as anybody waits for it."""
    stage.kill_engines()
    stage.keep_engines(lock_s=0.5)
    ids = order(stage, 4)
    lock = sqlite3.connect(stage.database.path, timeout=20, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    time.sleep(3)
    lock.execute("ROLLBACK")
    lock.close()
    stage.settle()

    assert statuses(stage, ids) == {"done"}
    stage.assert_sound()


def put_off(stage: Stage) -> int:
    """How many orders on their way are due so late that only a wrong clock can have meant it."""
    far = (datetime.now(UTC) + timedelta(minutes=30)).strftime("%Y-%m-%d %H:%M:%S")
    sql = f"SELECT count(*) FROM playground_generation WHERE status IN {ACTIVE} AND next_check_at > '{far}'"
    return int(stage.database.rows(sql)[0][0])


def until_saver_dies(stage: Stage, engines: list[int], plan: Plan) -> list[str]:
    """Order, so that two at least are on their way, until `plan` strikes; the ids. All processes are dead then.

    A clock that was set back makes everything wait, until the watcher of that machine has looked.
    """
    ids, deadline = order(stage, 4), time.monotonic() + 60
    while not stage.struck(plan):
        assert time.monotonic() < deadline, f"it never saved anything\n{stage.log()}"
        if stage.clock_s:
            stage.run("set_right")
        if stage.active() < 2:
            ids += order(stage, 2)
    stage.kill_engines()
    stage.wait(lambda: all(stage.host.has_ended(pid) for pid in engines), within=10, what="the death of the saver")
    return ids


def assert_all_are_done_by_right_clocks(stage: Stage, ids: list[str]) -> None:
    """What a worker's watcher does once a minute is done here; what waited for free may have been given up."""
    stage.keep_engines(count=2)
    deadline = time.monotonic() + 30
    while statuses(stage, ids) - {"done", "cancelled"} and time.monotonic() < deadline:
        stage.run("set_right")
        stage.keep_engines(count=2)
        time.sleep(0.2)

    stage.assert_sound()
    assert statuses(stage, ids) <= {"done", "cancelled"}


@pytest.mark.parametrize("clock_s", [3600, -3600])
def test_clock_moved_an_hour_and_back_makes_nobody_pay_twice(stage: Stage, clock_s: int) -> None:
    """The whole machine's, while orders are on their way; it is set right while a video is being saved."""
    stage.kill_engines()
    ids = order(stage, 3)
    plan = stage.plan("save-claimed")
    try:
        stage.clock_s = clock_s
        stage.keep_engines([plan], count=2)
        ids += until_saver_dies(stage, [], plan)
    finally:
        stage.clock_s = 0
    assert (put_off(stage) > 0) == (clock_s > 0)

    assert_all_are_done_by_right_clocks(stage, ids)


def test_process_whose_clock_is_an_hour_ahead_of_the_others_makes_nobody_pay_twice(stage: Stage) -> None:
    """One dies while it saves a video, which it then holds for an hour for the one that works beside it."""
    stage.kill_engines()
    stage.keep_engines(count=1)
    plan = stage.plan("save-claimed")
    stage.clock_s = 3600
    ahead = stage.spawn("engine", seed="ahead", plans=[plan])
    stage.clock_s = 0
    ids = until_saver_dies(stage, [ahead], plan)
    assert put_off(stage)

    assert_all_are_done_by_right_clocks(stage, ids)


def test_restarted_postgres_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, as by a crash, and twice: while orders are sent and while they are saved."""
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    with postgres.server(forgetful=False) as (url, _origin):
        database = Postgres(url)
        with staged(tmp_path, database) as stage:
            stage.keep_engines()
            ids = []
            for _ in range(2):
                ids += order(stage, 3)
                postgres.restart(url)
            stage.settle()
            assert statuses(stage, ids) == {"done"}
            stage.assert_sound()
            stage.kill_engines()
