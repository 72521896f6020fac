"""Putting right what should never be wrong, and saying so: one line for each thing that was found.

Everything here is also prevented elsewhere; this is the net below it. It asks, saves, ends and gives back by the same
services as the engine. It never sends an order and never spends: money that it closes is what the gateway reported, or
what was set aside for a video that is here. A second run right after it finds nothing.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from playground import queue
from playground.domain.status import LATE_SUCCESS, STOPPABLE, Status
from playground.gateway.errors import GatewayError
from playground.gateway.types import Job, JobState
from playground.media import storage
from playground.models import Event, Generation, Team
from playground.models.generation import LOOK_FOR
from playground.services import (
    audit,
    engine,
    gateways,
    later_costs,
    mix_ups,
    orphan_files,
    outcomes,
    parking,
    repair_files,
    repair_money,
    saving,
    submit,
)
from playground.services.engine import Move

log = structlog.get_logger(__name__)

OVERDUE = timedelta(minutes=5)
UNMINDED = timedelta(minutes=1)
"""Due for so long: the sweep does not take care of it, else it would not be."""
AT_ONCE = 500
"""Orders of one kind in one run; the rest is found by the next."""
PERIODIC_S = 240.0
MISSED, MISSED_FOR = frozenset({Status.LOST, Status.OUTPUT_LOST}), timedelta(hours=24)
"""Ended without a video by the gateway's or the host's word, which may be taken back: looked at again for so long."""
Found = Iterator["Finding"]
InTime = Callable[[object], bool]
"""Asked before each row: whether there is time for it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was found wrong with which thing, and what was `done` about it, both in words."""

    kind: str
    thing: str
    done: str
    team: Team | None = None

    def __str__(self) -> str:
        return f"{self.kind}: {self.thing}: {self.done}"


def run(*, now: datetime, dry_run: bool = False, periodic: bool = False) -> list[Finding]:
    """Look for everything, the newest files only when `periodic`, and put it right unless `dry_run`.

    A periodic run stops after four minutes, and of closed orders asks only after those lost within a day.
    """
    ends_at = time.monotonic() + PERIODIC_S if periodic else float("inf")

    def in_time(_row: object) -> bool:
        return time.monotonic() <= ends_at

    searches: list[Callable[[], Iterable[Finding]]] = [
        lambda: repair_money.counters(dry_run=dry_run, in_time=in_time),
        lambda: _waiting(now=now, dry_run=dry_run, in_time=in_time),
        lambda: _unsaved(now=now, dry_run=dry_run, in_time=in_time),
        lambda: _unasked(now=now, dry_run=dry_run, in_time=in_time),
        lambda: _closed(now=now, dry_run=dry_run, periodic=periodic, in_time=in_time),
        lambda: repair_money.unclosed(now=now, dry_run=dry_run, in_time=in_time),
        lambda: repair_files.missing(now=now, dry_run=dry_run, newest_only=periodic, in_time=in_time),
        lambda: () if periodic else _orphans(now=now, dry_run=dry_run),
    ]
    found = []
    for search in searches:
        for finding in search():
            found.append(finding)
            if not dry_run:
                _note(finding, now=now)
    return found


def _note(finding: Finding, *, now: datetime) -> None:
    log.warning("repaired", kind=finding.kind, thing=finding.thing, done=finding.done)
    data = {"kind": finding.kind, "thing": finding.thing, "done": finding.done}
    audit.record("repaired", by=None, team=finding.team, data=data, now=now)


def _late(now: datetime, statuses: Iterable[Status], in_time: InTime) -> Iterator[Generation]:
    """Orders whose time was over five minutes ago, and those due that nobody looks at."""
    over = Q(deadline_at__lt=now - OVERDUE, next_check_at__lt=now - UNMINDED) | Q(next_check_at__lt=now - OVERDUE)
    rows = Generation.objects.filter(over, status__in=list(statuses)).select_related("gateway", "team", "run")
    yield from takewhile(in_time, rows.order_by("id")[:AT_ONCE])


def _waiting(*, now: datetime, dry_run: bool, in_time: InTime) -> Found:
    """Orders not sent, or sent without an answer, past their time. Neither is sent from here."""
    for row in _late(now, (Status.QUEUED, Status.SUBMITTING), in_time):
        if row.deadline_at is None or row.deadline_at >= now - OVERDUE:
            continue
        if row.state is Status.QUEUED or submit.never_began(row):
            done = "it was never sent; ended, its money is free again"
            if not dry_run:
                end = submit.give_up_waiting if row.state is Status.QUEUED else submit.end_unsent
                end(row, now=now)
        else:
            done = "its answer never came; looked for, or parked for an admin; its money stays set aside"
            if not dry_run and not _give_up(row, now=now):
                continue
        yield Finding("overdue", f"order {row.id}", done, row.team)


def _give_up(row: Generation, *, now: datetime) -> bool:
    """As its sender would have. One that waits for its look already goes to a person: nobody looks."""
    claim_id = engine.reclaim(row.id, status=Status.SUBMITTING, now=now)
    if claim_id is None:
        return False
    give_up = parking.park if row.error_code == parking.LOOKED_FOR else parking.give_up_sending
    give_up(row, code=row.error_code or "overdue", message=row.error_message, now=now, claim_id=claim_id)
    return True


def _unsaved(*, now: datetime, dry_run: bool, in_time: InTime) -> Found:
    """Saves that nobody goes on with, and finished videos that wait although nothing is being saved."""
    for row in _late(now, (Status.STORING,), in_time):
        if not dry_run:
            saving.abandoned(row, now=now)
        yield Finding("not saved", f"order {row.id}", "whoever was saving it is gone; tried again", row.team)
    waiting = list(_late(now, (Status.COMPLETED,), in_time))
    busy = Generation.objects.filter(status=Status.STORING).exists() or queue.waiting_for("collect")
    if waiting and not busy:
        count = min(len(waiting), saving.AT_ONCE) if dry_run else saving.hand_over(now=now)
        done = f"made, and nobody was saving them; the first {count} are handed to the worker"
        yield Finding("not saved", f"{len(waiting)} orders", done)


def _unasked(*, now: datetime, dry_run: bool, in_time: InTime) -> Found:
    """Sent, and past their time or not asked after: the gateway's answer decides, as in the sweep."""
    for row in _late(now, STOPPABLE, in_time):
        yield from _asked(row, now=now, dry_run=dry_run)


def missed(*, now: datetime, ends: Iterable[Status] = MISSED, within: timedelta = MISSED_FOR) -> QuerySet[Generation]:
    """Ended lately without a video, and known to the gateway: asked after there again."""
    since = now - within
    rows = Generation.objects.filter(status__in=list(ends), next_check_at=None, ended_at__gt=since)
    # One that was saved in vain again has ended anew: what counts is its first end.
    lost = Event.objects.filter(generation=OuterRef("id"), kind__in=("lost", "output_lost"), at__lte=since)
    return rows.exclude(upstream_id=None).exclude(upstream_id="").exclude(Exists(lost))


def _closed(*, now: datetime, dry_run: bool, periodic: bool, in_time: InTime) -> Found:
    """Ended here within two weeks without a video: the gateway may have it all the same."""
    ends, within = (MISSED, MISSED_FOR) if periodic else (MISSED | LATE_SUCCESS, LOOK_FOR)
    rows = missed(now=now, ends=ends, within=within).select_related("gateway", "team", "run")
    for row in takewhile(in_time, rows.order_by("id")[:AT_ONCE]):
        yield from _asked(row, now=now, dry_run=dry_run)


WORDS = {
    Status.COMPLETED: ("finished upstream", "finished at the gateway but not here; saved next"),
    Status.LOST: ("lost upstream", "the gateway no longer knows it; ended, its money is free again"),
    Status.EXPIRED: ("overdue", "not finished in its time; ended, and looked for during a day"),
    Status.FAILED: ("ended upstream", "it failed at the gateway; ended"),
    Status.CANCELLED: ("ended upstream", "it was stopped at the gateway; ended"),
}


def _asked(row: Generation, *, now: datetime, dry_run: bool) -> Found:
    """Ask the gateway for one order, and say so if that moved it."""
    if not row.upstream_id:
        return
    try:
        with gateways.client_for(row.gateway) as client:
            answer: Job | GatewayError = mix_ups.asked(row, client)
    except gateways.GatewayNotConfigured:
        return
    except GatewayError as error:
        answer = error
    if dry_run:
        if isinstance(answer, Job) and answer.state is JobState.COMPLETED:
            yield Finding("finished upstream", f"order {row.id}", "finished at the gateway but not here", row.team)
        elif row.state in STOPPABLE:
            yield Finding("overdue", f"order {row.id}", f"the gateway says: {_said(answer)}", row.team)
        return
    before = row.status
    if row.state in MISSED:
        _save_again(row, answer, now=now)
    else:
        outcomes.record(gateway=row.gateway, answers=[(row, answer)], now=now)
    row.refresh_from_db(fields=["status"])
    if row.status != before and row.state in WORDS:
        kind, done = WORDS[row.state]
        yield Finding(kind, f"order {row.id}", done, row.team)


def _said(answer: Job | GatewayError) -> str:
    return answer.state.value if isinstance(answer, Job) else str(answer)


def _save_again(row: Generation, answer: Job | GatewayError, *, now: datetime) -> None:
    """What was given up as lost and the gateway has again, under a link that still holds."""
    if not isinstance(answer, Job) or answer.state is not JobState.COMPLETED or answer.output is None:
        return
    if answer.expires_at is not None and answer.expires_at <= now:
        return
    fields = {
        "next_check_at": now,
        "deadline_at": now + engine.DEADLINE,
        "completed_at": now,
        "ended_at": None,
        "error_code": "",
        "error_message": "",
        "collect_attempts": 0,
        "output_url": answer.output.url or "",
        "output_size_bytes": answer.output.size_bytes,
        "output_expires_at": answer.expires_at,
    } | later_costs.counted(row, answer.cost_micros, now=now)
    with transaction.atomic():
        move = Move(row.id, row.state, Status.COMPLETED, "completed", data={"repair": True}, fields=fields)
        if engine.advance(move, now=now):
            queue.enqueue("collect", str(row.id), timeout_s=saving.TIMEOUT_S)


def _orphans(*, now: datetime, dry_run: bool) -> Found:
    try:
        keys = orphan_files.set_aside(now=now, dry_run=dry_run)
    except orphan_files.Doubtful as why:
        yield Finding("files without rows", "the media store", f"left alone, since {why}")
        return
    except storage.StoreUnavailable as error:
        yield Finding("files without rows", "the media store", str(error))
        return
    for key in keys:
        yield Finding("file without a row", key, f"set aside for {orphan_files.KEPT.days} days, then deleted")
