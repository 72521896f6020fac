"""100 people press 20 times each within ten seconds, at a gateway that takes nothing more: how soon each is answered.

Real web and worker processes, a gateway in a process of its own, and one thread with one connection for each person,
who presses every half second, or as soon as the last press was answered. In the first of two teams the limit of each
member binds, in the second that of the team. The price is in the cache as after a look at the form. Afterwards whoever
was turned away because of the crowd presses once more, without haste, so that both limits are met and can be counted.

Exits 1 unless every press is answered with 303 (200 with htmx) or 429 and each limit is kept to the order; 2 when that
holds and a press took longer than BAR_S.

    python -m benchmarks.crowd [--database sqlite|postgres|URL]
"""

import argparse
import http.client
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks import stage
from tests.media.server import wait_until

BAR_S = 2.0
EACH = 20
SECONDS = 10.0
SMALL, LARGE = 30, 70
"""Members of the first and the second team."""
PER_MEMBER, PER_TEAM = 5, 200
EXPECTED = [SMALL * PER_MEMBER, PER_TEAM]
PRICE = 800_000
ANSWERS = {"ordered", "limit", "crowd"}
FORM = {"shape": "16:9", "quality": "720p", "seconds": "4", "count": "1", "model": "kling-v3"}
CROWDED = "2"
"""The Retry-After of an answer that a crowd, and no limit, is the reason for."""

Press = tuple[str, float]
"""What became of it (`ordered`, `limit`, `crowd`, else the status), and the seconds until its answer."""


class Person(threading.Thread):
    def __init__(self, port: int, session: str, team: str) -> None:
        super().__init__(daemon=True)
        token = "b" * 32
        self.headers = {"Cookie": f"session={session}; csrf={token}", "X-CSRFToken": token}
        self.headers |= {"Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true"}
        self.team, self.session, self.pressed = team, session, list[Press]()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.starts_at = 0.0

    def run(self) -> None:

        for turn in range(EACH):
            time.sleep(max(0.0, self.starts_at + turn * SECONDS / EACH - time.monotonic()))
            self.press(f"{self.session}-{turn}")

    def press(self, token: str) -> None:
        form = FORM | {"prompt": "A fox in the snow", "team": self.team, "token": token, "quoted_micros": str(PRICE)}
        began = time.monotonic()
        try:
            outcome = self.answer(urlencode(form))
        except (OSError, http.client.HTTPException):
            self.connection.close()  # as a browser does where a kept connection had ended
            outcome = self.answer(urlencode(form))
        self.pressed.append((outcome, time.monotonic() - began))

    def answer(self, form: str) -> str:
        self.connection.request("POST", "/create/", form, self.headers)
        answer = self.connection.getresponse()
        answer.read()
        crowded = answer.headers.get("Retry-After") == CROWDED
        outcomes = {200: "ordered", 303: "ordered", 429: "crowd" if crowded else "limit"}
        return outcomes.get(answer.status, str(answer.status))


def prepare() -> list[Any]:
    """A model with its price in the cache, a gateway that takes one order at most, and the members."""
    from django.core.cache import cache
    from django.utils import timezone

    from playground.services import estimates, gateways
    from tests.factories import make_member, make_model, make_team

    model = make_model("kling-v3", gateway=gateways.ensure_default())
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    now = timezone.now().timestamp()
    answer = {"state": "estimated", "unit_micros": PRICE, "provider": "fal", "checked_at": now}
    cache.set(estimates._key(wanted), answer, 3600)
    small, large = make_team(), make_team()
    return [make_member(team=small) for _ in range(SMALL)] + [make_member(team=large) for _ in range(LARGE)]


def people(members: list[Any], port: int) -> list[Person]:
    from django.test import Client

    made = []
    for member in members:
        browser = Client()
        browser.force_login(member.user)
        made.append(Person(port, browser.session.session_key, member.team.slug))
    return made


def untaken() -> Any:
    from playground.domain.status import UNTAKEN
    from playground.models import Generation

    return Generation.objects.filter(status__in=UNTAKEN)


def waiting(members: list[Any]) -> tuple[list[int], int]:
    """How many orders wait in each team, and of that member of the first who has most."""
    mine = [untaken().filter(run__created_by=member.user).count() for member in members[:SMALL]]
    return [untaken().filter(team=team).count() for team in (members[0].team, members[-1].team)], max(mine)


def measure(gateway_port: int) -> int:
    from django.db import connection

    members = prepare()
    with stage.web(workers=2) as (port, _serving), stage.program("manage.py", "worker"):
        crowd = people(members, port)
        crowd[-1].press("the only one that is taken")
        stage.of_gateway(gateway_port, "/bench/slow")
        wait_until(lambda: untaken().count() == 0, "the first order was not taken")
        starts_at = time.monotonic() + 1
        for person in crowd:
            person.starts_at = starts_at
            person.start()
        for person in crowd:
            person.join()
        took = time.monotonic() - starts_at
        pressed = [press for person in crowd for press in person.pressed if press is not crowd[-1].pressed[0]]
        for person in crowd:
            for turn in range(EACH):
                if person.pressed[-1][0] != "limit":
                    person.press(f"{person.session}-late-{turn}")
        load = stage.load()
    teams, most = waiting(members)
    seconds, outcomes = [took for _, took in pressed], Counter(name for name, _ in pressed)
    print(
        f"{connection.vendor}: {len(pressed)} presses in {took:.1f} s: {dict(outcomes)};"
        f" {told(seconds)} (bar {BAR_S:g}); in the end {teams} orders wait of {EXPECTED}, {most} at most of a member of"
        f" the first team ({PER_MEMBER}); {load}"
    )
    for name in sorted(outcomes):
        print(f"  {name}: {told([took for outcome, took in pressed if outcome == name])}")
    if outcomes.keys() - ANSWERS or teams != EXPECTED or most != PER_MEMBER:
        return 1
    return 0 if max(seconds) <= BAR_S else 2


def told(seconds: list[float]) -> str:
    p95 = stage.percentile(seconds, 0.95)
    return f"answered after p50 {statistics.median(seconds):.2f}, p95 {p95:.2f}, at worst {max(seconds):.2f} s"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", metavar="sqlite|postgres|URL", default="sqlite")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        stage.gateway("--orders-per-s", "0.0001") as port,
        stage.database(options.database) as url,
        stage.entered(
            Path(name),
            database=url,
            SANDBOX_PORT=str(port),
            WAITING_PER_MEMBER=str(PER_MEMBER),
            WAITING_PER_TEAM=str(PER_TEAM),
        ),
    ):
        return measure(port)


if __name__ == "__main__":
    sys.exit(main())
