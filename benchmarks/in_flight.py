"""5,000 orders in flight at one gateway that allows 100 questions a second: all end there at once; when is each seen?

Real `manage.py worker` processes (--workers) on the installation's own rate cap, and a gateway in a process of its own.
The orders are between half a minute and --oldest seconds old, and nobody looks at them. The worker runs WARM_UP_S in
the steady state; then the gateway says "completed" of all from one moment on. An order is seen when its row is
`completed`; the saving of the videos (a real clip of a second) goes on beside it and is not waited for.

Also counted, at the gateway, over the whole run: that no order was asked for again before its time. Every
SNAPSHOT_S the rows' due times are read; a question that comes before the due time of the last reading is one too many.
And that the rate cap held, and what the worker cost in processor time in the steady state.

Exits 1 when an order was seen later than BAR_S, or asked for before its time, or the gateway more often than allowed.

    python -m benchmarks.in_flight [--rows 5000] [--workers 1] [--oldest 900] [--database sqlite|postgres|URL]
"""

import argparse
import random
import sys
import tempfile
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks import stage
from tests.media.server import wait_until

BAR_S = 75.0
WARM_UP_S = 60.0
STEADY_AFTER_S = 20.0
SNAPSHOT_S = 5.0
YOUNGEST_S = 30
"""No longer counted as watched."""
SPREAD_S = 50.0
"""Over which the first questions are due, as they would be in the steady state."""
PATIENCE_S = 150.0
BURST = 1.5
"""Of the cap, in any one second: a turn of the sweep that took long is made up for (`services.pace.LATE_S`)."""
UNDER_WAY_S = (7.0, 12.5)
"""A row due in so long may be one that is being asked for (`services.asking.TAKEN_FOR`): it says nothing."""

Snapshot = tuple[float, float, dict[str, float]]
"""Before and after it was read, and the due time of each order; seconds since the epoch."""


def make_rows(count: int, oldest_s: float) -> int:
    """The orders; returns the rate cap of their gateway."""
    from django.utils import timezone

    from playground.domain.status import Status
    from playground.models import Generation
    from playground.services import gateways
    from tests.factories import make_member, make_model, make_run

    gateway, source = gateways.ensure_default(), random.Random(1)
    run = make_run(by=make_member(), model=make_model(gateway=gateway))
    now = timezone.now()
    Generation.objects.bulk_create(
        Generation(
            run=run,
            team=run.team,
            gateway=gateway,
            model=run.model,
            position=number,
            status=Status.RUNNING,
            upstream_id=f"video_{number:08}",
            created_at=now - (age := timedelta(seconds=source.uniform(YOUNGEST_S, max(YOUNGEST_S, oldest_s)))),
            submitted_at=now - age,
            started_at=now - age,
            next_check_at=now + timedelta(seconds=SPREAD_S * number / count),
            deadline_at=now + timedelta(hours=1),
        )
        for number in source.sample(range(count), count)
    )
    return int(gateway.rate_cap)


def snapshot() -> Snapshot:
    from playground.domain.status import Status
    from playground.models import Generation

    began = time.time()
    rows = Generation.objects.filter(status=Status.RUNNING).values_list("upstream_id", "next_check_at")
    due = {name: at.timestamp() for name, at in rows if at}
    return began, time.time(), due


@contextmanager
def at_work(count: int) -> Iterator[list[int]]:
    """So many workers, which have taken up work; their process ids."""
    from django.utils import timezone

    from playground.services import leases, sweep

    with ExitStack() as stack:
        pids = [stack.enter_context(stage.program("manage.py", "worker")).pid for _ in range(count)]
        wait_until(lambda: leases.free_since(sweep.LEASE, now=timezone.now()) is None, "no worker", seconds=60)
        yield pids


def steady(pids: list[int], snapshots: list[Snapshot]) -> float:
    """WARM_UP_S of work; returns the processor time that its later part took, as a share of one core."""
    began, mark = time.monotonic(), (0.0, 0.0)
    while (age := time.monotonic() - began) < WARM_UP_S:
        if not mark[1] and age >= STEADY_AFTER_S:
            mark = sum(map(stage.cpu_s, pids)), time.monotonic()
        snapshots.append(snapshot())
        time.sleep(SNAPSHOT_S)
    return (sum(map(stage.cpu_s, pids)) - mark[0]) / (time.monotonic() - mark[1])


def seen_all(snapshots: list[Snapshot]) -> list[float]:
    """Wait until no order is running any more; the moments at which they were seen, in order."""
    from playground.models import Generation

    patience_ends = time.monotonic() + PATIENCE_S
    while (found := snapshot())[2] and time.monotonic() < patience_ends:
        snapshots.append(found)
        time.sleep(SNAPSHOT_S / 5)
    seen = Generation.objects.filter(completed_at__isnull=False).values_list("completed_at", flat=True)
    return sorted(at.timestamp() for at in seen if at)


def too_early(asked: dict[str, list[float]], snapshots: list[Snapshot]) -> int:
    """How many questions came before the due time that the last snapshot before them told."""
    count = 0
    for (began, ended, due), after in zip(snapshots, [*snapshots[1:], None], strict=True):
        until = after[0] if after else ended
        for name, due_at in due.items():
            if UNDER_WAY_S[0] < due_at - began < UNDER_WAY_S[1]:
                continue
            times = asked[name]
            next_one = bisect_right(times, ended)
            count += next_one < len(times) and times[next_one] < min(due_at, until)
    return count


def busiest(asked: dict[str, list[float]]) -> int:
    """The most questions in any one second."""
    times, start, most = sorted(at for each in asked.values() for at in each), 0, 0
    for number, at in enumerate(times):
        while times[start] <= at - 1.0:
            start += 1
        most = max(most, number - start + 1)
    return most


def per_s(asked: dict[str, list[float]], begin: float, end: float) -> float:
    return sum(begin <= at < end for times in asked.values() for at in times) / (end - begin)


def measure(gateway_port: int, rows: int, workers: int, oldest_s: float) -> int:
    from django.db import connection

    cap, snapshots = make_rows(rows, oldest_s), []
    with at_work(workers) as pids:
        cores = steady(pids, snapshots)
        end = float(stage.of_gateway(gateway_port, "/bench/end")["at"])
        lags = [at - end for at in seen_all(snapshots)]
        log = stage.of_gateway(gateway_port, "/bench/log")
    asked: dict[str, list[float]] = defaultdict(list)
    for kind, name, at in log:
        if kind == "asked":
            asked[name].append(at)
    rates = per_s(asked, end - WARM_UP_S / 2, end), per_s(asked, end, end + max(lags))
    saved = sum(kind == "fetched" for kind, _, _ in log)
    early, most, compared = too_early(asked, snapshots), busiest(asked), sum(len(due) for _, _, due in snapshots)
    print(
        f"{connection.vendor}, {workers} worker(s): {len(lags)} of {rows} orders seen after they had all ended at one"
        f" moment: p50 {stage.percentile(lags, 0.5):.1f} s, p95 {stage.percentile(lags, 0.95):.1f} s, last"
        f" {lags[-1]:.1f} s (bar {BAR_S:g} s); {saved} of them fetched meanwhile"
    )
    print(
        f"{sum(map(len, asked.values()))} questions, {early} before their time by {compared} due times read (bar 0),"
        f" {rates[0]:.0f} a second before the end, {rates[1]:.0f} after it, at most {most} in one second (cap {cap},"
        f" bar {cap * BURST:.0f}); steady state {cores:.2f} of a core; {stage.load()}"
    )
    good = len(lags) == rows and lags[-1] <= BAR_S and early == 0 and most <= cap * BURST
    return 0 if good else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--oldest", type=float, default=900, metavar="SECONDS")
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        from tests.media.clips import make_clip

        film = make_clip(Path(name) / "film.mp4", seconds=1.0)
        with (
            stage.gateway("--log", "--film", str(film)) as port,
            stage.database(options.database) as url,
            stage.entered(Path(name), database=url, SANDBOX_PORT=str(port)),
        ):
            return measure(port, options.rows, options.workers, options.oldest)


if __name__ == "__main__":
    sys.exit(main())
