"""The long bench: rounds until enough have died. Started by scripts/faults.

    ./scripts/faults --runs 600 --seed 1 --database sqlite
    ./scripts/faults --runs 600 --seed 1 --database postgres --folder /tmp/bench   # goes on where it was stopped
    ./scripts/faults --seed 1 --only 37                                            # one round alone

A run is one death: of a process at a named point, of the whole process group at a random moment, or of the gateway.
`--ignore-keys` lets the gateway make an order twice that is sent twice. Exits with 1 when any invariant was broken.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.stage import rounds
from tests.faults.stage.database import Database, Postgres, Sqlite
from tests.faults.stage.stage import Stage, Verdict, staged
from tests.support import postgres

JUDGED_EVERY = 20
"""Rounds between two judgements: whoever is wrong is told within a minute, and by the round."""
KINDS = {
    "charged twice": ("charged twice", "charge of another order", "charge without an order", "charged and told free"),
    "lost": ("lost", "promised and gone", "file missing", "file damaged"),
    "stuck": ("stuck",),
    "money left set aside": ("money left set aside",),
    "books wrong": ("counter differs", "over the cap", "cost differs", "no money set aside", "money closed too early"),
    "history broken": ("history broken",),
}


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=600, help="deaths to see")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--ignore-keys", action="store_true", help="the gateway ignores idempotency keys")
    parser.add_argument("--folder", type=Path, help="kept, and taken up again when it is given again")
    parser.add_argument("--only", type=int, help="play this round alone")
    return parser.parse_args(arguments)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """PostgreSQL's is thrown away with its server; with TEST_DATABASE_URL it is kept beside the folder's name."""
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    with postgres.server() as (url, _origin):
        yield Postgres(url, name=f"faults_{folder.name}".replace("-", "_").lower())


class State:
    """What was played so far, in a file, so that a bench that was stopped goes on."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.path = folder / "state.json"
        self.values: dict[str, Any] = {"next": 0, "kills": 0, "freezes": 0, "orders": 0, "seconds": 0.0}
        self.values |= {"seed": options.seed, "database": options.database, "ignore_keys": options.ignore_keys}
        if self.path.exists():
            self.values |= json.loads(self.path.read_text())

    def add(self, played: rounds.Played, seconds: float) -> None:
        for name, value in asdict(played).items():
            self.values[name] += value
        self.values["next"] += 1
        self.values["seconds"] += seconds
        self.path.write_text(json.dumps(self.values))


def table(state: State, verdict: Verdict, hits: list[list[str]]) -> str:
    values, problems = state.values, verdict["problems"]
    figures = verdict["figures"]
    parked = figures.get("unknown", 0)
    killed = Counter(point for _pid, point, what in hits if what == "kill")
    lines = {
        "database": values["database"],
        "gateway": "ignores keys" if values["ignore_keys"] else "honours keys",
        "seed": values["seed"],
        "rounds": values["next"],
        "kills": values["kills"],
        "of these at named points": f"{sum(killed.values())} at {len(killed)} points",
        "freezes": values["freezes"],
        "orders": figures["orders"],
        "charges": figures["charges"],
        **{kind: sum(problems.get(name, 0) for name in names) for kind, names in KINDS.items()},
        "parked as unclear": f"{parked} ({100 * parked / max(1, figures['orders']):.1f} %)",
        "ends": ", ".join(
            f"{count} {end}" for end, count in sorted(figures.items()) if end not in ("orders", "charges")
        ),
        "minutes": f"{values['seconds'] / 60:.0f}",
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items())


def run(stage: Stage, state: State, options: argparse.Namespace) -> Verdict:
    numbers = [options.only] if options.only is not None else range(state.values["next"], 10**6)
    for number in numbers:
        if options.only is None and state.values["kills"] >= options.runs:
            break
        begin = time.monotonic()
        played = rounds.play(stage, seed=options.seed, number=number)
        state.add(played, time.monotonic() - begin)
        say(f"round {number}: {played.orders} orders, {state.values['kills']} kills")
        if number % JUDGED_EVERY == JUDGED_EVERY - 1 and (verdict := stage.judge())["problems"]:
            say(f"after round {number}, seed {options.seed}: {json.dumps(verdict['examples'], indent=1)}")
            return verdict
    return stage.judge()


def say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="faults-"))
    folder.mkdir(parents=True, exist_ok=True)
    state = State(folder, options)
    try:
        with (
            database(options.database, folder) as chosen,
            staged(folder, chosen, honours_keys=not options.ignore_keys) as stage,
        ):
            verdict = run(stage, state, options)
            stage.kill_engines()
            sys.stdout.write(f"\n{table(state, verdict, stage.hits())}\n")
            if verdict["problems"]:
                sys.stdout.write(f"\n{json.dumps(verdict, indent=1)}\n{stage.log()}\nSeed {options.seed}\n")
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if verdict["problems"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
