"""Setting what a month may cost, and stopping all spending: what the page of limits does. Every change is on record."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from playground.models import Budget, Membership, Team, User
from playground.services import audit, budget_levels, budgets


class NotAdmin(Exception):
    """Only the team's admins set its limits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a team. None: no limit, and for `confirm_above_micros` never to ask again."""

    monthly_cap_micros: int | None
    member_cap_micros: int | None
    confirm_above_micros: int | None
    time_zone: str


TEAM_FIELDS = Limits.__slots__


def change(
    *, by: Membership, limits: Limits, own: Mapping[UUID, int | None] | None = None, now: datetime | None = None
) -> None:
    """Set the team's limits and, by membership, the members' own; from now on they count as accepted by an admin.

    Takes effect on the month that is under way, also when it lowers a limit below what is used: then nothing more is
    ordered. Counters of earlier months stay as they were.
    """
    now = now or timezone.now()
    with transaction.atomic():
        team = _locked(by)
        before = budgets.month_of(team, now)
        changed = _put(team, {name: getattr(limits, name) for name in TEAM_FIELDS})
        members = _change_members(team, own or {})
        accepted = team.limits_accepted_at is None
        if accepted:
            team.limits_accepted_at, team.limits_accepted_by = now, by.user
        team.save()
        if accepted or changed or members:
            kind = "limits_accepted" if accepted else "limits_changed"
            audit.record(kind, by=by.user, team=team, data=changed | ({"members": members} if members else {}), now=now)
        _to_counters(team, min(before, budgets.month_of(team, now)), now=now)
    by.team = team


def accept_suggested(*, by: Membership, now: datetime | None = None) -> None:
    """Accept the limits as they are suggested; what an admin set before stays. Does nothing once they are accepted."""
    if by.team.limits_accepted_at is None:
        change(by=by, limits=suggested(by.team), now=now)


def suggested(team: Team) -> Limits:
    """The team's limits, with suggestions in place of those that no admin has decided on yet."""
    cap, confirm = team.monthly_cap_micros, team.confirm_above_micros
    if team.limits_accepted_at is None:
        cap = budgets.SUGGESTED_CAP_MICROS if cap is None else cap
        confirm = budgets.SUGGESTED_CONFIRM_MICROS if confirm is None else confirm
    return Limits(cap, team.member_cap_micros, confirm, team.time_zone)


def pause(*, by: Membership, paused: bool, now: datetime | None = None) -> None:
    """Refuse every order that costs, or take orders again. What was ordered before goes on."""
    now = now or timezone.now()
    with transaction.atomic():
        team = _locked(by)
        if (team.spending_paused_at is not None) == paused:
            return
        team.spending_paused_at, team.spending_paused_by = (now, by.user) if paused else (None, None)
        team.save(update_fields=["spending_paused_at", "spending_paused_by"])
        audit.record("spending_paused" if paused else "spending_resumed", by=by.user, team=team, now=now)
    by.team = team


def raise_to(
    *, by: Membership, user: User, team_cap_micros: int | None, own_cap_micros: int | None, now: datetime
) -> None:
    """Raise the team's limit, and that of `user`, to at least these amounts; None leaves one as it is."""
    team = by.team
    current = suggested(team)
    cap = _raised(current.monthly_cap_micros, team_cap_micros)
    limits = Limits(cap, current.member_cap_micros, current.confirm_above_micros, current.time_zone)
    member = Membership.objects.filter(team=team, user=user).first()
    own: dict[UUID, int | None] = {}
    if member is not None and own_cap_micros is not None:
        own[member.id] = _raised(budgets.member_cap(team, member), own_cap_micros)
    change(by=by, limits=limits, own=own, now=now)


def _raised(cap: int | None, at_least: int | None) -> int | None:
    return cap if cap is None or at_least is None else max(cap, at_least)


def _locked(by: Membership) -> Team:
    """The team as it is now, nobody else's to change until the end of the transaction."""
    if not by.is_admin:
        raise NotAdmin
    return budgets.lock(by.team_id)


def _put(row: Team | Membership, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set the fields; gives those that differ, with what they were and are."""
    changed = {}
    for name, value in values.items():
        was = getattr(row, name)
        if was != value:
            setattr(row, name, value)
            changed[name] = {"was": was, "is": value}
    return changed


def _change_members(team: Team, own: Mapping[UUID, int | None]) -> dict[str, Any]:
    changed = {}
    for member in Membership.objects.filter(team=team, id__in=own):
        if difference := _put(member, {"monthly_cap_micros": own[member.id]}):
            member.save(update_fields=["monthly_cap_micros"])
            changed[str(member.user_id)] = difference["monthly_cap_micros"]
    return changed


def _to_counters(team: Team, since: date, *, now: datetime) -> None:
    """Give the caps to the counters of the month under way. Around a change of the time zone that may be two months."""
    members = {member.user_id: member for member in Membership.objects.filter(team=team)}
    month = budgets.month_of(team, now)
    for budget in Budget.objects.filter(team=team, month__gte=since).select_related("team", "user"):
        cap = team.monthly_cap_micros
        if budget.user_id is not None:
            cap = budgets.member_cap(team, members.get(budget.user_id))
        if cap == budget.cap_micros:
            continue
        Budget.objects.filter(id=budget.id).update(cap_micros=cap)
        budget.refresh_from_db()
        if budget.month == month:
            budget_levels.looked_at(budget=budget, at=now)
