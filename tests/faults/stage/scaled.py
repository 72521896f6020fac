"""The engine's times, some five to ten times shorter, in the bench's processes only.

A name that is no longer there is an error: the bench would otherwise wait for real times and call rows stuck.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

CLAIM_S = 2.0


def _put(module: Any, **values: Any) -> None:
    for name, value in values.items():
        if not hasattr(module, name):
            raise AttributeError(f"{module.__name__} has no {name}: mend the bench's times")
        setattr(module, name, value)


def apply() -> None:
    from playground.gateway import calls, factory
    from playground.gateway.types import Limits, Timing
    from playground.services import collect, engine, runs, submit, sweep, timing

    handed_over = timedelta(seconds=1.5)
    _put(engine, CLAIM_FOR=timedelta(seconds=CLAIM_S), RENEW_EVERY_S=0.4)
    _put(submit, BACKOFF_S=(0.1, 0.2, 0.3, 0.5, 1, 1), POLL_AFTER=timedelta(milliseconds=50), AGAIN_S=0.1)
    _put(sweep, LEASE_S=1.0, HANDED_OVER=handed_over)
    _put(runs, HANDED_OVER=handed_over)
    _put(collect, RETRY_S=(0.1, 0.1, 0.2, 0.3, 0.5))
    _put(timing, WATCHED_S=0.1, FLOOR_S=0.3, CEILING_S=1.0)
    _put(calls, BACKOFF_S=(0.05, 0.1))
    sweep.run_slice.__kwdefaults__ |= {"slice_s": 0.5, "tick_s": 0.03}
    short = Timing(connect=2, read=2, write=2, total=4)
    limits = replace(Limits(), create=short, retrieve=short, cancel=short, models=Timing(5, 10, 10, 30), download=short)
    factory.Limits = lambda: limits  # type: ignore[assignment,misc]
