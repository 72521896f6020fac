"""The long bench: rounds until enough have died. Started by scripts/faults.

    ./scripts/faults --runs 600 --seed 1 --database sqlite
    ./scripts/faults --runs 600 --seed 1 --database postgres --folder /tmp/bench   # goes on where it was stopped
    ./scripts/faults --seed 1.0 --only 37                                          # one round alone

A run is one death: of a process at a named point, of the whole process group at a random moment, or of the gateway.
Several installations play side by side, each with its own seed (`1.0`, `1.1`, ...), since a round is mostly waiting.
`--ignore-keys` lets the gateway make an order twice that is sent twice. Exits with 1 when any invariant was broken.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.stage import rounds
from tests.faults.stage.checker import ORPHANS
from tests.faults.stage.database import Database, Postgres, Sqlite
from tests.faults.stage.stage import Stage, Verdict, staged
from tests.support import postgres

JUDGED_EVERY = 10
"""Rounds between two judgements: whoever is wrong is told soon, and little is played again by a bench that goes on."""
KINDS = {
    "charged twice": ("charged twice", "charge of another order", "charge without an order", "charged and told free"),
    "lost": ("lost", "promised and gone", "file missing", "file damaged"),
    "bad file shown": ("bad file shown",),
    "files left over": ("file without a row", "temporary file left"),
    "stuck": ("stuck",),
    "money left set aside": ("money left set aside",),
    "books wrong": ("counter differs", "over the cap", "cost differs", "no money set aside", "money closed too early"),
    "history broken": ("history broken", "key with another body"),
}
_saying = threading.Lock()


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=600, help="deaths to see")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--at-once", type=int, default=3, help="installations side by side")
    parser.add_argument("--ignore-keys", action="store_true", help="the gateway ignores idempotency keys")
    parser.add_argument("--no-log", action="store_true", help="orders cannot be looked up at the gateway")
    parser.add_argument("--folder", type=Path, help="kept, and taken up again when it is given again")
    parser.add_argument("--only", type=int, help="play this round alone, of the seed as it is given")
    return parser.parse_args(arguments)


class Tally:
    """What one installation has seen and what was judged of it, in a file, so that a bench that was stopped goes on.

    A bench that goes on does so on a new installation. Only judged rounds count; the others are played again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tally.json"
        self.next, self.seconds = 0, 0.0
        self.counts: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.figures: Counter[str] = Counter()
        self.problems: Counter[str] = Counter()
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            self.next, self.seconds = kept.pop("next"), kept.pop("seconds")
            for name, values in kept.items():
                getattr(self, name).update(values)
        self._base = self._values()

    def _values(self) -> dict[str, Counter[str]]:
        return {name: Counter(getattr(self, name)) for name in ("counts", "points", "figures", "problems")}

    def judged(self, stage: Stage, verdict: Verdict, number: int, seconds: float) -> None:
        """Everything this installation has done since it was made, added to what earlier ones did."""
        killed = Counter(point for _pid, point, what in stage.hits() if what == "kill")
        seen = {
            "counts": {"kills": stage.kills, "freezes": stage.freezes, "rounds": stage.rounds},
            "points": killed,
            "figures": verdict["figures"],
            "problems": verdict["problems"],
        }
        for name, values in seen.items():
            setattr(self, name, self._base[name] + Counter(values))
        self.next, self.seconds = number + 1, self.seconds + seconds
        kept = {name: dict(values) for name, values in self._values().items()}
        self.path.write_text(json.dumps(kept | {"next": self.next, "seconds": self.seconds}))


def play(options: argparse.Namespace, seed: str, folder: Path, chosen: Database, runs: int) -> Tally:
    """Rounds on one installation until `runs` have died, or something is found."""
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally(folder)
    before, number = tally.counts["kills"], tally.next if options.only is None else options.only
    if before >= runs and options.only is None:
        return tally
    gateway = {"honours_keys": not options.ignore_keys, "has_log": not options.no_log}
    with staged(folder / f"from-{number}", chosen, **gateway) as stage:
        begin = time.monotonic()
        while True:
            played = rounds.play(stage, seed=seed, number=number)
            is_last = options.only is not None or before + stage.kills >= runs
            say(f"{seed} round {number}: {played.orders} orders, {before + stage.kills} kills")
            if is_last or number % JUDGED_EVERY == JUDGED_EVERY - 1:
                verdict = stage.judge()
                tally.judged(stage, verdict, number, time.monotonic() - begin)
                begin = time.monotonic()
                if verdict["problems"]:
                    say(f"seed {seed}, round {number} or before: {json.dumps(verdict, indent=1)}\n{stage.log()}")
                if is_last or verdict["problems"]:
                    stage.kill_engines()
                    return tally
            number += 1


def table(options: argparse.Namespace, tallies: list[Tally]) -> str:
    def total(name: str) -> Counter[str]:
        return sum((getattr(tally, name) for tally in tallies), Counter())

    counts, figures, problems = total("counts"), total("figures"), total("problems")
    orders, parked = figures["orders"], figures["unknown"]
    ends = sorted(name for name in figures if name not in ("orders", "charges", ORPHANS))
    lines = {
        "database": options.database,
        "gateway": ("ignores" if options.ignore_keys else "honours") + (" keys, no log" if options.no_log else " keys"),
        "seed": options.seed,
        "rounds": counts["rounds"],
        "kills": counts["kills"],
        "at named points": f"{total('points').total()} at {len(total('points'))} points",
        "freezes": counts["freezes"],
        "orders": orders,
        "charges": figures["charges"],
        ORPHANS: figures[ORPHANS],
        **{kind: sum(problems[name] for name in names) for kind, names in KINDS.items()},
        "parked as unclear": f"{parked} ({100 * parked / max(1, orders):.1f} %)",
        "ends": ", ".join(f"{figures[end]} {end}" for end in ends),
        "minutes": f"{max((tally.seconds for tally in tallies), default=0) / 60:.0f}",
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def say(text: str) -> None:
    with _saying:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()


@contextmanager
def databases(kind: str) -> Iterator[Any]:
    """A function from a folder to a new database."""
    if kind == "sqlite":
        yield Sqlite
        return
    with postgres.server() as (url, _origin):
        yield lambda _folder: Postgres(url)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers are stopped and folders removed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    at_once = 1 if options.only is not None else options.at_once
    seeds = [options.seed] if options.only is not None else [f"{options.seed}.{each}" for each in range(at_once)]
    share = -(-options.runs // at_once)

    def one(seed: str) -> Tally:
        place = folder / f"{options.database}-{seed}"
        number = Tally(place).next if options.only is None else options.only
        return play(options, seed, place, made(place / f"from-{number}"), share)

    try:
        with databases(options.database) as made, ThreadPoolExecutor(at_once) as pool:
            tallies = list(pool.map(one, seeds))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"\n{table(options, tallies)}\n")
    return 1 if any(tally.problems for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
