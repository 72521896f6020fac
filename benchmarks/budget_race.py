"""100 presses at once, from 50 processes, against a month's room for exactly TEN videos; ROUNDS rounds,
a new team each.

Each process is one of a web server's: it has a database connection of its own and posts the form of Create, as the
browser of somebody signed in does with htmx, through Django's test client to the real view, twice, released together
with the others. The price is in the cache as after a look at the form, and nobody sends what was ordered. In between,
every few rounds, the same 100 presses are made with room for all: what a press takes is compared with what it takes
there. Both share the machine's cores among 50 processes, so the seconds are those of a crowd, not of a person.

Exits 1 unless in every round exactly TEN are accepted, the other 90 get the page that says what is left, none gets a
500, and counter, ledger and rows say the same; 2 when that holds and p95 is above BAR_S.

    python -m benchmarks.budget_race [--rounds 20] [--database sqlite|postgres|URL]
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from benchmarks import stage

PROCESSES = 50
EACH = 2
TEN = 10
ROUNDS = 20
FREE_EVERY = 4
"""After so many rounds one with room for all."""
BAR_S = 2.0
PRICE = 800_000
SAYS_OVER = ("Nothing was sent.", "Ask an admin for more")
FORM = {"shape": "16:9", "quality": "720p", "seconds": "4", "count": "1", "model": "kling-v3"}

Outcome = tuple[str, float]
"""What became of a press (`accepted`, `over budget`, else the status), and the seconds until its answer."""


def presser(pipe: Connection, together: Barrier) -> None:
    """A process: draw the form once; then, for each team that it is told of, press EACH times with all others."""
    from django.test import Client

    is_warm = False
    while told := pipe.recv():
        browser = Client(raise_request_exception=False, SERVER_NAME="localhost", HTTP_HX_REQUEST="true")
        browser.cookies["session"] = told["session"]
        if not is_warm:
            is_warm = browser.get("/create/").status_code == 200
        together.wait(300)
        pipe.send([press(browser, told["team"], f"{told['name']}-{turn}") for turn in range(EACH)])


def press(browser: Any, team: str, token: str) -> Outcome:
    form = FORM | {"prompt": "A fox in the snow", "team": team, "token": token, "quoted_micros": str(PRICE)}
    began = time.monotonic()
    answer = browser.post("/create/", form)
    took = time.monotonic() - began
    if answer.status_code == 200:
        return "accepted", took
    is_over = answer.status_code == 422 and all(words in answer.text for words in SAYS_OVER)
    return "over budget" if is_over else str(answer.status_code), took


@contextmanager
def pressers() -> Iterator[list[Connection]]:
    """The processes, each with what a web server's has loaded, forked while nobody is connected to the database."""
    from django.db import connections

    import playground.wsgi  # noqa: F401

    connections.close_all()
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(PROCESSES)
    ours, made = [], []
    for _ in range(PROCESSES):
        here, there = fork.Pipe()
        made.append(fork.Process(target=presser, args=(there, together), daemon=True))
        made[-1].start()
        there.close()
        ours.append(here)
    try:
        yield ours
        for pipe in ours:
            pipe.send(None)
        for process in made:
            process.join(15)
    finally:
        for process in made:
            process.kill()


def round_of(pipes: list[Connection], room: int) -> tuple[Counter[str], list[float], str]:
    """All presses for a new team with room for so many: outcomes, seconds, and what the books say wrongly."""
    from django.test import Client

    from playground.domain.money import set_aside_micros
    from tests.factories import make_member, make_team

    aside = set_aside_micros(PRICE)
    member = make_member(team=make_team(monthly_cap_micros=room * aside))
    browser = Client()
    browser.force_login(member.user)
    session = browser.session.session_key
    for number, pipe in enumerate(pipes):
        pipe.send({"session": session, "team": member.team.slug, "name": f"press-{number}"})
    found = [outcome for pipe in pipes for outcome in pipe.recv()]
    outcomes = Counter(name for name, _ in found)
    return outcomes, [took for _, took in found], books(member.team, outcomes["accepted"], aside)


def books(team: Any, accepted: int, aside: int) -> str:
    """What counter, ledger and rows say other than that so many were accepted; "" when they agree."""
    from playground.models import Budget, Generation, LedgerEntry

    counter = Budget.objects.filter(team=team, user=None).first() or Budget()
    held = LedgerEntry.objects.filter(team=team, kind="hold", amount_micros=aside).count()
    seen = (counter.held_micros, counter.spent_micros, held, Generation.objects.filter(team=team).count())
    return "" if seen == (accepted * aside, 0, accepted, accepted) else f"held, spent, entries, rows: {seen}"


def prepare() -> None:
    """A gateway that costs, its model, and the price of one video in the cache."""
    from django.core.cache import cache
    from django.utils import timezone

    from playground.services import ahead, estimates
    from tests.factories import make_gateway, make_model

    ahead.start = lambda: None  # nobody is there to be asked for other prices
    model = make_model("kling-v3", gateway=make_gateway(is_sandbox=False, is_default=True))
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    now = timezone.now().timestamp()
    answer = {"state": "estimated", "unit_micros": PRICE, "provider": "fal", "checked_at": now}
    cache.set(estimates._key(wanted), answer, 3600)


def measure(rounds: int) -> int:
    from django.db import connection

    prepare()
    tight, free, seconds, seconds_free, wrong = [], [], [], [], []
    with pressers() as pipes:
        round_of(pipes, PROCESSES * EACH)  # warm-up
        for number in range(rounds):
            outcomes, took, differs = round_of(pipes, TEN)
            tight.append(outcomes)
            seconds += took
            wrong += [differs] if differs else []
            if number % FREE_EVERY == 0:
                outcomes, took, differs = round_of(pipes, PROCESSES * EACH)
                free.append(outcomes)
                seconds_free += took
                wrong += [differs] if differs else []
    p95, p95_free = (stage.percentile(values, 0.95) for values in (seconds, seconds_free))
    total = sum(tight, Counter())
    failures = sum(count for name, count in (total + sum(free, Counter())).items() if name.startswith("5"))
    print(
        f"{connection.vendor}: {rounds} rounds of {PROCESSES * EACH} presses from {PROCESSES} processes, room for"
        f" {TEN}: accepted {[one['accepted'] for one in tight]}, refused as over budget {total['over budget']},"
        f" 500s {failures}; p95 {p95:.2f} s (bar {BAR_S:g} s; p50 {statistics.median(seconds):.2f}),"
        f" {p95 / p95_free:.2f} of the {p95_free:.2f} s with room for all; {stage.load()}"
    )
    expected = {"accepted": TEN, "over budget": PROCESSES * EACH - TEN}
    if wrong or failures or any(dict(one) != expected for one in tight):
        print(f"outcomes {dict(total)}, with room for all {dict(sum(free, Counter()))}; books {wrong}")
        return 1
    return 0 if p95 <= BAR_S else 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        stage.database(options.database) as url,
        stage.entered(Path(name), database=url),
    ):
        return measure(options.rounds)


if __name__ == "__main__":
    sys.exit(main())
