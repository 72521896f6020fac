"""Who may open a view: members of a team, and among them those who may change things.

Nobody is told whether something of another team exists: object pages look it up through `visible_to` and answer 404.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from playground.models import Membership, Video


class MemberRequest(HttpRequest):
    """A request whose sender belongs to the team at hand."""

    membership: Membership


View = Callable[..., HttpResponseBase]


def for_members(view: View) -> View:
    """A signed-in person who is in no team gets a page that says so instead of the view."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not getattr(request, "membership", None):
            return render(request, "account/no_team.html", status=403)
        return view(request, *args, **kwargs)

    return guarded


def for_creators(view: View) -> View:
    """403 for a viewer, and for a form that was made in another of the person's teams."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_create or is_of_another_team(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return for_members(guarded)


def for_admins(view: View) -> View:
    """403 for everyone but the team's admins."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.is_admin or is_of_another_team(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return for_members(guarded)


def is_of_another_team(request: MemberRequest) -> bool:
    """True for a form that carries the name of a team which is not the one at hand."""
    return request.POST.get("team", request.membership.team.slug) != request.membership.team.slug


def may_change(membership: Membership, video: Video) -> bool:
    """Rename, trash, restore, delete: one's own videos; an admin all of the team's."""
    return membership.is_admin or (membership.may_create and video.owner_id == membership.user_id)


def require_change(membership: Membership, videos: Iterable[Video]) -> None:
    """Raise PermissionDenied if one of the videos is not this member's to change."""
    if not all(may_change(membership, video) for video in videos):
        raise PermissionDenied
