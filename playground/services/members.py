"""Who belongs to a team and as what: changing, removing, leaving.

All of it happens under the lock of the team's row, so that a team always keeps an admin: of two who take the role from
each other at once, the second is no admin any more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils import timezone

from playground.models import Invitation, Membership, Role, ShareLink, Team, User
from playground.services import audit, budgets, invitations, sessions, stops, teams

log = structlog.get_logger(__name__)


class LastAdmin(Exception):
    """The team would be without an admin. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What went with a member. `entry` is the number of the audit entry that says so."""

    name: str
    entry: int
    links: int
    invitations: int
    """Those that they made, and those to them."""
    stopped: int
    """Orders that waited and were stopped for free."""


def change(
    *, by: Membership, member: Membership, role: Role, sees_spend: bool, now: datetime | None = None
) -> bool | None:
    """Set what the member may do; it counts at their next request. False when it was so already, None when they are
    gone. Raises NotAdmin and LastAdmin.
    """
    now = now or timezone.now()
    with transaction.atomic():
        team = teams.locked(by)
        row = _standing(team, member)
        if row is None:
            return None
        return _change(row, team, role=role, sees_spend=sees_spend, by=by.user, now=now)


def change_on_the_server(*, member: Membership, role: Role, now: datetime) -> bool:
    """As `change`, by whoever runs this installation. Raises LastAdmin."""
    with transaction.atomic():
        team = budgets.lock(member.team_id)
        row = _standing(team, member)
        return row is not None and _change(row, team, role=role, sees_spend=row.sees_spend, by=None, now=now)


def _change(row: Membership, team: Team, *, role: Role, sees_spend: bool, by: User | None, now: datetime) -> bool:
    is_demoted = row.is_admin and role != Role.ADMIN
    if is_demoted:
        _check_not_last(row)
    changed = _put(row, role=role, sees_spend=sees_spend)
    if not changed:
        return False
    row.save(update_fields=["role", "sees_spend"])
    ended = _end_invitations(row, now=now) if is_demoted else 0
    if "role" in changed:
        ended += _end_seats_for(row, now=now)
    data = _facts(row) | changed | ({"invitations": ended} if ended else {})
    audit.record("member_changed", by=by, team=team, data=data, now=now)
    log.info("member_changed", team=team.slug, member=str(row.id), role=row.role)
    return True


def remove(*, by: Membership, member: Membership, now: datetime | None = None) -> Gone | None:
    """Take the member out, at once: sessions, share links and invitations of theirs end, orders that wait are stopped
    for free. Videos stay, with their owner's name. None when they are gone already. Raises NotAdmin and LastAdmin.
    """
    now = now or timezone.now()
    with transaction.atomic():
        team = teams.locked(by)
        row = _standing(team, member)
        if row is None:
            return None
        gone = _take_out(row, team, kind="member_removed", by=by.user, now=now)
        sessions.end_all(user=row.user)
    return _after(gone, row.user, team, by=by.user, now=now)


def leave(*, by: Membership, now: datetime | None = None) -> Gone | None:
    """Go out of the team oneself; sessions go on, for other teams. Raises LastAdmin."""
    now = now or timezone.now()
    with transaction.atomic():
        team = budgets.lock(by.team_id)
        row = _standing(team, by)
        if row is None:
            return None
        gone = _take_out(row, team, kind="member_left", by=by.user, now=now)
    return _after(gone, row.user, team, by=by.user, now=now)


def is_last_admin(member: Membership) -> bool:
    """True for the only admin who can sign in."""
    admins = Membership.objects.filter(team_id=member.team_id, role=Role.ADMIN, user__is_active=True)
    return member.is_admin and not admins.exclude(id=member.id).exists()


def _standing(team: Team, member: Membership) -> Membership | None:
    return Membership.objects.select_related("user", "team").filter(id=member.id, team=team).first()


def _check_not_last(row: Membership) -> None:
    if is_last_admin(row):
        raise LastAdmin


def _take_out(row: Membership, team: Team, *, kind: str, by: User, now: datetime) -> Gone:
    _check_not_last(row)
    links = ShareLink.objects.filter(team=team, created_by=row.user)
    ended = links.filter(revoked_at=None).update(revoked_at=now, revoked_by=by)
    links.filter(ended_with_collection=True).update(ended_with_collection=False)
    seats = _end_invitations(row, now=now) + _end_seats_for(row, now=now)
    had = {"user": str(row.user_id), "role": row.role, "sees_spend": row.sees_spend}
    data = _facts(row) | had | {"links": ended, "invitations": seats}
    entry = audit.record(kind, by=by, team=team, data=data, now=now)
    row.delete()
    return Gone(row.user.display_name, entry.id, ended, seats, 0)


def _after(gone: Gone, user: User, team: Team, *, by: User, now: datetime) -> Gone:
    """Not under the lock of the team: who claims an order holds its row first and the team's later."""
    stopped = stops.cancel_waiting(person=user, team=team, by=by, now=now)
    log.info("member_gone", team=team.slug, user=str(user.id), links=gone.links, stopped=stopped)
    return Gone(gone.name, gone.entry, gone.links, gone.invitations, stopped)


def _end_invitations(row: Membership, *, now: datetime) -> int:
    """Seats are open in the name of an admin: they end with that."""
    mine = invitations.open_ones(now=now).filter(team_id=row.team_id, created_by_id=row.user_id)
    return mine.update(revoked_at=now)


def _end_seats_for(row: Membership, *, now: datetime) -> int:
    """An invitation that an earlier one made needless would give back what is being taken."""
    return _seats_for(row, now=now).update(revoked_at=now)


def _seats_for(row: Membership, *, now: datetime) -> QuerySet[Invitation]:
    """Those to the address of today, and to the ones that they were invited by."""
    theirs = Invitation.objects.filter(team_id=row.team_id, accepted_by_id=row.user_id).exclude(email="")
    addresses = {row.user.email.lower(), *(email.lower() for email in theirs.values_list("email", flat=True))}
    open_ones = invitations.open_ones(now=now).filter(team_id=row.team_id).annotate(mailbox=Lower("email"))
    return open_ones.filter(mailbox__in=addresses)


def seats_that_stay(row: Membership, *, now: datetime | None = None) -> QuerySet[Invitation]:
    """What is still open in the team once this member is removed: they could have the link, or the mailbox."""
    now = now or timezone.now()
    still_open = invitations.open_ones(now=now).filter(team_id=row.team_id)
    ending = _seats_for(row, now=now).values("id")
    return still_open.exclude(created_by_id=row.user_id).exclude(id__in=ending).order_by("email", "id")


def _put(row: Membership, **values: Any) -> dict[str, Any]:
    changed = {name: {"was": getattr(row, name), "is": value} for name, value in values.items()}
    changed = {name: both for name, both in changed.items() if both["was"] != both["is"]}
    for name in changed:
        setattr(row, name, values[name])
    return changed


def _facts(row: Membership) -> dict[str, Any]:
    return {"member": str(row.id), "name": row.user.display_name, "email": row.user.email}
