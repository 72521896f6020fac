"""Asking an admin for more: a run that did not fit into the month, kept as it would have been ordered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from playground.domain import money
from playground.models import Budget, BudgetRequest, Membership
from playground.services import audit, budgets, limits, notices
from playground.services.estimates import Quote, Wanted

STEP_MICROS = money.MICROS_PER_DOLLAR
"""Limits are offered in whole dollars."""


@dataclass(frozen=True, slots=True)
class Raise:
    """To what the limits have to be raised for a request to fit; None where a limit is not in the way."""

    team_cap_micros: int | None = None
    own_cap_micros: int | None = None

    @property
    def is_needed(self) -> bool:
        return self.team_cap_micros is not None or self.own_cap_micros is not None


def ask(
    *,
    by: Membership,
    wanted: Wanted,
    prompt: str,
    quote: Quote,
    parent_id: UUID | None = None,
    now: datetime | None = None,
) -> BudgetRequest:
    """Hand the run to the admins. The same one asked for again is the first request while that is open."""
    now = now or timezone.now()
    settings = wanted.settings() | {"references": [str(picture.id) for picture in wanted.references]}
    if parent_id:
        settings["parent"] = str(parent_id)
    fields = {"team_id": by.team_id, "by_id": by.user_id, "model": wanted.model, "prompt": prompt}
    with transaction.atomic():
        budgets.lock(by.team_id)
        for open_one in BudgetRequest.objects.filter(**fields, granted=None):
            if open_one.settings == settings:
                return open_one
        month = budgets.month_of(by.team, now)
        made = BudgetRequest.objects.create(
            **fields, settings=settings, total_micros=quote.total_micros or 0, month=month, created_at=now
        )
        data = {"request": str(made.id), "total_micros": made.total_micros, "name": by.user.display_name}
        notices.tell("budget_asked", team=by.team, key=f"asked:{made.id}", data=data, now=now)
    return made


def raise_for(request: BudgetRequest, *, at: datetime) -> Raise:
    """What an admin has to raise so that this run fits into the month of `at`, by what is used just now."""
    month = budgets.month_of(request.team, at)
    member = Membership.objects.filter(team_id=request.team_id, user_id=request.by_id).first()
    count = max(1, int(request.settings.get("count", 1)))
    needed = count * money.set_aside_micros(-(-request.total_micros // count))
    used = {row.user_id: row for row in Budget.objects.filter(team_id=request.team_id, month=month)}

    def cap_for(user_id: UUID | None, standing: int | None) -> int | None:
        row = used.get(user_id)
        cap = row.cap_micros if row else standing
        after = needed + (row.held_micros + row.spent_micros if row else 0)
        return None if cap is None or after <= cap else -(-after // STEP_MICROS) * STEP_MICROS

    own = cap_for(request.by_id, budgets.member_cap(request.team, member))
    return Raise(cap_for(None, request.team.monthly_cap_micros), own)


def grant(*, by: Membership, request: BudgetRequest, to: Raise, now: datetime | None = None) -> bool:
    """Raise the limits as the button said and tell the person. False when somebody has answered already."""
    now = now or timezone.now()
    with transaction.atomic():
        if not _answered(by, request, granted=True, now=now):
            return False
        if to.is_needed:
            limits.raise_to(
                by=by,
                user=request.by,
                team_cap_micros=to.team_cap_micros,
                own_cap_micros=to.own_cap_micros,
                now=now,
            )
        return True


def decline(*, by: Membership, request: BudgetRequest, now: datetime | None = None) -> bool:
    """Leave the limits as they are and tell the person. False when somebody has answered already."""
    with transaction.atomic():
        return _answered(by, request, granted=False, now=now or timezone.now())


def by_id(ids: Iterable[str]) -> dict[str, BudgetRequest]:
    """Requests by the text of their id, with what a page says of them."""
    found = BudgetRequest.objects.select_related("by", "model", "team", "answered_by").filter(id__in=list(ids))
    return {str(request.id): request for request in found}


def waiting_references() -> set[str]:
    """Ids of the pictures of runs that admins were asked for and have not answered."""
    settings = BudgetRequest.objects.filter(granted=None).values_list("settings", flat=True)
    return {id for values in settings for id in values.get("references", [])}


def _answered(by: Membership, request: BudgetRequest, *, granted: bool, now: datetime) -> bool:
    if not by.is_admin:
        raise limits.NotAdmin
    open_one = BudgetRequest.objects.filter(id=request.id, team_id=by.team_id, granted=None)
    if not open_one.update(granted=granted, answered_at=now, answered_by=by.user):
        return False
    word = "granted" if granted else "declined"
    data = {"request": str(request.id), "total_micros": request.total_micros}
    audit.record(f"budget_request_{word}", by=by.user, team=by.team, data=data, now=now)
    told = data | {"granted": granted, "name": by.user.display_name}
    notices.tell("budget_answered", team=by.team, key=f"answered:{request.id}", data=told, user=request.by, now=now)
    return True
