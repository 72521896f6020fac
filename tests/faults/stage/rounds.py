"""A round: a few orders, some of which the gateway will mishandle, and a few deaths while they are on their way.

All of a round's choices come from its seed and number, so a round that went wrong can be played again; what the
scheduler does in between cannot. At the end of a round nobody is killed any more and everything must come to an end.
A round has at most four deaths of savers: an order whose every saver is killed is given up after twelve.
"""

import random
import signal
import time
from dataclasses import dataclass

from tests.faults.stage.points import in_code
from tests.faults.stage.stage import Stage

WEB = ("before-insert", "inserted", "hold-entered", "held", "enqueued", "ordered")
"""Points in the process that takes the order; the rest are the engine's."""
HOOK = "webhook-stored"
"""In the process that hears from the gateway."""
FREEZABLE = ("before-claim", "intent-committed", "answer-read", "save-claimed", "temp-open", "downloaded", "adopted")
"""Outside of any transaction: a process frozen within one would hold SQLite's lock, which has its own time limit."""
FAULTS = {
    "": 60,
    "drop": 8,
    "500-after": 6,
    "no-id": 5,
    "slow-answer": 5,
    "key-reused": 5,
    "502": 3,
    "fail": 3,
    "in-flight": 3,
    "moderation": 2,
    "429": 2,
    "429-bare": 2,
    "refused-late": 2,
    "not-video": 2,
    "truncated": 2,
    "cut-file": 2,
    "wrong-size": 2,
    "expired": 2,
    "smaller": 2,
    "dearer": 2,
    "bad-image": 1,
}
"""What the gateway is told to do with an order, and how often beside 60 that it leaves alone.

Left out: 402, which pauses the gateway for all; 500 and html, which never pass and would only be left to a person;
stuck, slow and missing-output (asked for until the link's hour is over), which outlast a round.
"""
SHARES = (0.0, 0.0, 0.05, 0.15)
SETTLE_S = 90.0


@dataclass(frozen=True)
class Played:
    orders: int
    kills: int
    freezes: int


def engine_points() -> list[str]:
    return sorted({point for point, _ in in_code()} - {*WEB, HOOK})


def play(stage: Stage, *, seed: object, number: int) -> Played:
    chance = random.Random(f"{seed}:{number}")
    kills, freezes = stage.kills, stage.freezes
    stage.relay.chance = random.Random(f"{seed}:{number}:relay")
    stage.relay.share = chance.choice(SHARES)
    faults = chance.choices(list(FAULTS), weights=list(FAULTS.values()), k=chance.randint(3, 5))
    orders = [stage.order(f"Boats [[sandbox:{fault}]]" if fault else "Boats at dawn") for fault in faults]
    kind = chance.choices(("points", "moments", "frozen", "gateway"), weights=(55, 33, 8, 4))[0]
    if kind == "points":
        _at_points(stage, orders, chance)
    elif kind == "frozen":
        _frozen(stage, orders, chance)
    else:
        _at_moments(stage, orders, chance, gateway=kind == "gateway")
    stage.relay.share = 0.0
    stage.place(orders)
    stage.settle(within=SETTLE_S)
    stage.rounds += 1
    return Played(len(orders), stage.kills - kills, stage.freezes - freezes)


def _fresh(stage: Stage) -> None:
    """End the processes of the round before, which have nothing to do: that is no kill worth counting."""
    before = stage.kills
    stage.kill_engines()
    stage.kills = before


def _at_points(stage: Stage, orders: list[dict[str, str]], chance: random.Random) -> None:
    """Four named points of the engine, and in every third round one of the web process."""
    plans = [stage.plan(point, chance.randint(1, 3)) for point in chance.sample(engine_points(), 4)]
    web = [stage.plan(chance.choice(WEB), chance.randint(1, 3))] if chance.random() < 0.34 else []
    _fresh(stage)
    stage.keep_engines(plans)
    stage.place(orders, web)
    deadline = time.monotonic() + SETTLE_S
    while stage.active() and time.monotonic() < deadline and not all(stage.struck(plan) for plan in plans):
        stage.keep_engines(plans)
        time.sleep(0.05)
    stage.keep_engines()


def _at_moments(stage: Stage, orders: list[dict[str, str]], chance: random.Random, *, gateway: bool) -> None:
    """Four times the whole process group, or once the gateway itself, while orders are being taken and sent."""
    _fresh(stage)
    stage.keep_engines()
    web = stage.spawn("place", orders=orders, acks=str(stage.acks_file))
    for _ in range(1 if gateway else 4):
        time.sleep(chance.uniform(0.05, 0.9))
        if gateway:
            stage.restart_sandbox()
        else:
            stage.kill_engines()
        stage.keep_engines()
    stage.wait(lambda: stage.host.has_ended(web), within=60, what="the web process")


def _frozen(stage: Stage, orders: list[dict[str, str]], chance: random.Random) -> None:
    """A process stops in the middle of its work, is succeeded, and wakes up when all is done."""
    plan = stage.plan(chance.choice(FREEZABLE), how="freeze")
    _fresh(stage)
    stage.keep_engines([plan])
    stage.place(orders)
    stage.settle(within=SETTLE_S)
    if stage.struck(plan):
        stage.freezes += 1
        stage.signal_engines(signal.SIGCONT)
        time.sleep(0.5)
