"""The engine without its processes: real rows, real queue entries, a real sandbox over HTTP, driven by hand.

`bench.drive(run)` makes every row due, sweeps once and runs what is on the queue, until nothing moves any more.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from playground import queue, tasks
from playground.domain.status import ENDED, PARKED, Status
from playground.models import Gateway, Generation, LedgerEntry, Membership, Role, Run, Team, User, VideoModel
from playground.services import catalogue, estimates, gateways, runs, sweep
from tests.sandbox_server import SandboxServer, start_sandbox

OF_PRESS = ("retry_of", "parent_video", "visibility", "answers")
"""Of a press beside what is wanted."""
DRIVE_SECONDS = 60


class Bench:
    """One team with one admin, and the catalogue of `sandbox`."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        self.user = User.objects.create_user("ana@example.com", "a long password", name="Ana")
        self.team = Team.objects.create(name="Studio", slug="studio", limits_accepted_at=timezone.now())
        self.membership = Membership.objects.create(team=self.team, user=self.user, role=Role.ADMIN)
        offer(sandbox)

    def model(self, slug: str = "p-video") -> VideoModel:
        return VideoModel.objects.get(slug=slug)

    def wanted(self, slug: str = "p-video", **values: Any) -> estimates.Wanted:
        model = self.model(slug)
        lengths = model.takes.lengths
        values = {"size": model.takes.sizes[0], "seconds": lengths.minimum or lengths.shortest} | values
        return estimates.Wanted(model=model, **values)

    def start(self, prompt: str, **values: Any) -> Run:
        """Press the button, with the price it shows. `token` and `quoted_micros` may be given."""
        token = values.pop("token", None) or runs.new_token()
        start = {name: values.pop(name) for name in OF_PRESS if name in values}
        price = values.pop("quoted_micros", None)
        wanted = values.pop("wanted", None) or self.wanted(**values)
        price = price or estimates.quote(by=self.membership, wanted=wanted).total_micros
        return runs.start(by=self.membership, wanted=wanted, prompt=prompt, token=token, quoted_micros=price, **start)

    def drive(self, run: Run, *, until: frozenset[Status] | set[Status] = ENDED | PARKED) -> Generation:
        """Work until the run's only generation is in one of `until`; returns it."""
        ends_at = time.monotonic() + DRIVE_SECONDS
        while time.monotonic() < ends_at:
            generation = run.generations.get()
            if generation.state in until:
                return generation
            self.step()
        raise AssertionError(f"still {generation.status} after {DRIVE_SECONDS} s: {list(generation.events.values())}")

    def step(self) -> None:
        """Everything is due now: sweep once, then run the queue."""
        now = timezone.now()
        Generation.objects.filter(next_check_at__gt=now).update(next_check_at=now - timedelta(milliseconds=1))
        sweep.sweep_once(now=now)
        run_queue()

    def charges(self, prompt_or_generation: Generation | None = None) -> list[dict[str, Any]]:
        """The sandbox's charges, all or those of one generation's key."""
        charges = self.sandbox.charges()
        if prompt_or_generation is None:
            return charges
        return [c for c in charges if c["idempotency_key"] == str(prompt_or_generation.id)]


_offered: dict[int, list[VideoModel]] = {}
"""The rows that a sandbox's list of models made, by its port: read once, since every test begins with the same."""


def offer(sandbox: SandboxServer) -> None:
    """The default gateway and its models, as after a sync."""
    if sandbox.port not in _offered:
        assert catalogue.sync_default() is not None
        _offered[sandbox.port] = list(VideoModel.objects.all())
        return
    now = timezone.now()
    gateway = gateways.ensure_default()
    Gateway.objects.filter(id=gateway.id).update(sync_tried_at=now, synced_at=now)
    for row in _offered[sandbox.port]:
        row.gateway, row.seen_at = gateway, now
    VideoModel.objects.bulk_create(_offered[sandbox.port])


def run_queue() -> None:
    """Run what is on the queue in this process, as the cluster would, each task once."""
    for row in queue.take_all():
        name = row["func"].rpartition(".")[2]
        if name != "sweep":
            getattr(tasks, name)(*row["args"])


def money(generation: Generation) -> dict[str, int]:
    """Ledger amounts of one generation by kind."""
    return dict(LedgerEntry.objects.filter(generation=generation).values_list("kind", "amount_micros"))


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    with start_sandbox(SANDBOX_SLOW_ANSWER_SECONDS="1") as server:
        yield server


@pytest.fixture
def bench(sandbox: SandboxServer, settings: Any, transactional_db: None) -> Bench:
    settings.SANDBOX_PORT = sandbox.port
    cache.clear()  # a price, or the lack of one, that an earlier test left behind
    return Bench(sandbox)
