"""From the commit of a run to the arrival of its order at the gateway, against the queue's own cheapest task.

A real worker and a real sandbox. A relay before the sandbox notes when each order came in, known by its idempotency
key, and passes everything on. ORDERS orders, spaced so that none waits for another and none meets the queue's poll in
step; between two of them a task that does nothing but say when it was started. So the reference holds what the queue
costs (its poll of 50 ms, its processes), and the bar says what we may add to it: reading the row, the commit of
`submitting` that must be on the disk before a socket opens, the client, the connection. Exits 1 when our p95 is above
BAR times the queue's own, so a wake-up that got lost (found again by the sweep, ten seconds later) fails it surely.

    python -m benchmarks.enqueue_to_submit
"""

import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks import stage
from tests.media.server import answers, free_port, wait_until

BAR = 3.0
ORDERS = 30
WARM_UP = 18
"""Any of six processes may take an order, and its first one loads modules: these are shown apart."""
SPACING_S = (0.25, 0.45)
JOB_SECONDS = "600"
"""No job of the sandbox ends meanwhile: its renderer and the saving are other claims."""


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    arrived: dict[str, int] = {}
    behind = 0

    def pass_on(self) -> None:
        now = time.time_ns()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.command == "POST" and "dryRun" not in self.path:
            Relay.arrived.setdefault(str(json.loads(body)["idempotency_key"]), now)
        sandbox = http.client.HTTPConnection("127.0.0.1", Relay.behind, timeout=30)
        sandbox.request(self.command, self.path, body, dict(self.headers))
        answer = sandbox.getresponse()
        data = answer.read()
        sandbox.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = pass_on

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said of each request."""


@contextmanager
def gateway() -> Iterator[int]:
    """The sandbox behind the relay; yields the relay's port."""
    Relay.behind = free_port()
    command = ("-m", "playground.sandbox", "--port", str(Relay.behind))
    with stage.program(*command, SANDBOX_JOB_SECONDS=JOB_SECONDS):
        wait_until(lambda: answers(Relay.behind), "the sandbox did not start")
        relay = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        try:
            yield relay.server_address[1]
        finally:
            relay.shutdown()
            relay.server_close()


def order_ms(member: object, number: int) -> float:
    """Milliseconds from the commit to the arrival."""
    from playground.models import VideoModel
    from playground.services import estimates, runs

    model = VideoModel.objects.get(slug="p-video")
    lengths = model.takes.lengths
    wanted = estimates.Wanted(model=model, size=model.takes.sizes[0], seconds=lengths.minimum or lengths.shortest)
    price = estimates.quote(by=member, wanted=wanted).total_micros
    run = runs.start(by=member, wanted=wanted, prompt=f"Waves, {number}", token=runs.new_token(), quoted_micros=price)
    committed = time.time_ns()
    key = str(run.generations.get().id)
    wait_until(lambda: key in Relay.arrived, "an order did not arrive")
    return (Relay.arrived[key] - committed) / 1e6


def noop_ms(folder: Path, number: int) -> float:
    """Milliseconds from the enqueue of a task to its start."""
    from django_q.tasks import async_task  # noqa: TID251  the reference is the queue itself

    mark = folder / f"mark-{number}"
    async_task("benchmarks.noop.started", str(mark), timeout=30)
    enqueued = time.time_ns()
    wait_until(mark.exists, "a task was not started")
    return (int(mark.read_text()) - enqueued) / 1e6


def measure(folder: Path) -> int:
    from django.conf import settings

    from playground.services import catalogue, leases, sweep
    from tests.factories import make_member

    with gateway() as port:
        settings.SANDBOX_PORT = port
        catalogue.sync_default()
        member, orders, noops = make_member(), [], []
        with stage.program("manage.py", "worker", SANDBOX_PORT=str(port)):
            wait_until(lambda: leases.free_since(sweep.LEASE, now=_now()) is None, "no worker took up work", seconds=60)
            for number in range(-WARM_UP, ORDERS):
                time.sleep(random.uniform(*SPACING_S))
                order = order_ms(member, number)
                time.sleep(random.uniform(*SPACING_S))
                noop = noop_ms(folder, number)
                orders.append(order)
                noops.append(noop)
    print(f"slowest of the {WARM_UP} orders of the warm-up: {max(orders[:WARM_UP]):.0f} ms")
    return told(orders[WARM_UP:], noops[WARM_UP:])


def _now() -> object:
    from django.utils import timezone

    return timezone.now()


def told(orders: list[float], noops: list[float]) -> int:
    ours, reference = ([stage.percentile(side, share) for share in (0.5, 0.95)] for side in (orders, noops))
    ratio = ours[1] / reference[1]
    print(
        f"{ORDERS} orders, commit to arrival: p50 {ours[0]:.0f} ms, p95 {ours[1]:.0f} ms; the queue's no-op:"
        f" p50 {reference[0]:.0f} ms, p95 {reference[1]:.0f} ms: ratio of p95 {ratio:.2f} (bar {BAR:g}, or less)"
    )
    return 0 if ratio <= BAR else 1


def main() -> int:
    with tempfile.TemporaryDirectory() as name, stage.entered(Path(name)):
        return measure(Path(name))


if __name__ == "__main__":
    sys.exit(main())
