"""Which finished videos are fetched next, and what becomes of a try that failed.

What is wrong decides how long it is tried. A link that answers "gone" is asked for anew at least three times, and until
its time is over where the gateway says when that is, a day at most. An order that the gateway no longer knows is asked
for during an hour, and for two weeks where the gateway, or whose account it is, is in doubt. No link at all, a file
that is no video, and one that never ends, get a few tries over some minutes, since a host under repair serves a page in
its place; one that breaks off at the very same byte again and again, a few tries. Trouble on the way lasts as long as
the link does, a week at most. What lies on this side (a full disk, a store that is away) is waited for until a day
after the link has ended, a gateway that is no longer set up here for two weeks. Whoever dies while saving has used up a
try, lest a file that kills its saver is tried for ever. Each cause is counted by itself, so that an hour of full disk
does not use up the tries of a link.

A download that crawls gives its place to a video that waits for one, but for those that have held theirs longest and
those that are here soon, and once only. That counts against no video.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.gateway.errors import GatewayError, OutputGone, OutputHost, TooSlow
from playground.media.boxes import BadVideo
from playground.models import Event, Gateway, Generation
from playground.services import engine, gateways, ledger, notices, orphan_files, pauses, sent_with, told_lengths
from playground.services.engine import Move
from playground.services.outcomes import GONE_FOR
from playground.services.save_faults import Why, code_of, length_of, sizes_of, why_of
from playground.services.told_lengths import Came, Expected

log = structlog.get_logger(__name__)

AT_ONCE = 4
KEPT_WHILE_SLOW = 2
"""So many of the places may be kept by downloads that crawl while others wait: a line on which four at once crawl still
brings two of them home, and a host that drips never holds up the rest."""
TIMEOUT_S = 900
HANDED_OVER = timedelta(seconds=10)
"""A row given to a task comes up again after this, should the task be lost."""
KEEP_TRYING = timedelta(hours=24)
"""After the link has ended, for faults on this side: then nothing is there to be fetched any more. And from the first
time that a link was gone whose end is told."""
LINK_MOST = timedelta(days=7)
"""A link that lasts longer, or that the gateway makes anew at each answer, is waited for no longer than this."""
UNKNOWN_FOR = timedelta(hours=1)
"""From the first time that the gateway did not know a finished order: it said itself that it made it."""
LINK_LASTS = timedelta(hours=1)
"""Where the gateway does not say it."""
PATIENCE = timedelta(minutes=2)
"""From the first time that a link was gone or its file was bad: for so long it may be the host's passing trouble."""
RETRY_S = (1, 2, 5, 15, 60)
"""Pauses between tries; the last one is repeated."""
LATER_RETRY_AFTER, LATER_RETRY_S = 20, 240
"""After so many tries."""
LONG_RETRY_AFTER, LONG_RETRY_S = timedelta(days=1), 1800
"""From the first try on: what has not worked for a day hardly works in a minute. No pause is longer (clocks.py)."""


LENGTHS_MOST = 12
"""So many lengths that differ from the one told are looked at: then no other try tells more."""
MAX_TRIES = {Why.GONE: 4, Why.UNKNOWN: 4, Why.BAD: 5, Why.WAY: 5, Why.SAVER: 12}
"""Of one cause, at least; the first GONE is that of the link we had, so the order is read again three times. A worker
that is restarted over and over must not cost a video, hence the larger number for the last."""


def hand_over(*, now: datetime) -> int:
    """Put due finished videos on the queue, those first whose link ends first; returns how many.

    At most AT_ONCE are under way at a time, those that wait in the queue included; the rest stay due.
    """
    due = _due(now=now)
    if not due.exists():
        return 0
    room = _room()
    if room <= 0:
        return 0
    first = due.order_by(F("output_expires_at").asc(nulls_last=True), "completed_at", "id")
    count = 0
    for generation_id in list(first.values_list("id", flat=True)[:room]):
        if engine.push_back([generation_id], status=Status.COMPLETED, until=now + HANDED_OVER, now=now):
            # fault: collect-due
            queue.enqueue("collect", str(generation_id), timeout_s=TIMEOUT_S)
            count += 1
    return count


def _due(*, now: datetime) -> QuerySet[Generation]:
    return Generation.objects.filter(status=Status.COMPLETED, next_check_at__lte=now)


def _room() -> int:
    """Places that are free; below zero when there is more on the queue than there are places."""
    return AT_ONCE - Generation.objects.filter(status=Status.STORING).count() - queue.waiting_for("collect")


def gives_way(generation: Generation, *, drips: bool, now: datetime) -> bool:
    """Whether a download that crawls is given up for now: another video waits for its place, and it is not among those
    that have held theirs longest. Once, unless it `drips`: else a slow line would begin again and again.
    """
    if not _due(now=now).exists() or _room() > 0:
        return False
    if not drips and _failures(generation).filter(data__code=TooSlow.default_code).exists():
        return False
    begun_at = Max("events__at", filter=Q(events__kind="saving_started"))
    held = Generation.objects.filter(status=Status.STORING).annotate(begun_at=begun_at).order_by("begun_at", "id")
    return generation.id not in held.values_list("id", flat=True)[:KEPT_WHILE_SLOW]


def failed(generation: Generation, error: Exception, *, file: Path | None = None) -> None:
    """Write down a failed try of the claim that `generation` was read with. `file`: came whole, and was refused."""
    why, code = why_of(error), code_of(error)
    known = isinstance(error, GatewayError | BadVideo | gateways.GatewayNotConfigured | OSError)
    log.warning("saving_failed", generation=str(generation.id), code=code, exc_info=None if known else error)
    again_or_lost(generation, why=why, code=code, message=str(error), now=timezone.now(), error=error, file=file)


def abandoned(generation: Generation, *, now: datetime) -> None:
    """Whoever was saving it died or froze: one of its tries is gone."""
    if generation.claim_id is not None:
        again_or_lost(generation, why=Why.SAVER, code="saver_lost", message="", now=now)


def again_or_lost(
    generation: Generation,
    *,
    why: Why,
    code: str,
    message: str,
    now: datetime,
    error: Exception | None = None,
    file: Path | None = None,
) -> None:
    """Back to be saved again, or lost for good: then its cost is what the gateway said.

    `error`: what the try failed by. `file`: one that came whole; the last try sets it aside.
    """
    tries = _earlier(generation, why) + 1
    sizes = sizes_of(error)
    is_cut = "received" in sizes and _is_cut_at(generation, sizes["received"])
    is_over = is_cut or _is_over(generation, why, error, tries, now=now)
    fields = {"collect_attempts": generation.collect_attempts + 1, "error_code": code, "claim_id": None}
    if is_over:
        fields |= {"next_check_at": None, "ended_at": now, "error_message": message}
        target, event = Status.OUTPUT_LOST, "output_lost"
    else:
        fields |= {"next_check_at": now + timedelta(seconds=_pause_s(generation, why, tries, now=now))}
        target, event = Status.COMPLETED, "saving_failed"
    data: dict[str, Any] = {"code": code, "why": (Why.BAD if is_cut else why).value, "try": tries, **sizes}
    kept = orphan_files.keep_refused(generation.id, file) if is_over and file is not None else ""
    if kept:
        data["kept"] = kept
    move = Move(generation.id, Status.STORING, target, event, generation.claim_id, data, None, fields)
    with transaction.atomic():
        if not engine.advance(move, now=now):
            return
        whole = Generation.objects.select_related("gateway", "team", "run").get(id=generation.id)
        if is_over:
            ledger.settle(generation=whole, cost_micros=cost_of(whole), at=now)
        _tell(whole, error, code, kept, now=now)
    if is_over:
        log.error("output_lost", generation=str(generation.id), code=code, kept=kept)


def _failures(generation: Generation) -> QuerySet[Event]:
    """The failed tries of this file."""
    events = Event.objects.filter(generation_id=generation.id)
    made = events.filter(kind="completed").order_by("-id").values_list("id", flat=True).first() or 0
    return events.filter(kind="saving_failed", id__gt=made)


def _came(generation: Generation) -> list[Came]:
    """The lengths of which its file came instead of the one that was told, newest first."""
    failed = _failures(generation).filter(data__has_key="came").order_by("-id")
    return [Came(data["came"], at) for data, at in failed.values_list("data", "at")]


def _is_taken_next(generation: Generation, error: Exception | None, *, now: datetime) -> bool:
    """Whether the next try takes the file that this one refused by its length."""
    length = length_of(error)
    if length is None:
        return False
    told = generation.output_size_bytes or length.told_bytes
    came = [Came(length.came_bytes, now), *_came(generation)]
    if length.came_bytes == told:
        return True  # another one was expected by then
    return len(came) <= LENGTHS_MOST and told_lengths.expected(told, came, patience=PATIENCE, now=now).exactly != told


def expected_length(generation: Generation, told: int, *, now: datetime) -> Expected:
    """Of its next file, of which the gateway tells `told` bytes."""
    return told_lengths.expected(told, _came(generation), patience=PATIENCE, now=now)


def _earlier(generation: Generation, why: Why) -> int:
    """How many tries of this file have failed for the same cause."""
    return _failures(generation).filter(data__why=why.value).count()


def _is_cut_at(generation: Generation, received: int) -> bool:
    """Whether it is broken at the host: it broke off at this very byte each of the last times.

    Nothing at all is no byte: a host in trouble may well answer and then give none of the file.
    """
    before = MAX_TRIES[Why.BAD] - 1
    last = [
        data.get("received") for data in _failures(generation).order_by("-id").values_list("data", flat=True)[:before]
    ]
    return received > 0 and last == [received] * before


def _is_over(generation: Generation, why: Why, error: Exception | None, tries: int, *, now: datetime) -> bool:
    if tries < MAX_TRIES.get(why, 0) or _is_taken_next(generation, error, now=now):
        return False
    return why is Why.SAVER or now >= _ends_at(generation, why, code_of(error), now=now)


def _ends_at(generation: Generation, why: Why, code: str, *, now: datetime) -> datetime:
    """Until when this cause is waited for."""
    first_at = _first_at(generation, why) or now
    made_at = generation.completed_at or now
    link_ends_at = generation.output_expires_at or made_at + LINK_LASTS
    match why:
        case Why.NOT_SET_UP:
            return first_at + GONE_FOR
        case Why.UNKNOWN:
            return first_at + (UNKNOWN_FOR if _is_believed(generation, now=now) else GONE_FOR)
        case Why.GONE if generation.output_expires_at and code == OutputGone.default_code:
            return min(link_ends_at, first_at + KEEP_TRYING)
        case Why.WAY:
            return min(link_ends_at, made_at + LINK_MOST)
        case Why.OURS:
            return min(link_ends_at + KEEP_TRYING, made_at + GONE_FOR)
        case _:
            return first_at + PATIENCE


def _first_at(generation: Generation, why: Why) -> datetime | None:
    """When a try of this file first failed for this cause."""
    return _failures(generation).filter(data__why=why.value).order_by("id").values_list("at", flat=True).first()


def _is_believed(generation: Generation, *, now: datetime) -> bool:
    """Whether it is the account of the order that does not know it, at a gateway that is not in trouble."""
    gateway = Gateway.objects.get(id=generation.gateway_id)
    if gateway.paused_at or sent_with.is_another(generation):
        return False
    return pauses.knows_us(gateway, now=now) is True


def _pause_s(generation: Generation, why: Why, tries: int, *, now: datetime) -> int:
    if tries <= LATER_RETRY_AFTER:
        return RETRY_S[min(tries, len(RETRY_S)) - 1]
    first_at = _first_at(generation, why)
    return LONG_RETRY_S if first_at and now >= first_at + LONG_RETRY_AFTER else LATER_RETRY_S


def _tell(generation: Generation, error: Exception | None, code: str, kept: str, *, now: datetime) -> None:
    """The admins: of each video that is lost, and once a day and team of a disk that is full or a host not allowed."""
    if isinstance(error, OutputHost):
        _tell_host(generation, error.host, now=now)
    data: dict[str, Any] = {"generation": str(generation.id), "run": str(generation.run_id), "code": code}
    if generation.state is Status.OUTPUT_LOST:
        data |= {"cost_micros": generation.cost_micros, "is_sandbox": generation.gateway.is_sandbox}
        data |= {"estimate_micros": generation.estimate_micros, "kept": kept}
        notices.tell("output_lost", team=generation.team, key=f"output_lost:{generation.id}", data=data, now=now)
    elif code == "disk_full":
        notices.tell("disk_full", team=generation.team, key=f"disk_full:{now:%Y-%m-%d}", data=data, now=now)


def _tell_host(generation: Generation, host: str, *, now: datetime) -> None:
    """The admins, once a day and host: while the link lasts the video can still be saved."""
    data = {"generation": str(generation.id), "run": str(generation.run_id), "host": host}
    notices.tell("output_host", team=generation.team, key=f"output_host:{host[:80]}:{now:%Y-%m-%d}", data=data, now=now)


def cost_of(generation: Generation) -> int | None:
    """The gateway's own figure; where it gives none, the price that was checked before the order, without the
    quarter more that was set aside. None where neither is known, which is not 0.
    """
    return generation.estimate_micros if generation.cost_micros is None else generation.cost_micros
