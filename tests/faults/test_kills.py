"""Processes killed at every fault point and at random; the checker finds the books right and nothing paid twice.

The quick set. The long one is ./scripts/faults.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.stage import rounds
from tests.faults.stage.database import Postgres, Sqlite
from tests.faults.stage.points import Plan, in_code
from tests.faults.stage.stage import Stage, staged

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]
AT_ONCE = 4


@contextmanager
def on(kind: str, folder: Path, **more: object) -> Iterator[Stage]:
    if kind == "sqlite":
        with staged(folder, Sqlite(folder), **more) as stage:  # type: ignore[arg-type]
            yield stage
        return
    database = Postgres(os.environ["PLAYGROUND_TEST_DATABASE_URL"])
    try:
        with staged(folder, database, **more) as stage:  # type: ignore[arg-type]
            yield stage
    finally:
        database.drop()


def strike(stage: Stage, points: list[str]) -> None:
    """Kill a process at each of `points`, with orders on their way that pass all of them."""
    plans = [stage.plan(point) for point in points]
    stage.kill_engines()
    stage.keep_engines(plans)
    deadline = time.monotonic() + 90
    while not all(stage.struck(plan) for plan in plans):
        if not stage.active():
            stage.place([stage.order("Boats at dawn"), stage.order("Boats [[sandbox:drop]]")])
        stage.keep_engines(plans)
        assert time.monotonic() < deadline, f"never reached: {[p.point for p in plans if not stage.struck(p)]}"
        time.sleep(0.03)
    stage.settle()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_death_at_every_point_loses_nothing_and_pays_once(kind: str, tmp_path: Path) -> None:
    with on(kind, tmp_path) as stage:
        engine = sorted(rounds.engine_points(), key=lambda point: point not in ("before-claim", "submit-due"))
        chosen = engine if kind == "sqlite" else engine[::2]
        for first in range(0, len(chosen), AT_ONCE):
            strike(stage, chosen[first : first + AT_ONCE])
        for point in rounds.WEB:
            stage.place([stage.order("Boats at dawn")], [Plan(point)])
        assert stage.run("hook", plans=[Plan(rounds.HOOK)]) == -signal.SIGKILL
        assert [stage.run("hook"), stage.run("hook")] == [0, 0], "the same message, sent again"
        assert stage.database.rows("SELECT count(*) FROM playground_webhookdelivery") == [(1,)]
        stage.keep_engines()
        stage.settle()

        verdict = stage.assert_sound()
        killed = {point for _pid, point, what in stage.hits() if what == "kill"}
        assert killed == {*chosen, *rounds.WEB, rounds.HOOK}
        assert {point for _pid, point, _what in stage.hits()} == {point for point, _ in in_code()}
        assert verdict["figures"]["done"] == verdict["figures"]["orders"]
        stage.kill_engines()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_random_deaths_lose_nothing_and_pay_once(kind: str, tmp_path: Path) -> None:
    with on(kind, tmp_path) as stage:
        for number in range(2):
            rounds.play(stage, seed="quick", number=number)
        stage.assert_sound()
        assert stage.kills >= 2
        stage.kill_engines()


def test_gateway_that_ignores_keys_is_never_paid_twice(tmp_path: Path) -> None:
    """What cannot be known is left to a person, with its money still set aside."""
    with on("sqlite", tmp_path, honours_keys=False) as stage:
        plan = stage.plan("answer-read")
        stage.keep_engines([plan])
        stage.place([stage.order("Boats at dawn"), stage.order("Boats [[sandbox:drop]]")])
        stage.settle()
        assert stage.struck(plan)
        rounds.play(stage, seed="no keys", number=2)
        stage.assert_sound()
        stage.kill_engines()
