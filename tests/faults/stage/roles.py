"""What the bench's processes do: make the installation, place orders, be a worker process, judge the outcome.

Each runs in a process forked from the host, which has loaded everything and holds no connection, as the processes of
the cluster are forked from its main process.
"""

import json
import os
import random
import sys
import time
from pathlib import Path

EMAIL, TEAM = "bench@example.com", "bench"
MODEL, SIZE, SECONDS = "grok-imagine-video", "854x480", 1
REDELIVERED = 0.05
"""Share of tasks that are run twice, as a queue that gives out a task again would."""


def setup(*, honours_keys: bool, has_log: bool, cap_micros: int | None) -> None:
    """Tables, one admin in one team, the gateway's models, and what the gateway is said to honour."""
    from django.core.management import call_command
    from django.utils import timezone

    from playground.models import Gateway, Role, Team, User
    from playground.models.team import Membership
    from playground.services import catalogue

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    user = User.objects.create_user(EMAIL, "a long password", name="Bench")
    now = timezone.now()
    team = Team.objects.create(name="Bench", slug=TEAM, monthly_cap_micros=cap_micros, limits_accepted_at=now)
    Membership.objects.create(team=team, user=user, role=Role.ADMIN)
    if catalogue.sync_default() is None:
        raise RuntimeError("the sandbox gives no models")
    Gateway.objects.update(honours_idempotency_key=honours_keys, has_request_log=has_log, rate_cap=1000)


def place(*, orders: list[dict[str, str]], acks: str, at: float = 0.0) -> None:
    """Press the button for each of `orders` (token, prompt); a line in `acks` is the answer that a person got.

    An answer is `<token> <run>`, or `<token> - <why not>`. With `at` (seconds since 1970) all begin at that moment.
    """
    from playground.models import Membership, VideoModel
    from playground.services import estimates, runs

    by = Membership.objects.select_related("team", "user").get(user__email=EMAIL)
    wanted = estimates.Wanted(model=VideoModel.objects.get(slug=MODEL), size=SIZE, seconds=SECONDS)
    out = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    time.sleep(max(0.0, at - time.time()))
    for order in orders:
        try:
            price = estimates.quote(by=by, wanted=wanted).total_micros
            run = runs.start(by=by, wanted=wanted, prompt=order["prompt"], token=order["token"], quoted_micros=price)
        except (runs.NotPriced, runs.PriceMoved, runs.OverBudget, runs.ModelGone) as refused:
            os.write(out, f"{order['token']} - {type(refused).__name__}\n".encode())
        else:
            os.write(out, f"{order['token']} {run.id}\n".encode())


def engine(*, seed: str, lock_s: float = 0.0) -> None:
    """One process of the cluster: takes tasks and runs them; seeds the sweep as the watcher would. Never returns.

    It begins with what a worker does when it starts, while the others work.
    `lock_s` is how long it waits for a locked SQLite database.
    """
    from django.db import DatabaseError, connection

    from playground.services import housekeeping

    chance = random.Random(seed)
    if lock_s:
        connection.settings_dict["OPTIONS"]["timeout"] = lock_s
    is_started = False
    while True:
        try:
            if not is_started:
                housekeeping.at_start()
                is_started = True
            if not _step(chance):
                time.sleep(0.02)
        except DatabaseError as error:
            sys.stderr.write(f"database: {type(error).__name__} {str(error)[:200]}\n")
            connection.close()
            time.sleep(0.2)


def _step(chance: random.Random) -> bool:
    """Take one task off the queue and run it. False when there was none."""
    from django.apps import apps
    from django.utils import timezone

    from playground import queue, tasks
    from playground.services import leases, sweep

    now = timezone.now()
    row = apps.get_model("django_q", "OrmQ").objects.filter(lock__lte=now).order_by("pk").first()
    if row is None:
        free_for = leases.free_since(sweep.LEASE, now=now)
        if free_for is not None and queue.waiting_for("sweep") == 0:
            sweep.seed()
        return False
    task = row.task
    if not row.delete()[0]:
        return True
    for _ in range(2 if chance.random() < REDELIVERED else 1):
        getattr(tasks, task["func"].rpartition(".")[2])(*task["args"])
    return True


def set_right() -> None:
    """What a worker's watcher does once a minute: bring back what a clock that was ahead has put off."""
    from django.utils import timezone

    from playground.services import clocks

    clocks.set_right(now=timezone.now())


def hook() -> None:
    """The gateway says that the newest order has ended: signed as it would, and posted to the view that hears it."""
    from django.test import Client
    from django.urls import reverse

    from playground.models import Gateway, Generation
    from playground.services import sealing
    from tests.support import webhooks

    generation = Generation.objects.select_related("gateway").latest("id")
    Gateway.objects.update(webhook_secret=sealing.seal(webhooks.SECRET))
    headers = webhooks.as_meta(webhooks.signed(message_id=f"msg_{generation.id}"))
    address = reverse("hooks.receive", args=[generation.gateway.slug, generation.hook_token])
    answer = Client(SERVER_NAME="localhost").post(
        address, data=webhooks.BODY, content_type="application/json", **headers
    )
    if answer.status_code != 204:
        raise RuntimeError(f"{answer.status_code} {answer.text}")


def judge(*, charges: str, acks: str, answer: str) -> None:
    """Run the checker over everything and write its verdict as JSON."""
    from tests.faults.stage import checker

    verdict = checker.check(charges=json.loads(Path(charges).read_text()), acks=Path(acks).read_text().splitlines())
    part = Path(f"{answer}.part")
    part.write_text(json.dumps(verdict))
    part.rename(answer)


ROLES = {role.__name__: role for role in (setup, place, engine, set_right, hook, judge)}
