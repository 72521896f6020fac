"""Making a team, and what it has settled for itself. Every change is on record with what was and what is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from playground.models import Membership, Role, Team
from playground.services import audit, budgets
from playground.services.people import free_slug

log = structlog.get_logger(__name__)

SETTINGS = (
    "name",
    "retention_days",
    "link_days",
    "links_may_be_endless",
    "link_shows_prompt",
    "link_allows_download",
    "link_has_previews",
    "link_takes_marks",
    "allow_unpriced",
)
"""What `settle` sets. Limits and the time zone are in `limits`."""


class NotAdmin(PermissionDenied):
    """Only the team's admins do this; whoever asks is none, or none any more."""


def locked(by: Membership) -> Team:
    """The team as it is now, nobody else's to change until the end of the transaction. Raises NotAdmin.

    The role is read anew: of two admins who take it from each other, the second is none any more.
    """
    team = budgets.lock(by.team_id)
    if not Membership.objects.filter(id=by.id, role=Role.ADMIN, user__is_active=True).exists():
        raise NotAdmin
    return team


def make(*, by: Membership, name: str, now: datetime | None = None) -> Membership:
    """A team of its own, with its maker as the admin. Nothing that costs is ordered there before limits are accepted.

    Raises NotAdmin: whoever may make one is an admin where they ask.
    """
    now = now or timezone.now()
    with transaction.atomic():
        here = locked(by)
        team = Team.objects.create(name=name.strip(), slug=free_slug(name), time_zone=here.time_zone, created_at=now)
        made = Membership.objects.create(team=team, user=by.user, role=Role.ADMIN, created_at=now)
        audit.record("team_made", by=by.user, team=team, data={"name": team.name}, now=now)
    log.info("team_made", team=team.slug)
    return made


def settle(*, by: Membership, values: Mapping[str, Any], now: datetime | None = None) -> list[str]:
    """Set those of SETTINGS that are given; returns the names of those that changed. Raises NotAdmin."""
    now = now or timezone.now()
    with transaction.atomic():
        team = locked(by)
        changed = {
            name: {"was": getattr(team, name), "is": values[name]}
            for name in SETTINGS
            if name in values and getattr(team, name) != values[name]
        }
        if changed:
            for name in changed:
                setattr(team, name, values[name])
            team.save(update_fields=list(changed))
            audit.record("team_changed", by=by.user, team=team, data=changed, now=now)
    by.team = team
    return list(changed)


def allow_unpriced(*, team: Team, allowed: bool) -> None:
    """Whether the team may make videos at a gateway that gives no prices. Each of them still needs a tick.

    For the command, which nobody is signed in to.
    """
    with transaction.atomic():
        row = budgets.lock(team.id)
        if row.allow_unpriced != allowed:
            data = {"allow_unpriced": {"was": row.allow_unpriced, "is": allowed}}
            Team.objects.filter(id=team.id).update(allow_unpriced=allowed)
            audit.record("team_changed", by=None, team=team, data=data)
    team.allow_unpriced = allowed
    log.info("team_allow_unpriced", team=team.slug, allowed=allowed)
