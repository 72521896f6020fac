"""Telling people, once each, that 50, 80 and 100 % of a month's limit are used, with where the month is heading.

Used is what is spent and what is set aside. The admins hear of the team's limit, a member of their own. 100 % is also
told when not one more of the videos that somebody wants fits: then the limit is reached, though some cents are left.
"""

from datetime import datetime

from django.db.models import Q

from playground.domain import months
from playground.models import Budget, Membership, Team
from playground.services import budgets, notices

LEVELS = (50, 80, 100)


def grown(*, budget: Budget, by_micros: int, at: datetime) -> None:
    """Say it when a counter that has just grown passed a level. Reads it anew: its row is ours until the commit."""
    if by_micros <= 0:
        return
    budget = Budget.objects.select_related("team", "user").get(id=budget.id)
    if not budget.cap_micros:
        return
    used = budget.held_micros + budget.spent_micros
    level = level_of(used, budget.cap_micros)
    if level > level_of(used - by_micros, budget.cap_micros):
        _tell(budget, level, at=at)


def looked_at(*, budget: Budget, at: datetime) -> None:
    """Say how much of a limit is used by now, after the limit itself has changed."""
    level = level_of(budget.held_micros + budget.spent_micros, budget.cap_micros) if budget.cap_micros else 0
    if level:
        _tell(budget, level, at=at)


def no_room(*, by: Membership, video_micros: int, at: datetime) -> None:
    """Say that a limit is reached when not even one video for which `video_micros` are set aside fits any more."""
    left = budgets.left_of(by, at=at)
    if left.micros is None or video_micros <= left.micros:
        return
    whose = Q(user=by.user_id) if left.is_own else Q(user=None)
    budget = Budget.objects.select_related("team", "user").filter(whose, team_id=by.team_id, month=left.month).first()
    if budget:
        _tell(budget, 100, at=at)


def level_of(used_micros: int, cap_micros: int) -> int:
    """The highest level that is reached, else 0."""
    return max((level for level in LEVELS if used_micros * 100 >= level * cap_micros), default=0)


def _tell(budget: Budget, level: int, *, at: datetime) -> None:
    team: Team = budget.team
    used = budget.held_micros + budget.spent_micros
    data = {
        "percent": level,
        "used_micros": used,
        "cap_micros": budget.cap_micros,
        "forecast_micros": months.forecast_micros(used, month=budget.month, zone=team.time_zone, at=at),
        "month": budget.month.isoformat(),
        "time_zone": team.time_zone,
        "is_own": budget.user_id is not None,
    }
    # The cap is part of the key: after a change the levels are those of another limit.
    key = f"budget:{budget.month:%Y-%m}:{budget.user_id or 'team'}:{level}:{budget.cap_micros}"
    notices.tell("budget_level", team=team, key=key, data=data, user=budget.user, now=at)
