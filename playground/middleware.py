"""Small middleware of our own."""

from collections.abc import Callable
from typing import Any, cast

from django.core.exceptions import BadRequest, TooManyFieldsSent
from django.http import HttpRequest, QueryDict
from django.http.response import HttpResponseBase, HttpResponseNotAllowed
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from playground.models import Membership
from playground.services.people import TEAM_IN_SESSION, membership_of
from playground.upload_handlers import CappedUploadHandler
from playground.views import errors

Handler = Callable[[HttpRequest], HttpResponseBase]

NUL = "\0"
PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"
METHODS = ("GET", "HEAD", "POST")


def headers(get_response: Handler) -> Handler:
    """What every answer says, those for static files too. The outermost middleware.

    No page asks for a device, none is for search engines, and the server does not tell its name.
    """

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("X-Robots-Tag", "noindex, nofollow")
        response.headers.setdefault("Server", "playground")
        # Here too, for what is refused before the middleware that says so is reached, such as a wrong host name.
        response.headers.setdefault("X-Frame-Options", "DENY")
        if response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["HX-Request"])
        return response

    return handle


def known_methods(get_response: Handler) -> Handler:
    """No address here takes another method than these three."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        return get_response(request) if request.method in METHODS else HttpResponseNotAllowed(METHODS)

    return handle


def unfinished_uploads(get_response: Handler) -> Handler:
    """The temporary file of a form that broke off goes with the request, not when memory is tidied at last."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "POST":
            for handler in request.upload_handlers:
                cast(CappedUploadHandler, handler).discard()
        return response

    return handle


def membership(get_response: Handler) -> Handler:
    """`request.membership`: the signed-in person's membership in the team at hand, or None. Read when first used."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        request.membership = SimpleLazyObject(lambda: _at_hand(request))  # type: ignore[attr-defined]
        response = _refused(request) or get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            _keep_private(request, response)
        return response

    return handle


def _keep_private(request: HttpRequest, response: HttpResponseBase) -> None:
    """A page of a signed-in person is for their browser alone, which asks again before it shows it from its cache.

    Not `no-store`: with it some browsers forget what was typed when one goes back to a form.
    """
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "private, no-cache"


def _at_hand(request: HttpRequest) -> Membership | None:
    """The session's team, or `?team=` if the person is in it, which then becomes the session's."""
    session: Any = request.session
    slug = _asked_team(request)
    if slug and NUL not in slug and slug != session.get(TEAM_IN_SESSION):
        asked = membership_of(request.user, {TEAM_IN_SESSION: slug})
        if asked is not None and asked.team.slug == slug:
            session[TEAM_IN_SESSION] = slug
            return asked
    return membership_of(request.user, session)


def _refused(request: HttpRequest) -> HttpResponseBase | None:
    """An answer to a NUL in query or form: nobody types one, and PostgreSQL takes none in text."""
    if _has_nul(request.GET):
        return errors.not_found(request)
    if request.method == "POST" and _has_nul(request.POST):
        return errors.bad_request(request, BadRequest("a NUL in a form"))
    return None


def _has_nul(values: QueryDict) -> bool:
    return any(NUL in part for name, parts in values.lists() for part in (name, *parts))


def _asked_team(request: HttpRequest) -> str | None:
    """None too where the query is refused: the page that says so has a head with the team in it."""
    try:
        return request.GET.get("team") if request.method in {"GET", "HEAD"} else None
    except TooManyFieldsSent:
        return None
