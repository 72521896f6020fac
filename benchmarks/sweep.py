"""The whole sweep over real rows against a bare aiohttp loop that asks the same gateway and writes nothing.

N orders are due at one gateway, which runs in a process of its own and answers "in progress" at once: the least that a
gateway can cost, so all that is seen is ours. Our side is `services.sweep.sweep_once`: read what is due, ask, judge
each answer, write when to ask again. The reference sends the same questions over one aiohttp session with the same
number side by side, reads the JSON and looks at the status. Both sides alternate; medians of ROUNDS rounds.
With --moving every answer has a new percentage, which is written too. The rule that spreads rows which come due at once
(`services.pace.SURGE`) is off here: it would hold the sweep back on purpose. The growth of this process's memory
over the measured rounds is printed and bounded.

    python -m benchmarks.sweep [--rows 3000] [--moving] [--database sqlite|postgres|URL]

"postgres" is a server of its own for the run, which waits for its disk. A database given by its URL is not touched
itself: a database test_<name> is made beside it and dropped afterwards.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp  # noqa: TID251  the reference

from benchmarks import stage

BAR = 0.25
GROWTH_BAR_MB = 20
MOVING_BAR = 0.15
"""The worst case: ninety-seven different percentages among five hundred answers are as many statements."""
ROUNDS = 3
OLDEST_S = 900
"""Orders are between nothing and this old, as in a real list: the young ones are asked more often."""


def make_rows(count: int, *, cap: int | None = None) -> list[str]:
    """`count` running orders at the sandbox's gateway, due now; returns the gateway's ids of them.

    `cap`: questions a second; None leaves what an installation has.
    """
    from django.utils import timezone

    from playground.domain.status import Status
    from playground.models import Generation
    from playground.services import gateways
    from tests.factories import make_member, make_model, make_run

    gateway = gateways.ensure_default()
    gateway.rate_cap = cap or gateway.rate_cap
    gateway.save()
    run = make_run(by=make_member(), model=make_model(gateway=gateway))
    now, ids = timezone.now(), [f"video_{number:08}" for number in range(count)]
    Generation.objects.bulk_create(
        Generation(
            run=run,
            team=run.team,
            gateway=gateway,
            model=run.model,
            position=number,
            status=Status.RUNNING,
            upstream_id=upstream_id,
            created_at=now - (age := timedelta(seconds=OLDEST_S * number / count)),
            submitted_at=now - age,
            next_check_at=now,
            deadline_at=now + timedelta(hours=1),
        )
        for number, upstream_id in enumerate(ids)
    )
    return ids


def ours(count: int) -> float:
    """Jobs a second of sweeping all of them once."""
    from django.utils import timezone

    from playground.models import Generation
    from playground.services import sweep

    due = timezone.now() - timedelta(seconds=1)
    Generation.objects.update(next_check_at=due, last_checked_at=None)
    done, started = 0, time.perf_counter()
    while done < count:
        # Rows whose next turn has come already stay out of this round: `now` is before it.
        done += sweep.sweep_once(now=due)
    took = time.perf_counter() - started
    check(due, count)
    return count / took


def check(due: datetime, count: int) -> None:
    """A round counts only if every row was asked for, judged as unchanged and given a later turn."""
    from playground.models import Generation

    good = Generation.objects.filter(next_check_at__gt=due, last_checked_at__gt=due, poll_failures=0).count()
    if good != count:
        raise RuntimeError(f"only {good} of {count} rows were looked after")


async def bare(url: str, ids: list[str], concurrency: int) -> float:
    waiting, moving = iter(ids), 0

    async def work(session: aiohttp.ClientSession) -> None:
        nonlocal moving
        for job_id in waiting:
            async with session.get(f"{url}/videos/{job_id}", headers={"Authorization": "Bearer none"}) as answer:
                moving += json.loads(await answer.read())["status"] == "in_progress"

    started = time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:
        await asyncio.gather(*(work(session) for _ in range(concurrency)))
    took = time.perf_counter() - started
    if moving != len(ids):
        raise RuntimeError(f"only {moving} of {len(ids)} answers")
    return len(ids) / took


def measure(port: int, count: int, bar: float) -> int:
    from django.db import connection

    from playground.services import pace, warmup
    from playground.services.asking import POLL_CONCURRENCY

    warmup.preload()  # as a worker's processes have it
    pace.SURGE = 1e6
    url, ids, pairs = f"http://127.0.0.1:{port}/openai/v1", make_rows(count, cap=count), []
    for turn in range(ROUNDS + 1):
        pair = asyncio.run(bare(url, ids, POLL_CONCURRENCY)), ours(count)
        if turn:  # the first warms both up
            pairs.append(pair)
        else:
            before = resident_mb()
    grown = resident_mb() - before
    reference, own = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(
        f"{connection.vendor}: bare aiohttp {reference:.0f} jobs/s, whole sweep {own:.0f} jobs/s, {count} rows:"
        f" ratio {ratio:.2f} (bar {bar}); memory grew by {grown:.1f} MB in {ROUNDS} rounds (bar {GROWTH_BAR_MB});"
        f" {stage.load()}"
    )
    return 0 if ratio >= bar and grown <= GROWTH_BAR_MB else 1


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3000, help="at most 32000")
    parser.add_argument("--moving", action="store_true")
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        stage.gateway(*(["--moving"] if options.moving else [])) as port,
        stage.database(options.database) as url,
        stage.entered(Path(name), database=url, SANDBOX_PORT=str(port)),
    ):
        return measure(port, options.rows, MOVING_BAR if options.moving else BAR)


if __name__ == "__main__":
    sys.exit(main())
