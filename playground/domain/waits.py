"""How long to wait before an order is asked after again: pure rules over ages and earlier durations, all in seconds.

Asking by age asks least when completion is likeliest. Asking by hazard waits until a small share of the orders of the
same model that are still at work would have ended, so the questions are dense where endings are dense.
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log
from statistics import NormalDist, quantiles, stdev
from typing import Final

HAZARD: Final = 0.02
"""Of the orders still at work, how many end between two questions."""
ENOUGH: Final = 20
"""Fewer earlier durations say nothing about a fiftieth."""
AGE_DIVISOR: Final = 20.0
_WIDEST: Final = 0.2
_SPREAD: Final = tuple(NormalDist().inv_cdf((step + 0.5) / 9) for step in range(9))


def curve(durations: Sequence[float]) -> tuple[float, ...]:
    """Durations as `hazard_s` takes them: ascending, each spread over nine; empty when there are too few.

    The gaps between a few dozen durations are chance, and waiting through one by chance is what makes a finish late.
    So each is spread as a normal kernel over its logarithm would: Silverman's width, at most a fifth, lest two
    separate humps run together.
    """
    seconds = [max(value, 0.1) for value in durations]
    if len(seconds) < ENOUGH:
        return ()
    logs = [log(value) for value in seconds]
    low, _, high = quantiles(logs, n=4)
    spread = min(stdev(logs), (high - low) / 1.34) or stdev(logs)
    width = min(_WIDEST, 0.9 * spread * len(logs) ** -0.2)
    return tuple(sorted(exp(value + width * step) for value in logs for step in _SPREAD))


def hazard_s(ended: Sequence[float], age_s: float) -> float | None:
    """Seconds until HAZARD of those still at work at `age_s` would have ended, by a `curve`.

    None when it does not tell: it is empty, or this order is older than all of it.
    """
    if not ended or age_s >= ended[-1]:
        return None
    rank = _rank(ended, max(0.0, age_s))
    return _at_rank(ended, rank + HAZARD * (len(ended) - rank)) - age_s


def _rank(ended: Sequence[float], age_s: float) -> float:
    """How many had ended at `age_s`, with the part of the way to the next one."""
    below = bisect_right(ended, age_s)
    start = ended[below - 1] if below else 0.0
    return below + (age_s - start) / (ended[below] - start)


def _at_rank(ended: Sequence[float], rank: float) -> float:
    below = int(rank)
    if below >= len(ended):
        return ended[-1]
    start = ended[below - 1] if below else 0.0
    return start + (rank - below) * (ended[below] - start)


def by_age_s(age_s: float) -> float:
    """Without history: a twentieth of its age."""
    return age_s / AGE_DIVISOR


def half_eta_s(progress: int, elapsed_s: float) -> float:
    """Half of what is left by a percentage (1 to 99) that moves evenly; a wrong guess is halved at each question."""
    return elapsed_s * (100 - progress) / progress / 2
