"""Who comes with a share link: no account, only the token in the address, and perhaps the link's password.

Whatever is the matter with a token, and whatever it does not show, the answer is the same page with the same status.
Who is signed in makes no difference to what is shown: nothing here reads the team at hand.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone

from playground.clients import address_of
from playground.domain.visitors import is_person
from playground.models import Membership, ShareLink, Video
from playground.services import share_limits, share_visits, sharing
from playground.services.people import LinkEnded
from playground.views.errors import wait_words

UNLOCKED, SEEN = "share-open", "share-seen"
UNLOCKED_S = 12 * 3600
SEEN_S = 30 * 60
HEADERS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}
PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")


class HolderRequest(HttpRequest):
    link: ShareLink
    token: str


View = Callable[..., HttpResponseBase]


def for_holders(view: View) -> View:
    """The view with `request.link`; one page for a token that is wrong, over, revoked, or shows nothing any more."""

    @login_not_required
    @wraps(view)
    def guarded(request: Any, token: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.token = token
        try:
            request.link = sharing.open_link(token=token)
        except LinkEnded:
            return private(_wrong_token(request))
        try:
            return private(view(request, *args, **kwargs))
        except Http404:
            return private(gone())

    return guarded


def _wrong_token(request: HttpRequest) -> HttpResponse:
    seconds = share_limits.wrong_token(address_of(request))
    return too_many(seconds) if seconds else gone()


def private(response: HttpResponseBase) -> HttpResponseBase:
    """The address is a secret: it goes to no other page, into no index and into no cache. Media say their own life."""
    for name, value in HEADERS.items():
        response.headers[name] = value
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def gone() -> HttpResponse:
    """Drawn without the request, so that it is the same for everybody."""
    return render(None, "shares/gone.html", status=404)


def too_many(seconds: int) -> HttpResponse:
    response = render(None, "shares/too_many.html", {"words": wait_words(seconds)}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def video_of(request: HolderRequest, id: UUID | None) -> Video:
    """One of the link's videos; without an id the only one of a link to a video."""
    videos = request.link.videos().select_related("generation")
    return get_object_or_404(videos, id=id or request.link.video_id)


# --- the password ------------------------------------------------------------------------------------------------
def is_unlocked(request: HolderRequest) -> bool:
    """The cookie is bound to link, address and password: changing either of them ends it."""
    link = request.link
    if not link.password:
        return True
    try:
        said = signing.loads(request.COOKIES.get(_cookie(UNLOCKED), ""), salt=UNLOCKED, max_age=UNLOCKED_S)
    except signing.BadSignature:
        return False
    return bool(said == _lock_of(link))


def remember_unlocked(request: HolderRequest, response: HttpResponse) -> None:
    end = request.link.expires_at
    left = int((end - timezone.now()).total_seconds()) if end else UNLOCKED_S
    _set_cookie(request, response, UNLOCKED, _lock_of(request.link), min(UNLOCKED_S, max(1, left)))


def _lock_of(link: ShareLink) -> str:
    return sharing.digest(f"{link.id}:{link.token_hash}:{link.password}")


def _cookie(name: str) -> str:
    """`__Host-` would ask for the path `/`, and every link has its own."""
    return f"__Secure-{name}" if settings.SESSION_COOKIE_SECURE else name


def _set_cookie(request: HolderRequest, response: HttpResponse, name: str, value: str, seconds: int) -> None:
    response.set_cookie(
        _cookie(name),
        signing.dumps(value, salt=name),
        max_age=seconds,
        path=reverse("shares.index", args=[request.token]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


# --- views -------------------------------------------------------------------------------------------------------
def count_view(request: HolderRequest, response: HttpResponse) -> HttpResponse:
    """A person's opening counts once in half an hour; the cookie says when it was and not who.

    Without the cookie everybody is new: of those only so many count from one client.
    """
    if _looks_new(request) and share_limits.is_view(request.link.id, address_of(request)):
        share_visits.count(link=request.link)
        _set_cookie(request, response, SEEN, str(request.link.id), SEEN_S)
    return response


def _looks_new(request: HolderRequest) -> bool:
    purpose = " ".join(request.headers.get(name, "") for name in PURPOSES)
    agent = request.headers.get("User-Agent", "")
    if not is_person(method=request.method or "", user_agent=agent, purpose=purpose):
        return False
    return not _was_here(request) and not _is_of_the_team(request)


def _was_here(request: HolderRequest) -> bool:
    try:
        seen = signing.loads(request.COOKIES.get(_cookie(SEEN), ""), salt=SEEN, max_age=SEEN_S)
    except signing.BadSignature:
        return False
    return bool(seen == str(request.link.id))


def _is_of_the_team(request: HolderRequest) -> bool:
    user = request.user
    return user.is_authenticated and Membership.objects.filter(team_id=request.link.team_id, user_id=user.pk).exists()
