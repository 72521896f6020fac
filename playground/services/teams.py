"""What a team has settled for itself."""

import structlog

from playground.models import Team

log = structlog.get_logger(__name__)


def allow_unpriced(*, team: Team, allowed: bool) -> None:
    """Whether the team may make videos at a gateway that gives no prices. Each of them still needs a tick."""
    team.allow_unpriced = allowed
    team.save(update_fields=["allow_unpriced"])
    log.info("team_allow_unpriced", team=team.slug, allowed=allowed)
