"""A gateway that takes no orders for now: its account is empty, its key is refused, or it knows none of our orders.

Paused means for everybody: what waits goes on waiting until its own deadline, a new press is refused before anything is
stored, nothing is sent. With a refused key, or answers that cannot be true, it is not asked after orders either, and no
order changes. It goes on by itself once a small question that costs nothing is answered well, or by an admin's button.
"""

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.domain.status import LATE_SUCCESS, STOPPABLE, Status
from playground.gateway.client import GatewayClient
from playground.gateway.errors import AccountRefused, GatewayError
from playground.gateway.types import Limits, Timing
from playground.models import Dialect, Gateway, Generation, Team, User
from playground.services import audit, gateways, notices

log = structlog.get_logger(__name__)

BALANCE, KEY, ANSWERS = "balance", "key", "answers"
"""Why: the account is empty; the key is refused; more than half of the orders are unknown there at once."""
STRENGTH = {BALANCE: 1, ANSWERS: 2, KEY: 3}
PROBE_FIRST, PROBE_MOST = timedelta(seconds=60), timedelta(minutes=5)
"""The pauses between two probes: as long as the gateway has been paused so far, within these."""
PROBE_TIMEOUT_S = 60
PROBES_AT_ONCE = 2
"""Each is a task of its own: a gateway that hangs holds up no other one's."""
KNOWS_US_S, KNOWS_US_KEPT = 3.0, timedelta(seconds=30)
"""How long the question whether it takes our key may last, and how long its answer holds."""
NOT_ASKED_KEPT = timedelta(minutes=5)
"""How long one that does not answer is not asked again: whoever asks waits, and with them all other gateways."""
TRIES = 3
RESUME_OVER_S = 20
"""Questions about orders begin again spread over so long."""


Done = TypeVar("Done", bool, None)

_known_us: dict[UUID, tuple[datetime, bool | None]] = {}
"""By gateway, in this process: when it was asked whether it takes our key, and what it said."""


def is_paused(gateway_id: UUID) -> bool:
    """As the database has it now, whatever was read of the gateway before."""
    return Gateway.objects.filter(id=gateway_id, paused_at__isnull=False).exists()


def words(gateway: Gateway) -> str:
    """For a person who wants to order; "" while it is not paused. The account is refused: nobody is told of a fault."""
    match gateway.paused_reason:
        case "":
            return ""
        case "balance" if gateway.is_sandbox:
            return _("The sandbox plays an empty account. Nothing was sent. It goes on by itself in a minute.")
        case "balance":
            return _(
                "The gateway account is out of credit. Nothing was sent. An admin can top it up; your prompt is kept."
            )
        case "key":
            return _("The gateway refuses its key. Nothing was sent. An admin can put it right; your prompt is kept.")
        case "answers":
            return _("The gateway does not know its own videos just now. Nothing was sent; your prompt is kept.")
        case other:
            return _("The gateway is paused: %(reason)s") % {"reason": other}


def why(reason: str) -> str:
    """The reason alone, in a few words, for a card, a notice and the gateway page."""
    known = {
        BALANCE: _("its account is out of credit"),
        KEY: _("it refuses the key"),
        ANSWERS: _("it does not know most of the orders it took"),
    }
    return known.get(reason, reason)


def pause(gateway: Gateway, *, reason: str, now: datetime) -> bool:
    """Stop sending to it. False when it was paused already, for this or a stronger reason.

    Call it after the answer that tells it is written down: it changes many rows, and so may wait for the sweep.
    """
    return _unless_deadlocked(lambda: _pause(gateway, reason=reason, now=now))


def _unless_deadlocked(change: Callable[[], Done]) -> Done:
    """Make a change to all rows of a gateway once more when PostgreSQL ended it in favour of one to some of them."""
    for _attempt in range(TRIES - 1):
        try:
            return change()
        except OperationalError as error:
            if connection.in_atomic_block or connection.vendor != "postgresql":
                raise
            log.warning("pause_tried_again", why=str(error).partition("\n")[0][:200])
    return change()


def _pause(gateway: Gateway, *, reason: str, now: datetime) -> bool:
    weaker = ["", *(name for name, strength in STRENGTH.items() if strength < STRENGTH[reason])]
    with transaction.atomic():
        rows = Gateway.objects.filter(id=gateway.id, paused_reason__in=weaker)
        if not rows.update(paused_at=now, paused_reason=reason, resume_check_at=now + PROBE_FIRST):
            return False
        if reason != BALANCE:
            hold_questions(gateway, until=now + PROBE_FIRST)
        data = {"gateway": str(gateway.id), "name": gateway.name, "reason": reason, "own": gateway.team_id is not None}
        audit.record("gateway_paused", by=None, team=gateway.team, data=data, now=now)
        for team in _teams(gateway):
            key = f"gateway_paused:{gateway.id}:{now.timestamp():.0f}"
            notices.tell("gateway_paused", team=team, key=key, data=data, now=now)
    log.error("gateway_paused", gateway=gateway.slug, reason=reason)
    return True


def _teams(gateway: Gateway) -> list[Team]:
    """Whoever has ordered there; for a team's own gateway that team."""
    if gateway.team:
        return [gateway.team]
    return list(Team.objects.filter(id__in=Generation.objects.filter(gateway=gateway).values("team_id")))


def hold_questions(gateway: Gateway, *, until: datetime) -> None:
    """Ask after none of its orders before `until`, whoever looks at them."""
    rows = Generation.objects.filter(gateway=gateway, status__in=STOPPABLE | LATE_SUCCESS, next_check_at__lt=until)
    rows.update(next_check_at=until, poll_failures=F("poll_failures") + 1)


def due(*, now: datetime) -> list[UUID]:
    """Paused gateways whose time it is, the one that waits longest first; PROBES_AT_ONCE at most."""
    rows = _due(now).order_by("resume_check_at", "id").values_list("id", flat=True)
    return list(rows[:PROBES_AT_ONCE])


def _due(now: datetime) -> QuerySet[Gateway]:
    return Gateway.objects.filter(paused_at__isnull=False, resume_check_at__lte=now, removed_at=None)


def probe_due(*, only: UUID | None = None, now: datetime | None = None) -> None:
    """Probe every paused gateway whose time it is, or `only` this one. Each is probed by one process only."""
    now = now or timezone.now()
    for gateway in _due(now).filter(id=only) if only else _due(now):
        assert gateway.paused_at is not None
        next_at = now + min(max(now - gateway.paused_at, PROBE_FIRST), PROBE_MOST)
        mine = Gateway.objects.filter(id=gateway.id, resume_check_at=gateway.resume_check_at)
        if not mine.update(resume_check_at=next_at):
            continue
        if _answers_well(gateway):
            resume(gateway, by=None, now=timezone.now())
        elif gateway.paused_reason != BALANCE:
            _unless_deadlocked(functools.partial(hold_questions, gateway, until=next_at))


def resume(gateway: Gateway, *, by: User | None, now: datetime) -> bool:
    """Send again, and ask again. False when it was not paused, or paused anew for another reason meanwhile."""
    return _unless_deadlocked(lambda: _resume(gateway, by=by, now=now))


def _resume(gateway: Gateway, *, by: User | None, now: datetime) -> bool:
    with transaction.atomic():
        rows = Gateway.objects.filter(id=gateway.id, paused_at=gateway.paused_at, paused_at__isnull=False)
        if not rows.update(paused_at=None, paused_reason="", resume_check_at=None):
            return False
        Generation.objects.filter(gateway=gateway, status=Status.QUEUED).update(next_check_at=now)
        if gateway.paused_reason != BALANCE:
            _ask_again(gateway, now=now)
        data = {"gateway": str(gateway.id), "name": gateway.name, "reason": gateway.paused_reason}
        audit.record("gateway_resumed", by=by, team=gateway.team, data=data, now=now)
    log.warning("gateway_resumed", gateway=gateway.slug, by_itself=by is None)
    return True


def _ask_again(gateway: Gateway, *, now: datetime) -> None:
    rows = Generation.objects.filter(gateway=gateway, status__in=STOPPABLE, next_check_at__gt=now)
    ids = list(rows.order_by("next_check_at").values_list("id", flat=True))
    for second in range(min(RESUME_OVER_S, len(ids))):
        due, share = now + timedelta(seconds=second), ids[second::RESUME_OVER_S]
        # Its status once more: what ends at this very moment must not get a due time again.
        Generation.objects.filter(id__in=share, status__in=STOPPABLE).update(next_check_at=due, poll_failures=0)


def _answers_well(gateway: Gateway) -> bool:
    try:
        with gateways.client_for(gateway) as client:
            return _asked(gateway, client)
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        log.warning("gateway_still_paused", gateway=gateway.slug, why=str(error)[:200])
        return False


def _asked(gateway: Gateway, client: GatewayClient) -> bool:
    """One or two questions that cost nothing. An order that the gateway knows again is the proof against `answers`."""
    if gateway.paused_reason == ANSWERS:
        known = Generation.objects.filter(gateway=gateway, status__in=STOPPABLE, upstream_id__isnull=False)
        latest = known.order_by("-submitted_at").values_list("upstream_id", flat=True).first()
        if latest is not None:
            client.retrieve(latest)
            return True
    balance = client.balance() if gateway.dialect == Dialect.LUMENFALL else None
    if balance is None:
        client.models()
        return True
    if gateway.paused_reason != BALANCE or balance.available_micros is None:
        return True
    return balance.available_micros >= max(1, _least_waiting(gateway))


def _least_waiting(gateway: Gateway) -> int:
    """The price of the cheapest order that waits: with less than that the next one would be refused like the last."""
    waiting = Generation.objects.filter(gateway=gateway, status=Status.QUEUED)
    return int(waiting.aggregate(least=Min("estimate_micros"))["least"] or 0)


def knows_us(gateway: Gateway, *, now: datetime) -> bool | None:
    """Whether it takes our key at all: False for a refusal, None when it cannot be asked.

    Whoever asks is in the middle of writing down answers: it takes KNOWS_US_S at most, and an answer is kept for a
    while, whatever it was.
    """
    at, known = _known_us.get(gateway.id, (None, None))
    kept = NOT_ASKED_KEPT if known is None else KNOWS_US_KEPT
    if at is None or not timedelta(0) <= now - at < kept:
        known = _ask_whether_it_knows_us(gateway)
        _known_us[gateway.id] = (now, known)
    return known


def _ask_whether_it_knows_us(gateway: Gateway) -> bool | None:
    timing = Timing(connect=KNOWS_US_S, read=KNOWS_US_S, write=KNOWS_US_S, total=KNOWS_US_S)
    try:
        with gateways.client_for(gateway, limits=Limits(balance=timing, models=timing)) as client:
            client.balance() if gateway.dialect == Dialect.LUMENFALL else client.models()
    except AccountRefused as error:
        return error.reason == "balance"
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        log.warning("gateway_not_asked", gateway=gateway.slug, why=str(error)[:200])
        return None
    return True
