"""Asking an admin for more: a run that did not fit into the month, kept as it would have been ordered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from playground.domain import money
from playground.models import Budget, BudgetRequest, Membership, Team, Visibility
from playground.services import audit, budgets, limits, notices, teams
from playground.services.estimates import Quote, Wanted

STEP_MICROS = money.MICROS_PER_DOLLAR
"""Limits are offered in whole dollars."""
MOST_OPEN = 10
"""Of one person at a time: who asks for more would only hide the others' from the admins."""
PICTURES_KEPT = timedelta(days=30)
"""How long after an admin made room the pictures of the run are kept for it."""


@dataclass(frozen=True, slots=True)
class Raise:
    """To what the limits have to be raised for a request to fit; None where a limit is not in the way."""

    team_cap_micros: int | None = None
    own_cap_micros: int | None = None

    @property
    def is_needed(self) -> bool:
        return self.team_cap_micros is not None or self.own_cap_micros is not None


class AskedTooOften(Exception):
    """MOST_OPEN runs of this person wait for an answer already."""


class AskerGone(Exception):
    """Who asked is not in the team any more."""


class StillShort(Exception):
    """More has to be raised than the button said, since money went meanwhile."""

    def __init__(self, to: Raise) -> None:
        super().__init__("still short")
        self.to = to


def ask(
    *,
    by: Membership,
    wanted: Wanted,
    prompt: str,
    quote: Quote,
    parent_id: UUID | None = None,
    visibility: str = Visibility.TEAM,
    answers_id: UUID | None = None,
    now: datetime | None = None,
) -> BudgetRequest:
    """Hand the run to the admins, who see its prompt and pictures from then on, private or not. `answers_id`: the
    request for a video that the run is to answer.

    The same one asked for again is the first request while that is open. Raises AskedTooOften.
    """
    now = now or timezone.now()
    settings = wanted.settings() | {"references": [str(picture.id) for picture in wanted.references]}
    more = {"parent": parent_id, "answers": answers_id}
    settings |= {name: str(id) for name, id in more.items() if id}
    if visibility != Visibility.TEAM:
        settings["visibility"] = visibility
    fields = {"team_id": by.team_id, "by_id": by.user_id}
    same = {"model_id": wanted.model.id, "prompt": prompt, "settings": settings}
    with transaction.atomic():
        budgets.lock(by.team_id)
        open_ones = list(BudgetRequest.objects.filter(**fields, granted=None))
        for one in open_ones:
            if all(getattr(one, name) == value for name, value in same.items()):
                return one
        if len(open_ones) >= MOST_OPEN:
            raise AskedTooOften
        month = budgets.month_of(by.team, now)
        made = BudgetRequest.objects.create(
            **fields, **same, total_micros=quote.total_micros or 0, month=month, created_at=now
        )
        made.references.set(wanted.references)
        data = {"request": str(made.id), "total_micros": made.total_micros, "name": by.user.display_name}
        notices.tell("budget_asked", team=by.team, key=f"asked:{made.id}", data=data, now=now)
    return made


def raises(requests: Iterable[BudgetRequest], *, team: Team, at: datetime) -> dict[UUID, Raise]:
    """What an admin of `team` has to raise, by request, so that each alone fits into the month of `at`, by what is used
    just now. Two queries however many there are.
    """
    requests = list(requests)
    if not requests:
        return {}
    people = {request.by_id for request in requests}
    members = {member.user_id: member for member in Membership.objects.filter(team=team, user_id__in=people)}
    counters = Budget.objects.filter(Q(user=None) | Q(user_id__in=people), team=team, month=budgets.month_of(team, at))
    used = {row.user_id: row for row in counters}
    return {
        request.id: Raise(
            _cap_for(request, used.get(None), team.monthly_cap_micros),
            _cap_for(request, used.get(request.by_id), budgets.member_cap(team, members.get(request.by_id))),
        )
        for request in requests
    }


def _cap_for(request: BudgetRequest, used: Budget | None, standing: int | None) -> int | None:
    """To what this limit has to be raised, in whole dollars; None where it is not in the way."""
    count = max(1, int(request.settings.get("count", 1)))
    needed = count * money.set_aside_micros(-(-request.total_micros // count))
    cap = used.cap_micros if used else standing
    after = needed + (used.held_micros + used.spent_micros if used else 0)
    return None if cap is None or after <= cap else -(-after // STEP_MICROS) * STEP_MICROS


def grant(*, by: Membership, request: BudgetRequest, to: Raise, now: datetime | None = None) -> bool:
    """Raise the limits as the button said and tell the person. False when somebody has answered already.

    Raises AskerGone, and StillShort when the run would not fit all the same; then nothing is changed and nobody told.
    """
    now = now or timezone.now()
    with transaction.atomic():
        if not _answered(by, request, granted=True, now=now):
            return False
        if not Membership.objects.filter(team_id=by.team_id, user_id=request.by_id).exists():
            raise AskerGone
        if to.is_needed:
            caps = {"team_cap_micros": to.team_cap_micros, "own_cap_micros": to.own_cap_micros}
            limits.raise_to(by=by, user=request.by, **caps, now=now)
        short = raises([request], team=budgets.lock(by.team_id), at=now)[request.id]
        if short.is_needed:
            raise StillShort(short)
        return True


def decline(*, by: Membership, request: BudgetRequest, now: datetime | None = None) -> bool:
    """Leave the limits as they are and tell the person. False when somebody has answered already."""
    with transaction.atomic():
        return _answered(by, request, granted=False, now=now or timezone.now())


def by_id(ids: Iterable[str]) -> dict[str, BudgetRequest]:
    """Requests by the text of their id, with what a page says of them."""
    found = BudgetRequest.objects.select_related("by", "model", "team", "answered_by").filter(id__in=list(ids))
    return {str(request.id): request for request in found}


def needed_references(*, now: datetime) -> set[str]:
    """Ids of the pictures of runs that wait for an answer, or that an admin made room for in the last PICTURES_KEPT."""
    needed = BudgetRequest.objects.filter(Q(granted=None) | Q(granted=True, answered_at__gte=now - PICTURES_KEPT))
    return {id for settings in needed.values_list("settings", flat=True) for id in settings.get("references", [])}


def _answered(by: Membership, request: BudgetRequest, *, granted: bool, now: datetime) -> bool:
    teams.locked(by)
    open_one = BudgetRequest.objects.filter(id=request.id, team_id=by.team_id, granted=None)
    if not open_one.update(granted=granted, answered_at=now, answered_by=by.user):
        return False
    word = "granted" if granted else "declined"
    data = {"request": str(request.id), "total_micros": request.total_micros}
    audit.record(f"budget_request_{word}", by=by.user, team=by.team, data=data, now=now)
    told = data | {"granted": granted, "name": by.user.display_name}
    notices.tell("budget_answered", team=by.team, key=f"answered:{request.id}", data=told, user=request.by, now=now)
    return True
