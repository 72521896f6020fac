"""Small middleware of our own."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from playground.models import Membership
from playground.services.people import TEAM_IN_SESSION, membership_of

Handler = Callable[[HttpRequest], HttpResponseBase]

NUL = "\0"
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"


def permissions_policy(get_response: Handler) -> Handler:
    """No page of ours asks for a device."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    return handle


def too_large(get_response: Handler) -> Handler:
    """A body that the upload handler refused is answered 413 with a page that says the limit."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if getattr(request, "upload_too_large", False):
            response.close()
            return render(request, "errors/413.html", status=413)
        return response

    return handle


def membership(get_response: Handler) -> Handler:
    """`request.membership`: the signed-in person's membership in the team at hand, or None. Read when first used."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        request.membership = SimpleLazyObject(lambda: _at_hand(request))  # type: ignore[attr-defined]
        missing = _has_nul(request)
        response = render(request, "errors/404.html", status=404) if missing else get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["HX-Request"])
        return response

    return handle


def _at_hand(request: HttpRequest) -> Membership | None:
    """The session's team, or `?team=` if the person is in it, which then becomes the session's."""
    session: Any = request.session
    slug = request.GET.get("team") if request.method in {"GET", "HEAD"} else None
    if slug and NUL not in slug and slug != session.get(TEAM_IN_SESSION):
        asked = membership_of(request.user, {TEAM_IN_SESSION: slug})
        if asked is not None and asked.team.slug == slug:
            session[TEAM_IN_SESSION] = slug
            return asked
    return membership_of(request.user, session)


def _has_nul(request: HttpRequest) -> bool:
    """Nobody types one, and PostgreSQL takes none in text."""
    return any(NUL in part for name, values in request.GET.lists() for part in (name, *values))
