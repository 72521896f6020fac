"""A way out of an ended session, with what was typed.

`LoginRequiredMiddleware` answers a signed-out request with a redirect to the sign-in page. fetch() follows a redirect
by itself, so htmx would put the sign-in page into a card. `signed_out` stands outside it and turns that answer into 401
with `HX-Redirect`, leading back to the page the person was on. What was typed into the Create form is put into the
session first, without the file and the form's tokens, so that it is there again after signing in.

Anybody may send such a form. So of one client only some are kept, and a session that nobody has signed in with ends
after an hour; signing in gives it the usual time (playground/sessions.py).
"""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from playground.clients import address_of
from playground.htmx import DRAFT_IN_SESSION, is_htmx, typed
from playground.services import rates

Handler = Callable[[HttpRequest], HttpResponseBase]

MAX_KEPT = 20_000
"""Characters of names and values together. The usual models take prompts of 5,000."""
KEPT_S = 3600
"""For somebody who signs in again; nobody needs longer for that."""


def signed_out(get_response: Handler) -> Handler:
    """Keep a signed-out Create form, and send htmx to the sign-in page as a whole."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not _is_refused(request, response):
            return response
        kept = request.method == "POST" and request.path.startswith(reverse("create.index")) and _keep(request)
        back = reverse("create.index") if kept else _page_of(request)
        target = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': back})}"
        if is_htmx(request):
            return HttpResponse(status=401, headers={"HX-Redirect": target})
        if kept:
            response.headers["Location"] = target
        return response

    return handle


def _is_refused(request: HttpRequest, response: HttpResponseBase) -> bool:
    user = getattr(request, "user", None)
    location = response.headers.get("Location", "")
    if response.status_code != 302 or user is None or user.is_authenticated:
        return False
    return urlsplit(location).path == resolve_url(settings.LOGIN_URL)


def _keep(request: HttpRequest) -> bool:
    """Beyond the limit nothing is kept, and the sign-in page comes all the same."""
    values = typed(request, most=MAX_KEPT)
    if not values or rates.take("typed", address_of(request)):
        return False
    request.session[DRAFT_IN_SESSION] = values
    request.session.set_expiry(KEPT_S)
    messages.info(request, _("You were signed out. Sign in and your prompt is back."))
    return True


def _page_of(request: HttpRequest) -> str:
    """The page the person is on: the one that sent the request, if it is ours."""
    if not is_htmx(request):
        return request.get_full_path() if request.method == "GET" else reverse("create.index")
    current = request.headers.get("HX-Current-URL", "")
    if not url_has_allowed_host_and_scheme(current, {request.get_host()}):
        return reverse("create.index")
    parts = urlsplit(current)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
