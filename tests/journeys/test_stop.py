"""A stop while orders are on their way: it is soon over, and after the next start each is done and paid once."""

import time
from collections.abc import Callable

import pytest

from tests.support.processes import wait_until
from tests.support.running import Running
from tests.support.visitor import Visitor, charges

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

ANSWERS_AFTER_S = 6
"""Longer than a worker that is told to stop waits for what it has begun."""


def test_orders_whose_answers_a_stop_cuts_off_are_done_after_the_next_start(install: Callable[..., Running]) -> None:
    up = install(SANDBOX_SLOW_ANSWER_SECONDS=str(ANSWERS_AFTER_S)).ready_to_order()
    ana = Visitor(up.url).sign_in(up.command("signin_link", "ana@example.com").strip())
    # By one press: on a slow machine the first of two could have its answer before the second is there.
    assert ana.order("Boats [[sandbox:slow-answer]]", seconds=1, count=2).status == 303
    wait_until(lambda: len(charges(up.sandbox_port)) == 2, what="both at the gateway")

    began = time.monotonic()
    assert up.stop() == 0
    assert time.monotonic() - began < ANSWERS_AFTER_S + 4
    assert up.statuses() == ["submitting"] * 2
    up.start().ready()

    wait_until(up.all_done, within=60, what="done")
    assert len(charges(up.sandbox_port)) == 2
