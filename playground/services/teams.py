"""What a team has settled for itself."""

import structlog

from playground.models import Membership, Role, Team
from playground.services import budgets

log = structlog.get_logger(__name__)


class NotAdmin(Exception):
    """Only the team's admins do this; whoever asks is none, or none any more."""


def locked(by: Membership) -> Team:
    """The team as it is now, nobody else's to change until the end of the transaction. Raises NotAdmin.

    The role is read anew: of two admins who take it from each other, the second is none any more.
    """
    team = budgets.lock(by.team_id)
    if not Membership.objects.filter(id=by.id, role=Role.ADMIN, user__is_active=True).exists():
        raise NotAdmin
    return team


def allow_unpriced(*, team: Team, allowed: bool) -> None:
    """Whether the team may make videos at a gateway that gives no prices. Each of them still needs a tick."""
    team.allow_unpriced = allowed
    team.save(update_fields=["allow_unpriced"])
    log.info("team_allow_unpriced", team=team.slug, allowed=allowed)
