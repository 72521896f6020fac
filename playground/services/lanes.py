"""How many orders are on their way at once from one machine, by whose gateway they go to.

A gateway that hangs holds its order's process for a minute or two. Those that teams connected share few lanes, of which
one team never has all, so the gateways of one team hold up no other's orders. What else a task asks of them, to
stop an order, to look for one or to compare a month, goes by the same lanes. A gateway is slow until an order was
answered in time, and again when one took long: anybody may connect new ones. Slow ones, of however many teams, leave a
lane to the others, and have one for each team.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from django.core.cache import cache

from playground.models import Gateway
from playground.services import slots

AT_ONCE = 3
"""To one gateway of the whole installation: when it refuses the account, so many more at most are on their way."""
TEAM_AT_ONCE = 1
"""To one gateway that a team connected."""
OF_TEAM = 2
"""To all gateways of one team, so that one which hangs does not hold up the one that took its place."""
TEAMS_AT_ONCE = 3
"""To the gateways of all teams: however many hang, there is room for the work of others."""
SLOW_OF_TEAM = 1
SLOW_AT_ONCE = 2
SLOW_S = 20.0
"""An order that took so long makes its gateway slow."""
PROMPT_FOR_S = 24 * 3600
"""For so long an order that was answered in time is remembered."""

Lane = tuple[str, int]
_OF_TEAMS: Lane = ("send-teams", TEAMS_AT_ONCE)


@contextmanager
def lane(gateway: Gateway) -> Iterator[bool]:
    """For an order on its way to this gateway; False when none is free."""
    with _all_of(_lanes(gateway)) as is_free:
        yield is_free


@contextmanager
def question(gateway: Gateway) -> Iterator[bool]:
    """For whatever else a task asks of this gateway; False when no lane is free. A shared gateway needs none."""
    own = [] if gateway.team_id is None else [_of_team(gateway), _OF_TEAMS]
    with _all_of(own) as is_free:
        yield is_free


@contextmanager
def _all_of(wanted: Iterable[Lane]) -> Iterator[bool]:
    with ExitStack() as stack:
        is_free = all(stack.enter_context(slots.taken(kind, count)) for kind, count in wanted)
        if not is_free:
            stack.close()  # what it got of them is of no use to it
        yield is_free


def _lanes(gateway: Gateway) -> Iterator[Lane]:
    """All that such an order has to have. Those that only its own team waits for come first."""
    if gateway.team_id is None:
        yield f"send-{gateway.id}", AT_ONCE
        return
    yield f"send-{gateway.id}", TEAM_AT_ONCE
    yield _of_team(gateway)
    if is_slow(gateway):
        yield f"send-slow-{gateway.team_id}", SLOW_OF_TEAM
        yield "send-slow", SLOW_AT_ONCE
    yield _OF_TEAMS


def _of_team(gateway: Gateway) -> Lane:
    return f"send-team-{gateway.team_id}", OF_TEAM


class Call:
    """Around the call that sends an order: how long it took, whatever came of it. None for one that never began."""

    took_s: float | None = None

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_raised: object) -> None:
        self.took_s = time.monotonic() - self._began


def note(gateway: Gateway, call: Call) -> None:
    """To be called when what came of it is written down: nothing may come between the answer and that."""
    if gateway.team_id is None or call.took_s is None:
        return
    if call.took_s >= SLOW_S:
        cache.delete(_key(gateway.id))
    elif is_slow(gateway):
        cache.set(_key(gateway.id), True, PROMPT_FOR_S)


def is_slow(gateway: Gateway) -> bool:
    return gateway.team_id is not None and cache.get(_key(gateway.id)) is None


def _key(gateway_id: UUID) -> str:
    return f"prompt:{gateway_id}"
