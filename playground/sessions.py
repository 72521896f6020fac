"""How long somebody stays signed in: until they have done nothing for a while, and never longer than a month.

What people do extends a session: a page they open, a button they press. What pages ask by themselves does not (htmx
asking after cards, pictures, players), so a tab that is left open signs nobody in for ever. The database is written to
at most once an hour for this.
"""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from playground.htmx import is_htmx

Handler = Callable[[HttpRequest], HttpResponseBase]

LONGEST_S = 30 * 24 * 3600
"""From signing in; after that one signs in again, however busy one was. Idle for SESSION_COOKIE_AGE ends it too."""
EXTENDED_EVERY_S = 3600
BEGAN, SEEN = "began_at", "seen_at"


@receiver(user_logged_in)
def begin(request: HttpRequest, **_kwargs: Any) -> None:
    request.session[BEGAN] = request.session[SEEN] = int(time.time())


def bounded(get_response: Handler) -> Handler:
    """Stands behind the authentication."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return get_response(request)
        if request.user.is_authenticated and _is_over(request):
            logout(request)
        response = get_response(request)
        if request.user.is_authenticated and _is_somebodys_doing(request, response):
            _extend(request)
        return response

    return handle


def _is_over(request: HttpRequest) -> bool:
    began = request.session.get(BEGAN)
    return began is not None and began + LONGEST_S <= time.time()


def _is_somebodys_doing(request: HttpRequest, response: HttpResponseBase) -> bool:
    if request.method == "POST":
        return True
    return not is_htmx(request) and response.headers.get("Content-Type", "").startswith("text/html")


def _extend(request: HttpRequest) -> None:
    now = int(time.time())
    if now - request.session.get(SEEN, 0) < EXTENDED_EVERY_S:
        return
    request.session[SEEN] = now
    left = request.session.setdefault(BEGAN, now) + LONGEST_S - now
    request.session.set_expiry(max(1, min(settings.SESSION_COOKIE_AGE, left)))
