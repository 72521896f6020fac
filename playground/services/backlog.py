"""Orders that wait to be sent: how many go at once, and whose turn it is.

The table is the queue. An order is put on django-q2's queue as it is made only while few wait; a longer line stays in
the table, where it costs neither memory nor tasks, and the sweep hands it out team by team as the gateway takes orders.
After a 429 nothing is sent to the gateway for as long as it said, then one order at a time until it was quiet for a
while.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.core.cache import cache
from django.db.models import Case, F, Value, When, Window
from django.db.models.functions import RowNumber

from playground import queue
from playground.domain.status import Status
from playground.models import Gateway, Generation
from playground.services import asking

FREELY = 100
"""Orders handed out in one turn to a gateway that did not complain."""
FEW = 20
"""So many may wait for one gateway before new ones queue up behind them in the table."""
LINE = 30
"""Tasks on the queue from which the sweep adds no orders to it."""
COOLING = timedelta(seconds=60)
HELD_MOST_S = 300.0
WAIT_S = (1, 2, 5, 15, 60, 120)
"""Between two tries of which surely nothing was taken, and between two orders that a busy gateway refused."""
_CURSOR_KEPT_S = 3600
_REFUSALS_KEPT_S = 600


def _key(gateway_id: UUID) -> str:
    return f"sends:{gateway_id}"


def _refusals(gateway_id: UUID) -> str:
    return f"refusals:{gateway_id}"


def throttled(gateway_id: UUID, *, asked_s: float | None, now: datetime) -> float:
    """The gateway took an order for one too many: nothing is sent to it for the seconds that are given back.

    Those it asked for, or longer the more often it said so since it last took one: whose order it was does not matter.
    Several that ran into the same refusal count once.
    """
    held_until: datetime | None = cache.get(_key(gateway_id))
    if held_until is not None and now < held_until <= now + timedelta(seconds=HELD_MOST_S):
        number = max(1, cache.get(_refusals(gateway_id), 1))
    else:
        number = cache.get(_refusals(gateway_id), 0) + 1
        cache.set(_refusals(gateway_id), number, _REFUSALS_KEPT_S)
    wait_s = max(WAIT_S[min(number, len(WAIT_S)) - 1], min(asked_s or 0.0, HELD_MOST_S))
    until = now + timedelta(seconds=wait_s)
    if held_until is None or held_until < until or held_until > now + timedelta(seconds=HELD_MOST_S):
        cache.set(_key(gateway_id), until, (until + COOLING - now).total_seconds())
    return float(wait_s)


def taken(gateway_id: UUID) -> None:
    """The gateway took an order: its next refusal is the first again."""
    if cache.get(_refusals(gateway_id)):
        cache.delete(_refusals(gateway_id))


def wait_longer(gateway_id: UUID, *, at_least: timedelta) -> None:
    """Who waits for a busy gateway waits `at_least` so long after its press: nothing was taken, so nothing is lost."""
    ends_at = F("created_at") + at_least
    Generation.objects.filter(status=Status.QUEUED, gateway_id=gateway_id, deadline_at__lt=ends_at).update(
        deadline_at=ends_at
    )


def allowed(gateway_id: UUID, *, now: datetime) -> int:
    """How many orders may be handed out for this gateway in one turn: 0, 1 or FREELY."""
    held_until: datetime | None = cache.get(_key(gateway_id))
    if held_until is None or not held_until - timedelta(seconds=HELD_MOST_S) <= now < held_until + COOLING:
        return FREELY  # one further ahead than any is of a clock that was wrong
    return int(now >= held_until)


def room_at(gateway_id: UUID, *, now: datetime) -> int:
    """How many orders may be handed out now: as `allowed`, but where one goes at a time, none while one is under way.

    Several under way would run into the same 429, and each time one is refused again its pause, which is that of all,
    gets longer.
    """
    count = allowed(gateway_id, now=now)
    if count != 1:
        return count
    claimed = Generation.objects.filter(gateway_id=gateway_id, status=Status.SUBMITTING, claim_id__isnull=False)
    return 0 if claimed.filter(next_check_at__gt=now).exists() else 1


def is_held(gateway_id: UUID, *, now: datetime) -> bool:
    """Whether orders stand in line for this gateway, since it complained."""
    return allowed(gateway_id, now=now) < FREELY


def may_go_at_once(gateway_id: UUID, *, now: datetime) -> bool:
    """Whether a new order is sent without waiting for its turn in the sweep."""
    if is_held(gateway_id, now=now):
        return False
    waiting = Generation.objects.filter(status=Status.QUEUED, gateway_id=gateway_id).order_by()
    return len(waiting.values_list("id")[:FEW]) < FEW


def room_on_queue() -> int:
    return max(0, LINE - queue.length())


def next_to_send(gateway: Gateway, count: int, *, now: datetime) -> list[Generation]:
    """At most `count` orders: first those whose sender went silent, then waiting ones, one of each team in turn.

    Whose turn it is goes on from call to call, so a team with one order waits for at most one of each other team.
    """
    if count <= 0:
        return []
    here = Generation.objects.filter(gateway=gateway, next_check_at__lte=now).only(*asking.FIELDS, "team_id")
    found = list(here.filter(status=Status.SUBMITTING).order_by("next_check_at")[:count])
    if len(found) < count:
        found += _in_turn(gateway, count - len(found), now=now)
    for generation in found:
        generation.gateway = gateway
    return found


def _in_turn(gateway: Gateway, count: int, *, now: datetime) -> list[Generation]:
    key = f"turn:{gateway.id}"
    last: UUID | None = cache.get(key)
    waiting = Generation.objects.filter(gateway=gateway, status=Status.QUEUED, next_check_at__lte=now)
    numbered = waiting.annotate(turn=Window(RowNumber(), partition_by=F("team_id"), order_by=F("id").asc()))
    after = Case(When(team_id__gt=last, then=Value(0)), default=Value(1)) if last else Value(0)
    chosen = numbered.filter(turn__lte=count).order_by("turn", after, "team_id").values_list("id", "team_id")[:count]
    teams = dict(chosen)
    if not teams:
        return []
    if len(set(teams.values()) | {last}) > 1:
        cache.set(key, list(teams.values())[-1], _CURSOR_KEPT_S)
    rows = Generation.objects.filter(id__in=teams).only(*asking.FIELDS, "team_id").in_bulk()
    return [rows[generation_id] for generation_id in teams]
