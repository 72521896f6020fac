"""Where the names of a person's other teams lead: to the same list over there, if they may open it there."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from playground.models import Membership

FOR_MEMBERS = ("gallery.index", "runs.index", "trash.index", "spend.index", "notices.index", "team.index")
FOR_ADMINS = (
    "limits.index",
    "spend.reconcile",
    "unclear.index",
    "team_invitations.index",
    "team_settings.index",
    "team_gateways.index",
    "team_models.index",
    "audit.index",
)
ABOVE = {"videos.": "gallery.index", "runs.": "runs.index", "generations.": "runs.index", "members.": "team.index"}
"""An object belongs to one team: from its page the way is to the list that it is in."""


@dataclass(frozen=True, slots=True)
class Way:
    """One team of the person, with the address that its name leads to."""

    membership: Membership
    url: str
    is_here: bool


def ways(request: HttpRequest, here: Membership) -> list[Way]:
    mine = Membership.objects.select_related("team").filter(user_id=here.user_id).order_by("team__name", "id")
    return [Way(one, _url(request, one), one.team_id == here.team_id) for one in mine]


def _url(request: HttpRequest, there: Membership) -> str:
    return f"{reverse(_page(request, there))}?{urlencode({'team': there.team.slug})}"


def _page(request: HttpRequest, there: Membership) -> str:
    match = request.resolver_match
    name = match.view_name if match else ""
    if name in FOR_MEMBERS or (name in FOR_ADMINS and there.is_admin):
        return name
    if name in FOR_ADMINS:
        return "team.index"
    above = next((target for start, target in ABOVE.items() if name.startswith(start)), None)
    return above or "create.index"
