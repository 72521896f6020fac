"""What an admin decides of an order whose answer got lost: it never ran and is sent again, it never ran and is closed,
or it ran and this is its id. Each decision takes effect once, whoever presses first, and is written to the audit.

A decision is about what its page showed: `generation.version` is that of the order as it was shown. One that was sent
again meanwhile and got unclear anew is not decided by a press on the old page.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from playground import queue
from playground.domain.status import NEVER_RAN, Status
from playground.gateway.errors import GatewayError, NotFound
from playground.gateway.types import Job
from playground.models import Event, Generation, Membership, Team
from playground.services import audit, engine, gateways, lookups, pauses, refused, room, sent_with, teams, told
from playground.services.engine import Move
from playground.services.run_errors import StorageFull
from playground.services.submit import TIMEOUT_S

CLOCKS_DIFFER = timedelta(minutes=10)
MAX_ID = 255
DECISIONS = ("sent_anew", "closed_by_admin", "adopted")
TRIES = (*sent_with.MARKED, "restored", "put_back", "answer_unclear", "sender_lost", "answer_lost", *DECISIONS)


class DecidedAlready(Exception):
    """It is not as it was shown any more: somebody decided, or an answer came after all."""


class NotNow(Exception):
    """It cannot be sent at present; the message says why. Nothing has changed."""


class WrongId(Exception):
    """The pasted id is not that of this order; the message says why. Nothing has changed."""


class Differs(WrongId):
    """What the gateway says of that video was not ordered, or its log cannot tell whose it is; a person may know."""


@dataclass(frozen=True, slots=True)
class Try:
    """One sending, and what came back."""

    at: datetime
    number: int
    code: str = ""
    message: str = ""
    http_status: int | None = None
    request_id: str = ""


@dataclass(slots=True)
class Evidence:
    """What is known of an unclear order. `log` None: the gateway keeps none, or it could not be read."""

    tries: list[Try] = field(default_factory=list)
    log: list[dict[str, Any]] | None = None
    log_error: str = ""
    key: str = ""
    """The mark of the gateway's key that it was ordered, or last went out, with (services/sent_with.py)."""
    is_restored: bool = False


def evidence_of(generations: list[Generation]) -> dict[Any, Evidence]:
    """By the generation's id, from its events; one query for all."""
    found = {generation.id: Evidence() for generation in generations}
    for event in Event.objects.filter(generation_id__in=found, kind__in=TRIES).order_by("id"):
        _add(found[event.generation_id], event)
    return found


def _add(evidence: Evidence, event: Event) -> None:
    data = event.data
    if event.kind in (*sent_with.MARKED, "restored"):
        evidence.key = sent_with.key_of(event.kind, data) or evidence.key
    evidence.is_restored = evidence.is_restored or event.kind == "restored"
    if event.kind in sent_with.BEGUN:
        evidence.tries.append(Try(event.at, len(evidence.tries) + 1))
    elif event.kind in ("put_back", "answer_unclear", "sender_lost") and evidence.tries:
        evidence.tries[-1] = replace(
            evidence.tries[-1],
            code=str(data.get("code") or event.kind),
            message=str(data.get("message", "")),
            http_status=data.get("http_status"),
            request_id=str(data.get("request_id", "")),
        )
    elif event.kind == "answer_lost":
        evidence.log, evidence.log_error = data.get("log"), str(data.get("log_error", ""))


def send_again(*, by: Membership, generation: Generation, now: datetime | None = None) -> None:
    """It never ran: into the queue again, with the same key and the money that is set aside already.

    Raises NotAdmin, DecidedAlready, NotNow.
    """
    now = now or timezone.now()
    _check_admin(by, generation)
    is_known = is_key_known(generation, evidence_of([generation])[generation.id], now=now)
    if Team.objects.filter(id=generation.team_id, spending_paused_at__isnull=False).exists():
        raise NotNow(_("Spending is paused for this team. Nothing was sent."))
    generation.gateway.refresh_from_db()
    if generation.gateway.paused_at:
        raise NotNow(pauses.words(generation.gateway))
    try:
        room.check(by=by)
    except StorageFull as error:
        raise NotNow(_("The server has too little disk space. Nothing was sent. Make room first.")) from error
    fields = _clean() | {
        "error_kind": NEVER_RAN,
        "attempts": 0,
        "sent_at": generation.sent_at if is_known else None,  # a repetition does not renew the key's time
        "next_check_at": now,
        "deadline_at": now + engine.DEADLINE,
    }
    with transaction.atomic():
        data = {"key_known": is_known}
        move = Move(generation.id, Status.UNKNOWN, Status.QUEUED, "sent_anew", data=data, by=by.user, fields=fields)
        _decide(move, generation.version, by=by, kind="unclear_sent_again", now=now)
        queue.enqueue("submit", str(generation.id), timeout_s=TIMEOUT_S)


def is_key_known(generation: Generation, evidence: Evidence, *, now: datetime) -> bool:
    """Whether the gateway would take a second sending for the first: it remembers the key, of the same account."""
    is_anothers = sent_with.is_anothers(evidence.key, generation.gateway, is_restored=evidence.is_restored)
    return sent_with.is_young(generation, now=now) and not is_anothers


def close(*, by: Membership, generation: Generation, now: datetime | None = None) -> None:
    """It never ran: the end, and its money is given back. Raises NotAdmin, DecidedAlready."""
    now = now or timezone.now()
    _check_admin(by, generation)
    fields = _clean() | {"next_check_at": None, "ended_at": now, "error_kind": NEVER_RAN}
    with transaction.atomic():
        move = Move(generation.id, Status.UNKNOWN, Status.REJECTED, "closed_by_admin", by=by.user, fields=fields)
        _decide(move, generation.version, by=by, kind="unclear_closed", now=now)
        refused.give_back(generation, now=now)


def adopt(
    *, by: Membership, generation: Generation, upstream_id: str, insists: bool = False, now: datetime | None = None
) -> None:
    """It ran, and this is its id at the gateway, which is asked for it first.

    Raises NotAdmin, DecidedAlready, WrongId, NotNow (the gateway could not be asked), and Differs unless the admin
    `insists`.
    """
    now = now or timezone.now()
    _check_admin(by, generation)
    job, is_ours = _asked(generation, upstream_id.strip(), insists=insists)
    # A log that names it knows better whose it is: a provider may make another size or length than was asked for.
    if not insists and not is_ours and (found := told.differences(generation.body, job)):
        words = _("The gateway says of this video: %(differences)s. Look whether it is this order's.")
        raise Differs(words % {"differences": ", ".join(found)})
    fields = _clean() | {
        "upstream_id": job.id,
        "provider": job.provider[:100],
        "executed_model": job.executed_model[:200],
        "submitted_at": now,
        "next_check_at": now,
        "deadline_at": now + engine.DEADLINE,
    }
    data = {"upstream_id": job.id}
    move = Move(generation.id, Status.UNKNOWN, Status.SUBMITTED, "adopted", data=data, by=by.user, fields=fields)
    try:
        with transaction.atomic():
            _decide(move, generation.version, by=by, kind="unclear_adopted", now=now, upstream_id=job.id)
    except IntegrityError as error:
        raise WrongId(_("This id belongs to another order of ours.")) from error


def _asked(generation: Generation, upstream_id: str, *, insists: bool) -> tuple[Job, bool]:
    """The video of this id, and whether the gateway's log says that it is this order's."""
    if not upstream_id or len(upstream_id) > MAX_ID or not upstream_id.isprintable():
        raise WrongId(_("Paste the id that the gateway shows for this video."))
    try:
        with gateways.client_for(generation.gateway) as client:
            job = lookups.by_its_own_id(client, client.retrieve(upstream_id))
    except NotFound as error:
        raise WrongId(_("The gateway knows no video with this id.")) from error
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        raise NotNow(_("The gateway could not be asked for it: %(why)s") % {"why": str(error)[:200]}) from error
    taken = Generation.objects.filter(gateway_id=generation.gateway_id, upstream_id__in=(upstream_id, job.id))
    is_ours = _is_ours(generation, (upstream_id, job.id), insists=insists)
    if is_ours is False:
        raise WrongId(_("The gateway made the video with this id for another order."))
    if taken.exclude(id=generation.id).exists():
        raise WrongId(_("This id belongs to another order of ours."))
    first = generation.sent_at or generation.created_at
    if job.created_at is not None and job.created_at < first - CLOCKS_DIFFER:
        raise WrongId(_("The video with this id was ordered before this order was sent."))
    return job, bool(is_ours)


def _is_ours(generation: Generation, ids: tuple[str, str], *, insists: bool) -> bool | None:
    try:
        return lookups.is_ours(generation, ids)
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        if insists:
            return None
        words = _("Its log could not be read to its end, so nobody can tell whose video this is. (%(why)s)")
        raise Differs(words % {"why": str(error)[:200]}) from error


def _clean() -> dict[str, Any]:
    return {"claim_id": None, "unclear_at": None, "error_kind": "", "error_code": "", "error_message": ""}


def _check_admin(by: Membership, generation: Generation) -> None:
    if not by.is_admin or by.team_id != generation.team_id:
        raise teams.NotAdmin


def _decide(move: Move, version: int, *, by: Membership, kind: str, now: datetime, **data: str) -> None:
    """The move and its audit entry, or DecidedAlready. Call it inside a transaction.

    Its row is held first and the team's later, as everywhere; then once more whether `by` is still an admin.
    """
    shown = Generation.objects.select_for_update().filter(id=move.generation_id, version=version)
    if not shown.exists() or not engine.advance(move, now=now):
        raise DecidedAlready
    teams.locked(by)
    audit.record(kind, by=by.user, team=by.team, data={"generation": str(move.generation_id)} | data, now=now)


def decision_of(generation: Generation) -> Event | None:
    """The latest decision of a person, if any."""
    return generation.events.filter(kind__in=DECISIONS).select_related("by").order_by("-id").first()
