"""10,000 orders wait for a gateway that takes one a second: what web and worker hold in memory, and whose turn it is.

Real web and worker processes, and a gateway in a process of its own. First WARM_UP orders are sent, then for SECONDS
a few orders wait while a member draws the pages, so that every thread and process has what it needs: that is "empty".
Then ROWS orders of TEAMS teams wait, OF_RUN to a run, nine in ten of them of the first team, for as long, with the same
pages drawn. Memory is that of the process and all below it, what they share counted once.

Exits 1 when the web grew by more than BAR_WEB_MB or the worker by more than BAR_WORKER_MB, or a team got less than a
third of its even share of what was sent.

    python -m benchmarks.queued [--rows 10000] [--database sqlite|postgres|URL]
"""

import argparse
import http.client
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks import stage
from tests.media.server import wait_until

BAR_WEB_MB = 20
"""As for the sweep of 10,000 rows."""
BAR_WORKER_MB = 48
"""Its six processes fill SQLite's page cache, 8 MB each (`cache_size` in the settings). Chosen after measuring."""
TEAMS = 5
FIRST_TEAM = 0.9
OF_RUN = 4
WARM_UP = 60
SECONDS = 60.0
FEW = 40
"""Orders that wait while it is empty: as many as are sent meanwhile."""
LEAST_SHARE = 1 / 3
PAGES = ("/gallery/", "/runs/", "/spend/")
WEB_WORKERS = 2


def make_waiting(count: int, members: list[Any]) -> None:
    from django.db import transaction
    from django.utils import timezone

    from playground.domain.status import Status
    from playground.models import Generation
    from playground.services import gateways
    from tests.factories import make_model, make_run

    model, now = make_model(gateway=gateways.ensure_default()), timezone.now()
    shares = [FIRST_TEAM, *[(1 - FIRST_TEAM) / (len(members) - 1)] * (len(members) - 1)] if members[1:] else [1.0]
    for member, share in zip(members, shares, strict=True):
        many = round(count * share)
        with transaction.atomic():
            runs = [make_run(by=member, model=model) for _ in range(-(-many // OF_RUN))]
        Generation.objects.bulk_create(
            Generation(
                run=(run := runs[number // OF_RUN]),
                team=run.team,
                gateway=run.gateway,
                model=model,
                position=number % OF_RUN,
                status=Status.QUEUED,
                body={"model": model.slug, "prompt": run.prompt, "seconds": 4, "size": "1280x720"},
                next_check_at=now,
                deadline_at=now + timedelta(hours=6),
            )
            for number in range(many)
        )


def waiting() -> int:
    from playground.domain.status import Status
    from playground.models import Generation

    return Generation.objects.filter(status__in=(Status.QUEUED, Status.SUBMITTING)).count()


def draw(port: int, headers: Mapping[str, str], seconds: float) -> int:
    connection, count = http.client.HTTPConnection("127.0.0.1", port, timeout=60), 0
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        for path in PAGES:
            if stage.get(connection, path, headers) != 200:
                raise RuntimeError(f"{path} was not answered")
            count += 1
        time.sleep(0.1)
    connection.close()
    return count


def sent_by_team(members: list[Any], since: object) -> Counter[str]:
    from playground.models import Generation

    rows = Generation.objects.filter(submitted_at__gte=since, team__in=[member.team for member in members])
    sent = Counter({member.team.slug: 0 for member in members})
    sent.update(rows.values_list("team__slug", flat=True))
    return sent


def oldest_due_s() -> float:
    from playground.models import Heartbeat

    return float(Heartbeat.objects.get(name="worker").detail["overdue_s"]["to_send"])


def measure(gateway_port: int, rows: int) -> int:
    from django.db import connection
    from django.utils import timezone

    from tests.factories import make_member

    member, headers = stage.visitor()
    members = [member, *(make_member() for _ in range(TEAMS - 1))]
    with stage.web(workers=WEB_WORKERS) as (port, serving), stage.program("manage.py", "worker") as worker:
        web = int(Path(f"/proc/{serving}/stat").read_text().rpartition(")")[2].split()[1])
        make_waiting(WARM_UP, [make_member()])
        wait_until(lambda: waiting() == 0, "the first orders were not sent", seconds=120)
        stage.of_gateway(gateway_port, "/bench/slow")
        make_waiting(FEW, [make_member()])
        draw(port, headers, SECONDS)
        empty = stage.memory_mb(web), stage.memory_mb(worker.pid)
        began = timezone.now()
        make_waiting(rows, members)
        pages = draw(port, headers, SECONDS)
        full, left, oldest = (stage.memory_mb(web), stage.memory_mb(worker.pid)), waiting(), oldest_due_s()
    sent = sent_by_team(members, began)
    grown = [after - before for before, after in zip(empty, full, strict=True)]
    fair = sum(sent.values()) / TEAMS
    print(
        f"{connection.vendor}: {left} of {rows} orders wait, the oldest due for {oldest:.0f} s; memory of web"
        f" {empty[0]:.0f} to {full[0]:.0f} MB, of the worker {empty[1]:.0f} to {full[1]:.0f} MB"
        f" (bar {BAR_WEB_MB} and {BAR_WORKER_MB} more); {pages} pages drawn meanwhile; {stage.load()}"
    )
    least = min(sent[each.team.slug] for each in members)
    print(
        f"{sum(sent.values())} sent in {SECONDS:.0f} s, by team {sorted(sent.values(), reverse=True)} of {TEAMS} teams:"
        f" the least {least / fair if fair else 0:.2f} of an even share (bar {LEAST_SHARE:.2f})"
    )
    is_flat = grown[0] <= BAR_WEB_MB and grown[1] <= BAR_WORKER_MB
    return 0 if is_flat and fair and least >= LEAST_SHARE * fair else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        stage.gateway("--orders-per-s", "1") as port,
        stage.database(options.database) as url,
        stage.entered(Path(name), database=url, SANDBOX_PORT=str(port)),
    ):
        return measure(port, options.rows)


if __name__ == "__main__":
    sys.exit(main())
