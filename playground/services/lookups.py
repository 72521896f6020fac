"""Looking for an order in the gateway's own log, after its answer was lost and before a person is asked.

The order went out with its id as trace id, so an entry with that trace is ours. Only an entry that leads to a video we
can read decides by itself, or as many as it was sent, all refused at no cost. That nothing is found proves nothing.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.domain.status import NEVER_RAN, Status
from playground.gateway.client import GatewayClient
from playground.gateway.errors import Deadline, GatewayError, NoRequestLog, NotFound, Refused
from playground.gateway.request_log import LoggedRequest
from playground.gateway.trace import trace_id_of
from playground.gateway.types import Job, JobState
from playground.models import Generation
from playground.services import engine, gateways, lanes, ledger, parking, sent_with
from playground.services.engine import Move

log = structlog.get_logger(__name__)

AGAIN_AFTER = timedelta(seconds=60)
LOOK_FOR = timedelta(minutes=10)
"""A log that cannot be read is tried so long after the last unclear try; then a person is asked without it."""
CLOCKS_DIFFER = timedelta(minutes=10)
"""How far the gateway's clock may be behind ours."""
MAX_PAGES = 20
ENTRIES_KEPT = 5
FIND_S = 100.0
"""After this one look begins no further question: its task is ended after 150 seconds."""
ASKED_S = 10.0
"""While an admin waits for whether a pasted id is the order's own."""
UNENDED_FOR = timedelta(minutes=5)
"""So long after the time of looking a look that never came to its end is given up."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Found:
    """What the log says of one order: its entries, newest first, and the video one of them leads to."""

    entries: list[LoggedRequest]
    job: Job | None = None

    @property
    def is_refused(self) -> bool:
        """Every entry is one that was refused and cost nothing."""
        return bool(self.entries) and all(
            entry.status == "rejected" and entry.cost_micros == 0 for entry in self.entries
        )

    def evidence(self) -> dict[str, Any]:
        """As an event keeps it for an admin."""
        return {"log": [_told(entry) for entry in self.entries[:ENTRIES_KEPT]]}


def _told(entry: LoggedRequest) -> dict[str, Any]:
    at = entry.created_at.isoformat() if entry.created_at else ""
    told = {"id": entry.id, "at": at, "status": entry.status, "model": entry.model, "cost_micros": entry.cost_micros}
    return told | {"error": f"{entry.error_code} {entry.error_message}".strip()[:300]}


def look_up(generation_id: UUID, claim_id: UUID) -> None:
    """Look for an order that the sweep claimed for it. Nothing happens when the claim is lost, or no lane is free: then
    it is due again soon.
    """
    rows = Generation.objects.select_related("gateway", "team", "run").filter(id=generation_id, claim_id=claim_id)
    generation = rows.filter(status=Status.SUBMITTING).first()
    if generation is None:
        return
    if sent_with.is_another(generation):
        words = _("The gateway's key was replaced after it was sent, so its log may be another account's.")
        _park(generation, claim_id, "key_replaced", "", {"log": None, "log_error": words})
        return
    with lanes.question(generation.gateway) as free:
        if free:
            _look(generation, claim_id)


def _look(generation: Generation, claim_id: UUID) -> None:
    try:
        with gateways.client_for(generation.gateway) as client, engine.kept(generation.id, claim_id):
            found = _find(generation, client)
    except NoRequestLog as error:
        _park(generation, claim_id, "no_request_log", str(error), {"log": None})
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        _unread(generation, claim_id, error, now=timezone.now())
    else:
        _decide(generation, claim_id, found, now=timezone.now())


def is_ours(generation: Generation, ids: Sequence[str]) -> bool | None:
    """Whether the gateway's log has one of these ids under the trace of this order, or of another; None where it keeps
    no log, or that says nothing of them.

    Raises GatewayError or GatewayNotConfigured when the log could not be read to its end: then nobody knows.
    """
    if not generation.gateway.has_request_log:
        return None
    since, trace = (generation.sent_at or generation.created_at) - CLOCKS_DIFFER, trace_id_of(str(generation.id))
    try:
        with gateways.client_for(generation.gateway) as client:
            ends_at = time.monotonic() + ASKED_S
            logged = list[LoggedRequest]()
            for entry in _in_time(client.requests(created_after=since, max_pages=MAX_PAGES), ends_at):
                if entry.id in ids and entry.trace_id:
                    return entry.trace_id == trace
                logged.append(entry)
            traces = _of_unanswered(generation, client, logged, ids, since, ends_at)
    except NoRequestLog:
        return None
    return trace in traces if traces else None


def _of_unanswered(
    generation: Generation,
    client: GatewayClient,
    logged: list[LoggedRequest],
    ids: Sequence[str],
    since: datetime,
    ends_at: float,
) -> set[str]:
    """The traces of orders without an answer whose entries lead to this video: a log may name them by ids of its own.

    They are unclear, or an admin has closed them.
    """
    closed = Q(status=Status.REJECTED, error_kind=NEVER_RAN, ended_at__gte=since)
    unanswered = Generation.objects.filter(closed | Q(status__in=(Status.UNKNOWN, Status.SUBMITTING)))
    rows = unanswered.filter(gateway_id=generation.gateway_id)
    ours = {trace_id_of(str(id)) for id in rows.values_list("id", flat=True)}
    found = set()
    for entry in _in_time((entry for entry in logged if entry.id and entry.trace_id in ours), ends_at):
        try:
            job = client.retrieve(entry.id)
        except (NotFound, Refused):
            continue  # an id of the log's own, which leads to no video
        if {job.id, job.told_id} & set(ids):
            found.add(entry.trace_id)
    return found


def _find(generation: Generation, client: GatewayClient) -> Found:
    """Raises GatewayError when the log, or the video that it leads to, cannot be read."""
    trace = trace_id_of(str(generation.id))
    since = (generation.sent_at or generation.created_at) - CLOCKS_DIFFER
    logged = client.requests(created_after=since, max_pages=MAX_PAGES)
    ends_at = time.monotonic() + FIND_S
    entries = [entry for entry in _in_time(logged, ends_at) if entry.trace_id == trace]
    for entry in _in_time([entry for entry in entries if entry.id], ends_at):
        try:
            return Found(entries, by_its_own_id(client, client.retrieve(entry.id)))
        except NotFound:
            continue  # of a refused try there is no video, and its id need not be the video's
    return Found(entries)


def _in_time(items: Iterable[Item], ends_at: float) -> Iterator[Item]:
    for item in items:
        if time.monotonic() >= ends_at:
            raise Deadline("The gateway's list of requests could not be read in time.")
        yield item


def by_its_own_id(client: GatewayClient, job: Job) -> Job:
    """The video under the id that it names itself, as the lost answer would have: a request id may lead to it too."""
    if not job.told_id or job.told_id == job.id:
        return job
    try:
        return client.retrieve(job.told_id)
    except NotFound:
        return job


def _decide(generation: Generation, claim_id: UUID, found: Found, *, now: datetime) -> None:
    if found.job is not None:
        _adopt(generation, claim_id, found, found.job, now=now)
    elif found.is_refused and len(found.entries) >= _tries(generation):
        _close(generation, claim_id, found, now=now)
    else:
        code = "log_unclear" if found.entries else "not_in_log"
        _park(generation, claim_id, code, "", found.evidence())


def _tries(generation: Generation) -> int:
    """How often it was sent since its start. Of a try without an entry nobody knows what became of it."""
    return generation.events.filter(kind__in=("sending", "sent_again")).count()


def _adopt(generation: Generation, claim_id: UUID, found: Found, job: Job, *, now: datetime) -> None:
    fields = {
        "upstream_id": job.id[:255],
        "provider": job.provider[:100],
        "executed_model": job.executed_model[:200],
        "submitted_at": now,
        "next_check_at": now,
        "deadline_at": now + engine.DEADLINE,
        "claim_id": None,
        "error_code": "",
        "error_message": "",
    }
    target = Status.SUBMITTED
    if job.state is JobState.RUNNING:
        target, fields["started_at"] = Status.RUNNING, now
    data = {"upstream_id": job.id[:255]} | found.evidence()
    try:
        engine.advance(
            Move(generation.id, Status.SUBMITTING, target, "found_in_log", claim_id, data, None, fields), now=now
        )
    except IntegrityError:
        log.error("upstream_id_taken", generation=str(generation.id), upstream_id=job.id)
        _park(generation, claim_id, "id_taken", "", found.evidence())


def _close(generation: Generation, claim_id: UUID, found: Found, *, now: datetime) -> None:
    entry = found.entries[0]
    fields = {
        "error_kind": "other",
        "error_code": entry.error_code[:100],
        "error_message": entry.error_message,
        "request_id": entry.id[:255],
        "cost_micros": 0,
        "next_check_at": None,
        "claim_id": None,
        "ended_at": now,
    }
    with transaction.atomic():
        data = found.evidence()
        move = Move(generation.id, Status.SUBMITTING, Status.REJECTED, "log_says_refused", claim_id, data, None, fields)
        if engine.advance(move, now=now):
            ledger.release(generation=generation, at=now)


def _unread(generation: Generation, claim_id: UUID, error: Exception, *, now: datetime) -> None:
    """The log cannot be read now: once more in a minute, for some minutes."""
    message = str(error)[:300]
    code = str(getattr(error, "code", "not_configured"))
    if now >= (generation.unclear_at or now) + _patience(generation):
        _park(generation, claim_id, "log_unreadable", message, {"log": None, "log_error": message})
        return
    rows = Generation.objects.filter(id=generation.id, status=Status.SUBMITTING, claim_id=claim_id)
    with transaction.atomic():
        if rows.update(claim_id=None, next_check_at=now + AGAIN_AFTER):
            engine.note(generation.id, "log_not_read", now=now, data={"code": code, "message": message})


def is_over(generation: Generation, *, now: datetime) -> bool:
    """Whether its looks should long have ended, one way or the other."""
    unclear_at = generation.unclear_at
    return unclear_at is not None and now > unclear_at + _patience(generation) + UNENDED_FOR


def _patience(generation: Generation) -> timedelta:
    """From the first unclear try to the end of looking: LOOK_FOR after the look was planned."""
    planned = generation.events.filter(kind="look_up_planned").order_by("-id").first()
    if planned is None or generation.unclear_at is None:
        return LOOK_FOR
    return planned.at - generation.unclear_at + LOOK_FOR


def _park(generation: Generation, claim_id: UUID, code: str, message: str, evidence: dict[str, Any]) -> None:
    parking.park(generation, code=code, message=message, now=timezone.now(), claim_id=claim_id, evidence=evidence)
