"""How many orders may stand in line: so many of one member and so many of a team that no gateway has taken yet.

A gateway that is busy, paused or away takes nothing, and each press would make the line longer: for everybody who waits
in it, and for whoever pays when it moves on. The limits are `WAITING_PER_MEMBER` and `WAITING_PER_TEAM`.
"""

from dataclasses import dataclass

from django.conf import settings

from playground.domain.status import UNTAKEN
from playground.models import Generation, Membership, Role, Team
from playground.services import budgets
from playground.services.run_errors import NotAllowed


@dataclass(frozen=True, slots=True)
class Line:
    """Videos that wait to be taken, and how many may: of a member (`is_own`), or of the team."""

    waiting: int
    limit: int
    is_own: bool


class LineFull(Exception):
    """So many wait that those of this press have no room. Nothing was sent, nothing set aside."""

    def __init__(self, line: Line) -> None:
        super().__init__(f"{line.waiting} of {line.limit} wait")
        self.line = line


def check(*, by: Membership, count: int) -> None:
    """Raises LineFull when `count` more have no room. What another press orders meanwhile is not seen: see `join`."""
    untaken = Generation.objects.filter(status__in=UNTAKEN, next_check_at__isnull=False, team_id=by.team_id).order_by()
    mine = untaken.filter(run__created_by_id=by.user_id)
    for rows, limit, is_own in ((mine, settings.WAITING_PER_MEMBER, True), (untaken, settings.WAITING_PER_TEAM, False)):
        waiting = rows.count()
        if waiting + count > limit:
            raise LineFull(Line(waiting, limit, is_own))


def join(*, by: Membership, count: int) -> Team:
    """As `check`, exactly: holds the team's row, and gives it, to the end of the transaction that makes the orders.

    Removing and demoting take that row too: an order is before them, or raises NotAllowed.
    """
    team = budgets.lock(by.team_id)
    may = (Role.CREATOR, Role.ADMIN)
    if not Membership.objects.filter(id=by.id, role__in=may, user__is_active=True).exists():
        raise NotAllowed
    check(by=by, count=count)
    return team
