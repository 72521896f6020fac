"""How late a finish is seen and what that costs in questions, by the rule in use and by simpler ones. A simulation.

No gateway and no rows: simulated orders with durations from a lognormal distribution (median 90 s) and from one with
two humps (40 s and 240 s), asked for by `services.timing.interval_s` itself, jitter included. Its history are
HISTORY other orders of the same distribution; with "progress" the simulated gateway also tells whole percentages that
move unevenly. Beside it: a fixed interval, and one by age. An order counts as watched throughout but in the rows that
say otherwise.

Exits 1 when the lag's p95 while watched is not under 3 s, or takes more questions than asking every two seconds.

    python -m benchmarks.lag [--jobs 2000] [--seed 1]
"""

import argparse
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LAG_BAR_S = 3.0
HISTORY = 200
FIRST_AFTER_S = 1.0
"""The first question after the order was accepted, as `services.submit.POLL_AFTER`."""
START = datetime(2026, 1, 1, tzinfo=UTC)

Wait = Callable[[float, int | None, int | None], float]
"""From age, the percentage told before and the one told now, to seconds."""


def lognormal(source: random.Random) -> float:
    return source.lognormvariate(math.log(90), 0.6)


def two_humps(source: random.Random) -> float:
    return source.lognormvariate(math.log(40 if source.random() < 0.6 else 240), 0.25)


@dataclass
class Outcome:
    questions: float
    p50_s: float
    p95_s: float
    worst_s: float

    def __str__(self) -> str:
        lag = f"lag p50 {self.p50_s:5.2f}  p95 {self.p95_s:5.2f}  max {self.worst_s:5.2f} s"
        return f"{self.questions:6.1f} questions   {lag}"


def simulate(draw: Callable[[random.Random], float], wait: Wait, *, jobs: int, seed: int, tells: bool) -> Outcome:
    source, counts, lags = random.Random(seed), [], []
    for _ in range(jobs):
        ends, age, count, before = draw(source), FIRST_AFTER_S, 1, None
        bend = source.uniform(0.7, 1.4)
        while age < ends:
            told = int(100 * (age / ends) ** bend) if tells else None
            age += wait(age, before, told)
            before, count = told, count + 1
        counts.append(count)
        lags.append(age - ends)
    lags.sort()
    return Outcome(statistics.mean(counts), statistics.median(lags), lags[int(len(lags) * 0.95)], lags[-1])


def by_the_rule(model: Any, *, watched: bool) -> Wait:
    """`interval_s` over an unsaved row, with the history that was put in the place of the model's own."""
    from playground.domain.status import Status
    from playground.models import Generation
    from playground.services.timing import interval_s

    row = Generation(model=model, gateway=model.gateway, status=Status.RUNNING, created_at=START, submitted_at=START)

    def wait(age: float, before: int | None, told: int | None) -> float:
        now = START + timedelta(seconds=age)
        row.viewed_at = now if watched else START - timedelta(hours=1)
        row.progress = before
        return interval_s(row, now=now, progress=told)

    return wait


def fixed(seconds: float) -> Wait:
    return lambda age, before, told: seconds * random.uniform(0.95, 1.05)


def by_age(least: float) -> Wait:
    return lambda age, before, told: min(20.0, max(least, age / 20)) * random.uniform(0.95, 1.05)


def measure(name: str, draw: Callable[[random.Random], float], *, jobs: int, seed: int) -> bool:
    from playground.domain import waits
    from playground.models import Gateway, VideoModel
    from playground.services import history

    model = VideoModel(gateway=Gateway(), slug="simulated")
    source = random.Random(seed + 1000)
    history.put(model.id, waits.curve([draw(source) for _ in range(HISTORY)]))
    rules: dict[str, tuple[Wait, bool]] = {
        "every 1 s": (fixed(1), False),
        "every 2 s": (fixed(2), False),
        "every 5 s": (fixed(5), False),
        "by age, 1 to 20 s": (by_age(1), False),
        "by age, 5 to 20 s": (by_age(5), False),
        "ours, watched": (by_the_rule(model, watched=True), False),
        "ours, watched, with progress": (by_the_rule(model, watched=True), True),
        "ours, nobody watches": (by_the_rule(model, watched=False), False),
        "ours, nobody watches, with progress": (by_the_rule(model, watched=False), True),
    }
    print(f"\n{jobs} simulated orders, {name}")
    found = {}
    for rule, (wait, tells) in rules.items():
        found[rule] = simulate(draw, wait, jobs=jobs, seed=seed, tells=tells)
        print(f"  {rule:36} {found[rule]}")
    ours, two = found["ours, watched"], found["every 2 s"]
    ratio = ours.questions / two.questions
    print(f"  p95 {ours.p95_s:.2f} s (bar {LAG_BAR_S:g}) at {ratio:.2f} of the questions of every 2 s (bar 1)")
    return ours.p95_s < LAG_BAR_S and ratio <= 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    from benchmarks import stage

    with tempfile.TemporaryDirectory() as folder, stage.entered(Path(folder)):
        good = [
            measure(name, draw, jobs=options.jobs, seed=options.seed)
            for name, draw in (("lognormal, median 90 s", lognormal), ("two humps, 40 s and 240 s", two_humps))
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
