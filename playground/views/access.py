"""Who may open a view: members of a team, and among them those who may change things.

What is forbidden and what does not exist get the same 404: nobody is told which it was. Object pages look their object
up through `visible_to`; a role that may not open a page does not learn that there is one.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from playground.models import BudgetRequest, Generation, Invitation, Membership, Reference, Run, Video
from playground.views.errors import with_toast


class MemberRequest(HttpRequest):
    """A request whose sender belongs to the team at hand."""

    membership: Membership


OBJECTS: dict[str, type[Model]] = {
    "media.reference": Reference,
    "media.": Video,
    "videos.": Video,
    "generations.": Generation,
    "runs.": Run,
    "unclear.": Generation,
    "limits.": BudgetRequest,
    "members.": Membership,
    "team_invitations.": Invitation,
}
"""What the `id` in an address names, by the beginning of the view's name; the first that fits."""

View = Callable[..., HttpResponseBase]


def for_members(view: View) -> View:
    """A signed-in person who is in no team gets a page that says so instead of the view."""

    @wraps(view)
    def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not getattr(request, "membership", None):
            page = render(request, "account/no_team.html", status=403)
            return with_toast(request, page, _("You are in no team any more. Nothing was sent."))
        _take_team(request, kwargs.get("id"))
        return view(request, *args, **kwargs)

    return guarded


def _take_team(request: MemberRequest, id: UUID | None) -> None:
    """The page of an object is read in the object's team, a form in the team it was made in, if the person is in it.

    For everybody else the team at hand stays, in which `visible_to` does not find the object.
    """
    view_name = request.resolver_match.view_name if request.resolver_match else ""
    model = next((model for start, model in OBJECTS.items() if view_name.startswith(start)), None)
    if id is not None and model is not None:
        use_team(request, team__in=model._default_manager.filter(id=id).values("team_id"))
    elif request.method == "POST" and "team" in request.POST and is_of_another_team(request):
        use_team(request, team__slug=request.POST["team"])


def use_team(request: MemberRequest, **of_team: Any) -> None:
    """Read the rest of the request in another team of this person, if they are in that one."""
    mine = Membership.objects.select_related("team", "user").filter(user_id=request.membership.user_id, **of_team)
    request.membership = mine.first() or request.membership


def for_creators(view: View) -> View:
    """404 for a viewer, and for a form that was made in another of the person's teams."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_create or is_of_another_team(request):
            raise Http404("not for this role, or of another team")
        return view(request, *args, **kwargs)

    return for_members(guarded)


def for_admins(view: View) -> View:
    """404 for everyone but the team's admins."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.is_admin or is_of_another_team(request):
            raise Http404("not for this role, or of another team")
        return view(request, *args, **kwargs)

    return for_members(guarded)


def is_of_another_team(request: MemberRequest) -> bool:
    """True for a form that carries the name of another team. Raises BadRequest for one without any: it broke off."""
    if request.method != "POST":
        return False
    if "team" not in request.POST:
        raise BadRequest("a form without its team")
    return request.POST["team"] != request.membership.team.slug


def may_change(membership: Membership, video: Video) -> bool:
    """Rename, trash, restore, delete: one's own videos; an admin all of the team's."""
    return membership.is_admin or (membership.may_create and video.owner_id == membership.user_id)


def require_change(membership: Membership, videos: Iterable[Video]) -> None:
    """Raise Http404 if one of the videos is not this member's to change."""
    if not all(may_change(membership, video) for video in videos):
        raise Http404("a video is not this member's to change")
