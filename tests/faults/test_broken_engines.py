"""The bench finds what it is for: three engines with a mistake each, and the checker names it.

The sound engine plays the same scenes, and nothing is found.
"""

import time
from pathlib import Path

import pytest

from playground.domain.money import set_aside_micros
from tests.faults.stage.database import Sqlite
from tests.faults.stage.stage import Stage, staged

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
PRICE = 50_000
CAP = 3 * set_aside_micros(PRICE)


def die_after_sending(stage: Stage, *, times: int) -> None:
    """A process dies between an order's last byte and its answer, so many times."""
    for _ in range(times):
        plan = stage.plan("request-sent")
        stage.keep_engines([plan])
        stage.place([stage.order("Boats at dawn")])
        stage.wait(lambda plan=plan: stage.struck(plan), within=60, what="the death")
        stage.kill_engines()
    stage.keep_engines()
    stage.settle()


def judged(stage: Stage) -> list[str]:
    problems = stage.judge()["problems"]
    stage.kill_engines()
    return list(problems)


@pytest.mark.parametrize("variant", ["", "post-first"])
def test_order_sent_before_its_intent_is_stored_is_found_out(variant: str, tmp_path: Path) -> None:
    with staged(tmp_path, Sqlite(tmp_path), variant=variant, honours_keys=False) as stage:
        die_after_sending(stage, times=3 if variant else 1)
        assert ("charged twice" in judged(stage)) if variant else (judged(stage) == [])


def test_fresh_key_for_each_try_is_found_out(tmp_path: Path) -> None:
    with staged(tmp_path, Sqlite(tmp_path), variant="fresh-key") as stage:
        stage.keep_engines()
        stage.place([stage.order("Boats [[sandbox:500-after]]")])
        stage.settle()
        assert "charged twice" in judged(stage)


@pytest.mark.parametrize("variant", ["", "sum-budget"])
def test_budget_by_sum_is_found_out(variant: str, tmp_path: Path) -> None:
    """Eight people press at one moment, with room for three."""
    with staged(tmp_path, Sqlite(tmp_path), variant=variant, cap_micros=CAP) as stage:
        at, acks = time.time() + 1.5, str(stage.acks_file)
        pressed = [stage.spawn("place", orders=[stage.order("Boats at dawn")], acks=acks, at=at) for _ in range(8)]
        stage.wait(lambda: all(stage.host.has_ended(pid) for pid in pressed), within=60, what="eight answers")
        accepted = len(stage.acknowledged())
        stage.keep_engines()
        stage.settle()
        problems = stage.judge()["problems"]
        stage.kill_engines()
    if variant:
        assert "over the cap" in problems
    else:
        assert (accepted, problems) == (3, {})
