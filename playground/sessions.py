"""How long somebody stays signed in: until they have done nothing for a while, and never longer than a month.

What people do extends a session: a page they open, a button they press. What pages ask by themselves does not (htmx
asking after cards, pictures, players), so a tab that is left open signs nobody in for ever. The database is written to
at most once an hour for this.

Signing in lists a session with its person's others, by which all of them can be ended. One that is not listed, or is
listed under another key than it has, is over: those of before all were listed, too.
"""

import time
from collections.abc import Callable
from typing import Any

from allauth.account.signals import password_changed, password_set
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from playground.clients import address_of
from playground.htmx import is_htmx
from playground.models import User
from playground.services import sessions

Handler = Callable[[HttpRequest], HttpResponseBase]

LONGEST_S = 30 * 24 * 3600
"""From signing in; after that one signs in again, however busy one was. Idle for SESSION_COOKIE_AGE ends it too."""
EXTENDED_EVERY_S = 3600
BEGAN, SEEN, LISTED = "began_at", "seen_at", "listed_as"


@receiver(user_logged_in)
def begin(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """What was kept for somebody signed out lived for an hour; from here on it is as long as any."""
    request.session[BEGAN] = request.session[SEEN] = int(time.time())
    request.session.set_expiry(None)
    list_one(request, user)


@receiver((password_changed, password_set))
def list_one(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """List the session under the key it has, which signing in and a new password change.

    It is stored first with whose it is: a listing of one that is nobody's is dropped, by whoever looks at the list.
    """
    session = request.session
    if session.get(SESSION_KEY) != str(user.pk):
        return
    if not session.session_key:
        session.create()
    key = session[LISTED] = str(session.session_key)
    session.save()
    program = request.headers.get("User-Agent", "")
    sessions.keep_listed(user=user, key=key, address=address_of(request), program=program)


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
    if request.session.get(LISTED) != request.session.session_key:
        return True
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
