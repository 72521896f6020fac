"""From the end of a job at the gateway to `completed` here, with webhooks and without, in one run.

Real web, worker and sandbox processes on SQLite. ORDERS orders each, in turns with and without a webhook address, so
that both sides have the same load; nobody looks at them. The end is what the sandbox wrote down for the job, the moment
of `completed` is when another process can read it in the database (looked at every 20 ms). Without webhooks a job may
take as long as its own pause between two questions, which is read off its row. Exits 1 when p95 is above BAR_S with
webhooks, or when it is above BAR_S beyond that pause without.

    python -m benchmarks.webhook
"""

import random
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import stage
from tests.media.server import answers, free_port, wait_until

BAR_S = 0.5
ORDERS = 20
JOB_SECONDS = "24-34"
"""Longer than a fresh order counts as watched, which is asked for every second."""
SPACING_S = (0.1, 0.4)
LOOK_S = 0.02
PATIENCE_S = 120
ON_THE_WAY = ("queued", "submitting", "submitted", "running")


@dataclass
class Seen:
    by_hook: bool
    pause_s: float = 0.0
    """Between the last two questions."""
    told_at: float = 0.0
    """When its webhook had been checked and stored."""
    completed_at: float = 0.0
    upstream_id: str = ""


def order(member: Any, *, by_hook: bool, number: int) -> str:
    from django.conf import settings

    from playground.models import VideoModel
    from playground.services import estimates, runs

    settings.SANDBOX_HOOK_LOOPBACK = by_hook
    model = VideoModel.objects.get(slug="p-video")
    lengths = model.takes.lengths
    wanted = estimates.Wanted(model=model, size=model.takes.sizes[0], seconds=lengths.minimum or lengths.shortest)
    price = estimates.quote(by=member, wanted=wanted).total_micros
    run = runs.start(by=member, wanted=wanted, prompt=f"Waves, {number}", token=runs.new_token(), quoted_micros=price)
    generation = run.generations.get()
    assert ("webhook_url" in generation.body) == by_hook
    return str(generation.id)


def look(seen: dict[str, Seen]) -> bool:
    """Note what has changed; True once all are completed."""
    from playground.models import Generation

    open_ids = [row for row, what in seen.items() if not what.completed_at]
    fields = ("id", "status", "next_check_at", "last_checked_at", "upstream_id")
    rows = Generation.objects.filter(id__in=open_ids).values_list(*fields)
    now = time.time()
    for id, status, next_at, checked_at, upstream_id in rows:
        what = seen[str(id)]
        if status not in ON_THE_WAY:
            what.completed_at, what.upstream_id = now, upstream_id
        elif next_at and checked_at and next_at > checked_at:
            what.pause_s = (next_at - checked_at).total_seconds()
    return all(what.completed_at for what in seen.values())


def ends(database: Path) -> dict[str, float]:
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute("SELECT id, ended_at FROM job WHERE outcome = 'completed'").fetchall())


def watched(member: Any) -> dict[str, Seen]:
    """Order, and look until all have come back."""
    seen: dict[str, Seen] = {}
    for number in range(2 * ORDERS):
        by_hook = number % 2 == 0
        seen[order(member, by_hook=by_hook, number=number)] = Seen(by_hook)
        pause_ends = time.monotonic() + random.uniform(*SPACING_S)
        while time.monotonic() < pause_ends:
            look(seen)
            time.sleep(LOOK_S)
    patience_ends = time.monotonic() + PATIENCE_S
    while not look(seen):
        if time.monotonic() > patience_ends:
            raise RuntimeError("some orders did not come back")
        time.sleep(LOOK_S)
    return seen


def measure(folder: Path, sandbox_port: int) -> int:
    from django.utils import timezone

    from playground.models import WebhookDelivery
    from playground.services import catalogue, hooks, leases, sweep
    from tests.factories import make_member

    with (
        stage.program("-m", "playground.sandbox", "--port", str(sandbox_port), SANDBOX_JOB_SECONDS=JOB_SECONDS),
        stage.web(),
        stage.program("manage.py", "worker"),
    ):
        wait_until(lambda: answers(sandbox_port), "the sandbox did not start")
        catalogue.sync_default()
        hooks.fetch_ahead(catalogue.default_gateway())
        wait_until(
            lambda: leases.free_since(sweep.LEASE, now=timezone.now()) is None, "no worker took up work", seconds=60
        )
        seen = watched(make_member())
        ended = ends(folder / "sandbox" / "sandbox.sqlite3")
        for generation_id, at in WebhookDelivery.objects.values_list("generation_id", "received_at"):
            seen[str(generation_id)].told_at = at.timestamp()
    return told(seen, ended)


def told(seen: dict[str, Seen], ended: dict[str, float]) -> int:
    hooked = [what for what in seen.values() if what.by_hook]
    with_hooks = [what.completed_at - ended[what.upstream_id] for what in hooked]
    heard = [what.told_at - ended[what.upstream_id] for what in hooked]
    without = [what for what in seen.values() if not what.by_hook]
    lags = [what.completed_at - ended[what.upstream_id] for what in without]
    beyond = [lag - what.pause_s for lag, what in zip(lags, without, strict=True)]
    pauses = [what.pause_s for what in without]
    p95, p95_beyond = stage.percentile(with_hooks, 0.95), stage.percentile(beyond, 0.95)
    print(
        f"{ORDERS} orders with webhooks: p50 {stage.percentile(with_hooks, 0.5) * 1000:.0f} ms,"
        f" p95 {p95 * 1000:.0f} ms, worst {max(with_hooks) * 1000:.0f} ms (bar {BAR_S * 1000:.0f} ms);"
        f" of that until the webhook came in p50 {stage.percentile(heard, 0.5) * 1000:.0f} ms"
    )
    print(
        f"{ORDERS} orders without: p50 {stage.percentile(lags, 0.5) * 1000:.0f} ms, p95"
        f" {stage.percentile(lags, 0.95) * 1000:.0f} ms; their pauses {min(pauses):.1f} to {max(pauses):.1f} s,"
        f" p95 beyond the pause {p95_beyond * 1000:.0f} ms (bar {BAR_S * 1000:.0f} ms)"
    )
    ratio = stage.percentile(with_hooks, 0.5) / stage.percentile(lags, 0.5)
    print(f"ratio of p50, with to without: {ratio:.2f}")
    return 0 if p95 <= BAR_S and p95_beyond <= BAR_S else 1


def main() -> int:
    port, sandbox_port = free_port(), free_port()
    variables = {
        "PORT": str(port),
        "PUBLIC_URL": f"http://localhost:{port}",
        "SANDBOX_PORT": str(sandbox_port),
        "SANDBOX_HOOK_LOOPBACK": "true",
    }
    with tempfile.TemporaryDirectory() as name, stage.entered(Path(name), **variables):
        return measure(Path(name), sandbox_port)


if __name__ == "__main__":
    sys.exit(main())
