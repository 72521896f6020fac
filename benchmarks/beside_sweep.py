"""How long a signed-in page takes while the sweep looks after 10,000 due orders, against the same minute without.

The processes of an installation, as `up` runs them: granian with the Procfile's workers, `manage.py worker`, and a
gateway in a process of its own that answers "in progress" at once. The client is this process: RATE requests a second
for a gallery of VIDEOS videos over CONNECTIONS kept connections, each answer timed from the moment at which its request
was due. Idle means that the same orders are in flight and none is due; then all are, and the sweep asks for them as
fast as the gateway's rate cap lets it (--cap; by default what an installation has). Both sides alternate ROUNDS times.
All of them share the machine's cores, the client and the gateway included.

Exits 1 when the median of the rounds' ratios of p95 is above BAR, 2 when the sweep did not ask as it should have.

    python -m benchmarks.beside_sweep [--rows 10000] [--cap N] [--database sqlite|postgres|URL]
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from benchmarks import stage
from benchmarks.sweep import make_rows
from tests.media.server import wait_until

BAR = 1.5
RATE = 10
"""So that what the page itself costs leaves the cores free for more than half of the time."""
CONNECTIONS = 4
VIDEOS = 12
ROUNDS = 3
SECONDS = 20.0
SETTLE_S = 3.0
"""After each change of sides, before anything is timed."""
NOT_DUE = timedelta(minutes=4)
"""No longer than the longest wait there is: what is due later is taken for the time of a wrong clock."""
WARM_UP_S = 5.0
PAGE = "/gallery/"
WEB_WORKERS = 2
"""As the Procfile has it."""
ASKED_LEAST = 0.8
"""Of what the rate cap allows, while all are due."""


def page_ms(port: int, headers: Mapping[str, str], seconds: float) -> list[float]:
    """Milliseconds from when each request was due to the end of its answer."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(CONNECTIONS)]
    taken, began = [], time.monotonic()
    for number in range(int(seconds * RATE)):
        due = began + number / RATE
        time.sleep(max(0.0, due - time.monotonic()))
        if stage.get(connections[number % CONNECTIONS], PAGE, headers) != 200:
            raise RuntimeError(f"{PAGE} was not answered")
        taken.append((time.monotonic() - due) * 1000)
    for connection in connections:
        connection.close()
    return taken


def make_due(is_due: bool) -> None:
    from django.utils import timezone

    from playground.models import Generation

    now = timezone.now()
    at = now - timedelta(seconds=1) if is_due else now + NOT_DUE
    Generation.objects.filter(upstream_id__isnull=False).update(next_check_at=at)


def asked(gateway_port: int) -> int:
    return int(stage.of_gateway(gateway_port, "/bench/count")["asked"])


def visitor_of_a_gallery() -> dict[str, str]:
    from tests.factories import make_model, make_video

    member, headers = stage.visitor()
    model = make_model()
    for _ in range(VIDEOS):
        make_video(by=member, model=model, files=False)
    return headers


def one_side(port: int, gateway_port: int, headers: Mapping[str, str], *, is_due: bool) -> tuple[float, float]:
    """p95 of the page, and questions a second at the gateway meanwhile."""
    make_due(is_due)
    time.sleep(SETTLE_S)
    before, began = asked(gateway_port), time.monotonic()
    p95 = stage.percentile(page_ms(port, headers, SECONDS), 0.95)
    return p95, (asked(gateway_port) - before) / (time.monotonic() - began)


def measure(gateway_port: int, rows: int, cap: int | None) -> int:
    from django.db import connection
    from django.utils import timezone

    from playground.models import Gateway
    from playground.services import leases, sweep

    headers = visitor_of_a_gallery()
    make_rows(rows, cap=cap)
    make_due(False)
    at_most = Gateway.objects.get(is_default=True).rate_cap
    with stage.web(workers=WEB_WORKERS) as (port, _), stage.program("manage.py", "worker"):
        wait_until(lambda: leases.free_since(sweep.LEASE, now=timezone.now()) is None, "no worker", seconds=60)
        page_ms(port, headers, WARM_UP_S)
        rounds = [
            [one_side(port, gateway_port, headers, is_due=is_due) for is_due in (False, True)] for _ in range(ROUNDS)
        ]
    idle, busy = ([round[side][0] for round in rounds] for side in (0, 1))
    quiet, rate = ([round[side][1] for round in rounds] for side in (0, 1))
    ratio = statistics.median(b / i for i, b in zip(idle, busy, strict=True))
    print(
        f"{connection.vendor}: {PAGE} p95 {statistics.median(idle):.1f} ms idle, {statistics.median(busy):.1f} ms"
        f" beside the sweep of {rows} due orders at {statistics.median(rate):.0f} questions a second (cap {at_most}):"
        f" ratio {ratio:.2f} (bar {BAR:g}, or less), of the rounds"
        f" {', '.join(f'{b / i:.2f}' for i, b in zip(idle, busy, strict=True))}; client at {RATE} a second, web, worker"
        f" and gateway share the cores; {stage.load()}"
    )
    could = min(at_most, rows / (SECONDS + SETTLE_S))
    if min(rate) < ASKED_LEAST * could or max(quiet) > 1:
        print(f"asked {rate} times a second while due and {quiet} while not: not what is claimed")
        return 2
    return 0 if ratio <= BAR else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000, help="at most 32000")
    parser.add_argument(
        "--cap", type=int, default=None, help="questions a second; what an installation has if left out"
    )
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        stage.gateway() as port,
        stage.database(options.database) as url,
        stage.entered(Path(name), database=url, SANDBOX_PORT=str(port)),
    ):
        return measure(port, options.rows, options.cap)


if __name__ == "__main__":
    sys.exit(main())
