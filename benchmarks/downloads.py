"""Many videos of some 20 MB are finished at once: at most four are fetched at a time, those whose link ends first.

VIDEOS finished orders are due at the same moment, with links that end in shuffled order. The media host is a process of
its own that sends each file at BYTES_PER_S, as one far away would. A real worker saves them: fetch, decode, poster,
preview, sync. The reference is a bare client loop, as many at once, that writes the same files to the same disk, syncs
them and looks at none; half of it runs before and half after.

Four links at BYTES_PER_S bring 1.2 of these files a second. Each is noise, the dearest there is to decode: looking at
all of it and drawing poster and preview takes 2.3 s of one core, so two cores that do nothing else save 0.9 a second,
0.7 of the bare loop. BAR is a little more than half of that, since database, media host and this program run beside it.
It means 500 videos in 18 minutes, where links live for about an hour.

Exits 1 when more than AT_ONCE are fetched at a time, one is fetched before AT_ONCE others whose links end sooner, one
is not saved, the disk is written more than BAR_WRITTEN times, the worker's memory grows by more than BAR_MEMORY_MB from
the first half to the second, or the ratio is below BAR.

    python -m benchmarks.downloads [--videos 60] [--database sqlite|postgres|URL]
"""

import argparse
import http.client
import os
import random
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

from benchmarks import stage

BAR = 0.4
AT_ONCE = 4
BAR_WRITTEN = 1.4
BAR_MEMORY_MB = 40
BYTES_PER_S = 8_000_000
EXPIRES_S = (600, 3600)
PATIENCE_S = 600
LOOK_S = 1.0


def make_film(path: Path) -> Path:
    from tests.media.clips import make_clip

    return make_clip(path, seconds=4, size=(1280, 720), noise=True)


def make_finished(count: int, port: int, size: int) -> list[str]:
    """The orders, due now; returns their names at the media host by when their links end."""
    from django.utils import timezone

    from playground.domain.status import Status
    from playground.services import gateways
    from tests.factories import make_generation, make_member, make_model, make_run

    now = timezone.now()
    model = make_model(gateway=gateways.ensure_default())
    run = make_run(by=make_member(), model=model)
    step = (EXPIRES_S[1] - EXPIRES_S[0]) / count
    numbers = random.Random(1).sample(range(count), count)
    for position, number in enumerate(numbers):
        make_generation(
            run=run,
            position=position,
            status=Status.COMPLETED,
            upstream_id=f"video_{number}",
            completed_at=now,
            output_url=f"http://127.0.0.1:{port}/media/video_{number}",
            output_size_bytes=size,
            output_expires_at=now + timedelta(seconds=EXPIRES_S[0] + step * number),
            next_check_at=now,
            deadline_at=now + timedelta(hours=1),
        )
    return [f"video_{number}" for number in range(count)]


def bare(port: int, count: int, folder: Path) -> float:
    """Files a second of fetching and syncing `count` of them, AT_ONCE at a time."""
    left, lock = list(range(count)), threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not left:
                    return
                number = left.pop()
            fetch(port, number, folder / f"bare-{number}")

    began = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.monotonic() - began)


def fetch(port: int, number: int, path: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/media/bare_{number}")
    answer = connection.getresponse()
    with path.open("wb") as sink:
        while piece := answer.read(65536):
            sink.write(piece)
        sink.flush()
        os.fsync(sink.fileno())
    connection.close()
    path.unlink()


def written(root: int) -> int:
    """Bytes that a process and all below it had written to the disk."""
    total = 0
    for pid in stage.tree(root):
        try:
            lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))
    return total


def save_all(count: int) -> tuple[list[float], int]:
    """Let a worker save them; its memory as it went, in MB, and the bytes it wrote."""
    from playground.models import Video

    sizes: list[float] = []
    with stage.program("manage.py", "worker") as worker:
        patience_ends = time.monotonic() + PATIENCE_S
        while (saved := Video.objects.count()) < count and time.monotonic() < patience_ends:
            if saved >= AT_ONCE:
                sizes.append(stage.memory_mb(worker.pid))
            time.sleep(LOOK_S)
        return sizes, written(worker.pid)


def most_at_once(log: list[list[object]]) -> int:
    now = most = 0
    for kind, _, _ in log:
        now += {"fetching": 1, "fetched": -1}.get(str(kind), 0)
        most = max(most, now)
    return most


def most_overtaken(log: list[list[object]], in_order: list[str]) -> int:
    """By how many places at the most a file was fetched before its turn."""
    begun = [str(name) for kind, name, _ in log if kind == "fetching"]
    return max(in_order.index(name) - place for place, name in enumerate(begun))


def measure(folder: Path, port: int, size: int, count: int) -> int:
    from django.db import connection

    from playground.models import Video

    before = bare(port, count // 2, folder)
    in_order = make_finished(count, port, size)
    sizes, disk = save_all(count)
    after = bare(port, count // 2, folder)
    log = [line for line in stage.of_gateway(port, "/bench/log") if not str(line[1]).startswith("bare")]
    ended_at = max((at.timestamp() for at in Video.objects.values_list("created_at", flat=True)), default=0.0)
    took = ended_at - min(float(at) for kind, _, at in log if kind == "fetching")
    reference, saved = (before + after) / 2, Video.objects.count()
    ratio, times = saved / took / reference, disk / (count * size)
    most, overtaken = most_at_once(log), most_overtaken(log, in_order)
    half = len(sizes) // 2
    first, second = max(sizes[: half or 1], default=0.0), max(sizes[half:], default=0.0)
    print(
        f"{connection.vendor}: {saved} of {count} videos of {size / 1e6:.1f} MB saved, {saved / took:.2f} a second;"
        f" bare loop {reference:.2f} ({before:.2f} before, {after:.2f} after): ratio {ratio:.2f} (bar {BAR:g});"
        f" {stage.load()}"
    )
    print(
        f"at most {most} at a time (bar {AT_ONCE}), at most {overtaken} places before its turn (bar {AT_ONCE}), written"
        f" {times:.2f} times (bar {BAR_WRITTEN:g}), memory of the worker {first:.0f} MB in the first half and"
        f" {second:.0f} in the second (bar {BAR_MEMORY_MB} more)"
    )
    good = saved == count and most <= AT_ONCE and overtaken <= AT_ONCE
    return 0 if good and ratio >= BAR and times <= BAR_WRITTEN and second - first <= BAR_MEMORY_MB else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        film = make_film(Path(name) / "film.mp4")
        pace = ("--bytes-per-s", str(BYTES_PER_S))
        with (
            stage.gateway("--log", "--film", str(film), *pace) as port,
            stage.database(options.database) as url,
            stage.entered(Path(name), database=url, SANDBOX_PORT=str(port)),
        ):
            return measure(Path(name), port, film.stat().st_size, options.videos)


if __name__ == "__main__":
    sys.exit(main())
