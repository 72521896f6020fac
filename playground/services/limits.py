"""Setting what a month may cost, and stopping all spending: what the page of limits does. Every change is on record."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from playground.domain.money import MICROS_PER_CENT
from playground.domain.status import Status
from playground.models import Budget, Generation, Membership, Team, User
from playground.services import audit, budget_levels, budgets, teams


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of a team. None: no limit, and for `confirm_above_micros` never to ask again."""

    monthly_cap_micros: int | None
    member_cap_micros: int | None
    confirm_above_micros: int | None
    time_zone: str


Own = Mapping[UUID, int | None]
"""Limits of members in micros, by the id of the membership."""
Key = TypeVar("Key")
UNSEEN = object()


class ChangedMeanwhile(Exception):
    """Somebody else has set what is to be set, since it was shown. Nothing was set."""

    def __init__(self, fields: Collection[str], members: Collection[UUID]) -> None:
        super().__init__("changed meanwhile")
        self.fields = fields
        """Names of `Limits`."""
        self.members = members
        """Ids of memberships."""


def change(
    *,
    by: Membership,
    limits: Limits,
    own: Own | None = None,
    shown: Limits | None = None,
    own_shown: Own | None = None,
    now: datetime | None = None,
) -> None:
    """Set the team's limits and, by membership, the members' own; from now on they count as accepted by an admin.

    With `shown` and `own_shown`, what the admin saw before, only what differs from it is set: what somebody else has
    set since stays. Raises ChangedMeanwhile when both mean the same limit; then nothing is set.

    Takes effect on the month that is under way, also when it lowers a limit below what is used: then nothing more is
    ordered. Counters of earlier months stay as they were.
    """
    with transaction.atomic():
        team = teams.locked(by)
        current, own = suggested(team), own or {}
        standing = dict(Membership.objects.filter(team=team, id__in=own).values_list("id", "monthly_cap_micros"))
        fields, taken = _meant(asdict(current), asdict(limits), asdict(shown) if shown else {})
        members, own_taken = _meant(standing, own, own_shown or {})
        if taken or own_taken:
            raise ChangedMeanwhile(taken, own_taken)
        _set(by, team, replace(current, **fields), members, now=now or timezone.now())
    by.team = team


def accept_suggested(*, by: Membership, now: datetime | None = None) -> None:
    """Accept the limits as they are suggested; what an admin set before stays. Does nothing once they are accepted."""
    with transaction.atomic():
        team = teams.locked(by)
        if team.limits_accepted_at is None:
            _set(by, team, suggested(team), {}, now=now or timezone.now())
    by.team = team


def suggested(team: Team) -> Limits:
    """The team's limits, with suggestions in place of those that no admin has decided on yet."""
    cap, confirm = team.monthly_cap_micros, team.confirm_above_micros
    if team.limits_accepted_at is None:
        cap = budgets.SUGGESTED_CAP_MICROS if cap is None else cap
        confirm = budgets.SUGGESTED_CONFIRM_MICROS if confirm is None else confirm
    return Limits(cap, team.member_cap_micros, confirm, team.time_zone)


def pause(*, by: Membership, paused: bool, now: datetime | None = None) -> None:
    """Refuse every order that costs and send none that waits, or go on with both. What was sent before goes on."""
    now = now or timezone.now()
    with transaction.atomic():
        team = teams.locked(by)
        if (team.spending_paused_at is not None) == paused:
            return
        team.spending_paused_at, team.spending_paused_by = (now, by.user) if paused else (None, None)
        team.save(update_fields=["spending_paused_at", "spending_paused_by"])
        audit.record("spending_paused" if paused else "spending_resumed", by=by.user, team=team, now=now)
    # Afterwards: who claims an order holds its row first and the team's later. Their cards look different now.
    waiting = Generation.objects.filter(team=team, status=Status.QUEUED, gateway__is_sandbox=False)
    due = {} if paused else {"next_check_at": now}
    waiting.update(version=F("version") + 1, **due)
    by.team = team


def raise_to(
    *, by: Membership, user: User, team_cap_micros: int | None, own_cap_micros: int | None, now: datetime
) -> None:
    """Raise the team's limit, and that of `user`, to at least these amounts; None leaves one as it is."""
    with transaction.atomic():
        team = teams.locked(by)
        current = suggested(team)
        limits = replace(current, monthly_cap_micros=_raised(current.monthly_cap_micros, team_cap_micros))
        member = Membership.objects.filter(team=team, user=user).first()
        own: dict[UUID, int | None] = {}
        if member is not None:
            standing = budgets.member_cap(team, member)
            raised = _raised(standing, own_cap_micros)
            own = {} if raised == standing else {member.id: raised}
        _set(by, team, limits, own, now=now)
    by.team = team


def _raised(cap: int | None, at_least: int | None) -> int | None:
    return cap if cap is None or at_least is None else max(cap, at_least)


def _meant(
    current: Mapping[Key, Any], to: Mapping[Key, Any], shown: Mapping[Key, Any]
) -> tuple[dict[Key, Any], list[Key]]:
    """What is to be set: all of `to` that is not as it was shown. And which of that somebody else has set since."""
    wanted = {name: value for name, value in to.items() if name in current and value != shown.get(name, UNSEEN)}
    taken = [
        name
        for name, value in wanted.items()
        if name in shown and current[name] != value and _cents(current[name]) != _cents(shown[name])
    ]
    return wanted, taken


def _cents(value: Any) -> Any:
    """As a page shows it: a limit to the cent."""
    return value // MICROS_PER_CENT if isinstance(value, int) else value


def _set(by: Membership, team: Team, limits: Limits, own: Own, *, now: datetime) -> None:
    """Set all this on the locked row of the team, with the record of it, and give it to the counters."""
    before = budgets.month_of(team, now)
    changed = _put(team, asdict(limits))
    members = _change_members(team, own)
    accepted = team.limits_accepted_at is None
    if accepted:
        team.limits_accepted_at, team.limits_accepted_by = now, by.user
    team.save()
    if accepted or changed or members:
        kind = "limits_accepted" if accepted else "limits_changed"
        audit.record(kind, by=by.user, team=team, data=changed | ({"members": members} if members else {}), now=now)
    _to_counters(team, min(before, budgets.month_of(team, now)), now=now)


def _put(row: Team | Membership, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set the fields; gives those that differ, with what they were and are."""
    changed = {}
    for name, value in values.items():
        was = getattr(row, name)
        if was != value:
            setattr(row, name, value)
            changed[name] = {"was": was, "is": value}
    return changed


def _change_members(team: Team, own: Own) -> dict[str, Any]:
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
    # In the order of budgets.counters, so that a limit and an order that change the same rows cannot block one another.
    rows = Budget.objects.filter(team=team, month__gte=since).order_by("month", F("user_id").asc(nulls_first=True))
    for budget in rows.select_related("team", "user"):
        cap = team.monthly_cap_micros
        if budget.user_id is not None:
            cap = budgets.member_cap(team, members.get(budget.user_id))
        if cap == budget.cap_micros:
            continue
        Budget.objects.filter(id=budget.id).update(cap_micros=cap)
        budget.refresh_from_db()
        if budget.month == month:
            budget_levels.looked_at(budget=budget, at=now)
