"""The switch between "Team" and "Only me", the same for videos and collections."""

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import Http404
from django.shortcuts import render
from django.utils.translation import gettext as _

from playground.models import Collection, Video, Visibility
from playground.services import visibility
from playground.views.access import MemberRequest
from playground.views.back import back


def switch_visibility(request: MemberRequest, of: Video | Collection, url: str) -> HttpResponse:
    """Do what the form says, or ask first: `links` is `keep` or `end` once it was asked."""
    asked = request.POST.get("visibility", "")
    if asked not in Visibility.values:
        raise Http404("no such visibility")
    to, answer = Visibility(asked), request.POST.get("links", "")
    links = list(visibility.lasting_links(of).select_related("collection")) if to == Visibility.PRIVATE else []
    if links and answer not in {"keep", "end"}:
        stops = visibility.stops_links(of)
        context = {"of": of, "is_video": isinstance(of, Video), "links": links, "stops_others": stops, "url": url}
        return render(request, "videos/visibility.html", context)
    if visibility.switch(by=request.membership, of=of, to=to, ends_links=answer == "end"):
        messages.success(request, _words(of, to))
    return back(request, url)


def _words(of: Video | Collection, to: Visibility) -> str:
    if to == Visibility.TEAM:
        return _("The whole team sees it now.")
    if visibility.stops_links(of):
        return _("Only you see it now. Links of others, and to collections of the team, do not show it any more.")
    return _("Only you see it now.")
