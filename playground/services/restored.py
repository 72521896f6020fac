"""What a restored backup must not do: order again what may have been ordered since it was made.

Every copy of the database that a backup makes carries a mark with its time, which the living database never has. Who
finds the mark (the restore command, or a worker that starts on a copy put in place by hand) first treats each order
that was waiting or being sent at that time as one that may have been taken: sent at the earliest when the backup was
made, with no answer kept. From there the usual rules for unclear answers decide. Where the gateway honours keys and
still remembers those of that time, the same order with the same key brings the first one's answer back; everywhere
else the order is parked for a person. Nothing is ever sent as a new order.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import transaction

from playground import queue
from playground.domain.status import Status
from playground.models import Event, Gateway, Generation, Heartbeat, Invitation, Lease, ShareLink, SignInLink, Team
from playground.services import audit, engine, keys_used, notices
from playground.services.engine import Move

log = structlog.get_logger(__name__)

MARK = "backup"
"""The name of the heartbeat row that only a backup has; its time is that of the backup."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was found in a restored database."""

    backup_at: datetime
    maybe_sent: int
    """Orders that were waiting, being sent or unclear when the backup was made."""


def mark(*, at: datetime) -> None:
    """Say that this database is a copy of `at`. For databases that cannot be marked before they are restored."""
    Heartbeat.objects.update_or_create(name=MARK, defaults={"at": at, "detail": {}})


def settle(*, now: datetime) -> Settled | None:
    """Make a restored database safe to work on; None when it is not one, or was settled before."""
    if not Heartbeat.objects.filter(name=MARK).exists():
        return None
    with transaction.atomic():
        found = Heartbeat.objects.select_for_update().filter(name=MARK).first()
        if found is None:
            return None
        count = _maybe_sent(backup_at=found.at, now=now)
        _forget_what_was_passing(now=now)
        links = _end_share_links(now=now)
        found.delete()
        data = {"backup_at": found.at.isoformat(), "maybe_sent": count, "links": links}
        audit.record("restored", by=None, team=None, data=data, now=now)
        for team in Team.objects.all():
            notices.tell("restored", team=team, key=f"restored:{now.isoformat()}", data=data, now=now)
    cache.clear()
    log.error("restored_from_backup", backup_at=found.at.isoformat(), maybe_sent=count)
    return Settled(found.at, count)


def _maybe_sent(*, backup_at: datetime, now: datetime) -> int:
    """Each waiting order becomes one without an answer, due at once; so does each that was being sent.

    One that waited for an admin may have been sent again by one: it waits on, and its page says so.
    """
    count, changed = 0, _with_another_key(backup_at)

    def told(generation: Generation) -> dict[str, object]:
        return {"backup_at": backup_at.isoformat(), "key_changed": generation.gateway_id in changed}

    for generation in Generation.objects.filter(status=Status.UNKNOWN).order_by("id"):
        Event.objects.create(generation=generation, kind="restored", data=told(generation), at=now)
        count += 1
    for generation in Generation.objects.filter(status__in=(Status.QUEUED, Status.SUBMITTING)).order_by("id"):
        fields = {
            "claim_id": None,
            "attempts": max(generation.attempts, 1),
            "sent_at": generation.sent_at or backup_at,
            "unclear_at": generation.unclear_at or backup_at,
            "next_check_at": now,
            "deadline_at": now + engine.DEADLINE,
        }
        data = told(generation)
        if generation.state is Status.QUEUED:
            move = Move(generation.id, Status.QUEUED, Status.SUBMITTING, "restored", data=data, fields=fields)
            count += engine.advance(move, now=now)
        else:
            count += Generation.objects.filter(id=generation.id).update(version=generation.version + 1, **fields)
            Event.objects.create(generation=generation, kind="restored", data=data, at=now)
    return count


def _with_another_key(backup_at: datetime) -> set[UUID]:
    """Gateways of which another key was in use since: their orders may have gone out with that one."""
    return {gateway.id for gateway in Gateway.objects.all() if keys_used.changed_since(gateway, backup_at)}


def _forget_what_was_passing(*, now: datetime) -> None:
    """Queue entries, leases and signs of life of processes that are gone; sessions, one-time links and invitations that
    may have ended since, and would be good again."""
    queue.take_all()
    Lease.objects.all().delete()
    Heartbeat.objects.exclude(name=MARK).delete()
    Session.objects.all().delete()
    SignInLink.objects.all().delete()
    Invitation.objects.filter(accepted_at=None, revoked_at=None).update(revoked_at=now)


def _end_share_links(*, now: datetime) -> int:
    """Which of them were revoked since the backup nobody knows here: all end, also those of deleted collections."""
    ShareLink.objects.filter(ended_with_collection=True).update(ended_with_collection=False)
    return ShareLink.objects.filter(revoked_at=None).update(revoked_at=now)
