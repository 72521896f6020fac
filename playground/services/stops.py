"""Stopping an order: at once and free while it waits; one that was sent is asked to stop, and may still cost."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from playground import queue
from playground.domain.status import STOP_FAILED, STOPPABLE, Status
from playground.gateway.errors import GatewayError
from playground.models import Event, Generation, Membership, Team, User
from playground.services import engine, gateways, lanes, refused
from playground.services.engine import Move
from playground.services.run_errors import NotAllowed

TIMEOUT_S = 60
AGAIN_S = 1.0


def may_stop(by: Membership, generation: Generation) -> bool:
    """One's own orders; an admin all of the team's."""
    is_own = generation.run.created_by_id == by.user_id
    return by.team_id == generation.team_id and (by.is_admin or (by.may_create and is_own))


def cancel(*, by: Membership, generation: Generation, now: datetime | None = None) -> bool:
    """Stop it: at once and free while it waits; a sent one is asked to stop. False when there was nothing to stop."""
    if not may_stop(by, generation):
        raise NotAllowed
    now = now or timezone.now()
    with transaction.atomic():
        return _free(generation, by=by.user, now=now) or _ask_to_stop(generation.id, by=by, now=now)


def cancel_waiting(*, person: User, team: Team, by: User, now: datetime) -> int:
    """Stop what this person ordered in the team and what was not sent yet; what was sent goes on. Returns how many."""
    waiting = Generation.objects.filter(team=team, run__created_by=person, status=Status.QUEUED)
    count = 0
    for generation in waiting.select_related("run", "team", "gateway").order_by("id"):
        with transaction.atomic():
            count += _free(generation, by=by, now=now)
    return count


def _free(generation: Generation, *, by: User, now: datetime) -> bool:
    """Call it inside a transaction. False for one that does not wait any more."""
    fields = {"next_check_at": None, "ended_at": now, "stop_requested_at": now}
    move = Move(generation.id, Status.QUEUED, Status.CANCELLED, "cancelled", by=by, fields=fields)
    if not engine.advance(move, now=now):
        return False
    refused.give_back(generation, now=now)
    return True


def _ask_to_stop(generation_id: UUID, *, by: Membership, now: datetime) -> bool:
    rows = Generation.objects.filter(id=generation_id, status__in=STOPPABLE, stop_requested_at=None)
    if not rows.filter(gateway__has_cancel=True).exists():
        return False
    if not rows.update(stop_requested_at=now, error_code="", version=F("version") + 1):
        return False
    Event.objects.create(generation_id=generation_id, kind="stop_requested", by=by.user, at=now)
    queue.enqueue("cancel", str(generation_id), timeout_s=TIMEOUT_S)
    return True


def put_off(generation_id: str) -> None:
    queue.enqueue("cancel", generation_id, timeout_s=TIMEOUT_S, delay_s=AGAIN_S)


def ask_to_stop(generation_id: UUID) -> None:
    """Ask the gateway to stop a sent order. Its own next answer decides what became of it.

    One that did not get through is said on the card (STOP_FAILED) until the order ends or is asked to stop again.
    """
    generation = Generation.objects.select_related("gateway").filter(id=generation_id).first()
    if generation is None or generation.state not in STOPPABLE or not generation.upstream_id:
        return
    with lanes.question(generation.gateway) as free:
        if free:
            _ask(generation, generation.upstream_id, now=timezone.now())
        else:
            put_off(str(generation_id))


def _ask(generation: Generation, upstream_id: str, *, now: datetime) -> None:
    try:
        with gateways.client_for(generation.gateway) as client:
            client.cancel(upstream_id)
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        with transaction.atomic():
            engine.note(generation.id, "stop_not_delivered", now=now, data={"why": str(error)[:300]})
            # The button comes back: the request may be made again.
            still = Generation.objects.filter(id=generation.id, status__in=STOPPABLE)
            still.update(stop_requested_at=None, error_code=STOP_FAILED, version=F("version") + 1)
        return
    engine.note(generation.id, "stop_delivered", now=now)
    Generation.objects.filter(id=generation.id, status__in=STOPPABLE).update(next_check_at=now)
