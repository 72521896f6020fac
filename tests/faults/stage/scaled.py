"""The engine's times, some five to a hundred times shorter, in the bench's processes only.

A time that is no longer where it was is an error: the bench would otherwise wait for real times and call rows stuck.
"""

import importlib
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

CLAIM_S = 2.0
LONGEST_S = 60.0
TIMES: dict[str, Any] = {
    "services.engine.CLAIM_FOR": timedelta(seconds=CLAIM_S),
    "services.engine.RENEW_EVERY_S": 0.4,
    "services.backlog.WAIT_S": (0.1, 0.2, 0.3, 0.5, 1, 1),
    "services.replies.UNCLEAR_S": (0.1, 0.2, 0.3, 0.5, 1),
    "services.parking.QUIET": timedelta(seconds=2),
    "services.lookups.AGAIN_AFTER": timedelta(seconds=0.5),
    "services.outcomes.LEAST_BACKOFF_S": 0.3,
    "services.outcomes.MOST_BACKOFF_S": 2.0,
    "services.accepted.POLL_AFTER": timedelta(milliseconds=50),
    "services.submit.AGAIN_S": 0.1,
    "services.sweep.LEASE_S": 1.0,
    "services.sweep.HANDED_OVER": timedelta(seconds=1.5),
    "services.saving.HANDED_OVER": timedelta(seconds=1.5),
    "services.saving.RETRY_S": (0.1, 0.1, 0.2, 0.3, 0.5),
    "services.saving.PATIENCE": timedelta(seconds=1),
    "services.saving.UNKNOWN_FOR": timedelta(seconds=2),
    "services.orphan_files.OLD_ENOUGH": timedelta(0),
    "services.asking.TAKEN_FOR": timedelta(seconds=2),
    "services.pace.HELD_LEAST_S": 0.1,
    "services.pace.LOWERED_FOR": timedelta(seconds=1),
    "services.backlog.COOLING": timedelta(seconds=1),
    "services.timing.WATCHED_S": 0.1,
    "services.timing.FLOOR_S": 0.3,
    "services.timing.WATCHED_CEILING_S": 0.5,
    "services.timing.CEILING_S": 1.0,
    "services.timing.LATE_LEAST_S": 0.5,
    "gateway.calls.BACKOFF_S": (0.05, 0.1),
}


def apply() -> None:
    """Also where another module has taken a time by its name."""
    for path, value in TIMES.items():
        module, _, name = path.rpartition(".")
        found = importlib.import_module(f"playground.{module}")
        old = getattr(found, name)
        others = [other for other in list(sys.modules.values()) if getattr(other, name, None) is old]
        for place in [found, *(other for other in others if other.__name__.startswith("playground."))]:
            setattr(place, name, value)
    _shorten_longest()
    _shorten_calls()


def _shorten_longest() -> None:
    """What no wait exceeds, beyond which only a wrong clock can have meant it."""
    from playground.services import clocks

    clocks.LONGEST.update(dict.fromkeys(clocks.LONGEST, timedelta(seconds=LONGEST_S)))
    clocks.CLAIM_MOST = timedelta(seconds=LONGEST_S)


def _shorten_calls() -> None:
    from playground.gateway import factory
    from playground.gateway.types import Limits, Timing
    from playground.services import sweep

    sweep.run_slice.__kwdefaults__ |= {"slice_s": 0.5, "tick_s": 0.03}
    short = Timing(connect=2, read=2, write=2, total=4)
    limits = replace(Limits(), create=short, retrieve=short, cancel=short, models=Timing(5, 10, 10, 30), download=short)
    factory.Limits = lambda: limits  # type: ignore[assignment,misc]
