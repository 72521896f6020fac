"""Pages for what went wrong, in the same dress as the rest.

htmx swaps no answer of these kinds into a page. What a person pressed by htmx is therefore answered with the same words
as a toast, by the event `toast` in `HX-Trigger`; what a page asked for by itself (GET) stays silent.
"""

import json
import sys
from typing import Any

import structlog
from django.core.exceptions import DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from playground.htmx import is_htmx

RETRY_AFTER = 60
"""Seconds: every limit that has no wait of its own is one by the minute."""

AT_ONCE_AGAIN = 2
"""Seconds: what a crowd takes to be served, mostly."""

FILES_AGAIN = 10
"""Seconds: most files are fetched by then."""

DATABASE_AGAIN = 5
"""Seconds: a database that was restarted is mostly back by then."""

SQLITE_AWAY = ("locked", "is full", "unable to open", "disk I/O error")
"""Of its messages those that waiting may mend."""

TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, TOO_MUCH):
        return too_large(request)
    wrong_host = isinstance(exception, DisallowedHost)
    words = _("The server could not read what was sent. Nothing was changed.")
    return _answer(request, "400", 400, words, wrong_host=wrong_host, request_id=request_id())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    words = _("This page was open for too long. Nothing was sent. Reload it: what you typed is kept.")
    return _answer(request, "403_csrf", 403, words)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """What is not there and what is not for this person look the same."""
    return _answer(request, "404", 404, _("That is gone, or not yours to do. Nothing was changed. Reload the page."))


def too_large(request: HttpRequest) -> HttpResponse:
    return _answer(request, "413", 413, _("That was too large to send. Nothing was kept and nothing was ordered."))


def too_many_requests(request: HttpRequest) -> HttpResponse:
    """Asked for by allauth, for its limits that belong to no form; they are all by the minute."""
    response = _answer(request, "429", 429, _("Too many tries. Wait a minute."))
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def too_many_at_once(request: HttpRequest) -> HttpResponse:
    """A press that found no place among those that are answered now. Its form stays as it is."""
    words = _("The server is busy with other orders. Nothing was sent. Press again in a moment.")
    response = _said_beside(request, 429, words)
    if response is None:
        response = render(request, "errors/429_busy.html", {"version": ""}, status=429)
    response.headers["Retry-After"] = str(AT_ONCE_AGAIN)
    return response


def too_often(request: HttpRequest, seconds: int) -> HttpResponse:
    """Somebody reached a limit (services/rates.py). Nothing was done; a form stays as it is."""
    response = _said_beside(request, 429, often_words(seconds))
    if response is None:
        response = render(request, "errors/429_often.html", {"words": wait_words(seconds), "version": ""}, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def too_many_files(request: HttpRequest, *, is_own: bool) -> HttpResponse:
    """Files for a spreadsheet that are still on their way: 429 where they are this person's own, else 503."""
    words = (
        _("Several files are on their way to you already. This one was not made.")
        if is_own
        else _("The server hands out as many files as it can at once. This one was not made.")
    )
    status = 429 if is_own else 503
    context = {"words": words, "status": status, "version": ""}
    response = render(request, "errors/files_busy.html", context, status=status)
    response.headers["Retry-After"] = str(FILES_AGAIN)
    return response


def often_words(seconds: int) -> str:
    return _("That was too often in a short time. Nothing was changed. %(wait)s") % {"wait": wait_words(seconds)}


def wait_words(seconds: int) -> str:
    """`Wait 12 seconds.`, from two minutes on in minutes."""
    if seconds < 120:
        return ngettext("Wait %(n)d second.", "Wait %(n)d seconds.", seconds) % {"n": seconds}
    minutes = -(-seconds // 60)
    return ngettext("Wait %(n)d minute.", "Wait %(n)d minutes.", minutes) % {"n": minutes}


def _said_beside(request: HttpRequest, status: int, words: str) -> HttpResponse | None:
    """A toast and nothing else, for what htmx asked: forms are drawn anew by answers of some of these kinds, and what
    was typed has to stay. None for a whole page.
    """
    if not is_htmx(request):
        return None
    response = with_toast(request, HttpResponse('<div id="nothing" hidden></div>', status=status), words)
    response.headers["HX-Retarget"] = "#nothing"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Touches neither the database nor the session: either may be what is broken."""
    if _is_database_away(sys.exception()):
        return _database_away(request)
    context = {"request_id": request_id()}
    words = _("The server made a mistake. It has been written to the log. Try again in a moment.")
    response = render(None, "errors/500.html", context, status=500)
    return with_toast(request, response, words)


def _is_database_away(error: BaseException | None) -> bool:
    """SQLite calls a table that is missing operational too, which no waiting mends."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    return connection.vendor != "sqlite" or any(words in str(error) for words in SQLITE_AWAY)


def _database_away(request: HttpRequest) -> HttpResponse:
    """Locked for too long, full, restarted, or without a connection that is free."""
    words = _("The database is busy or away. Press again in a moment: nothing is ordered twice by that.")
    response = _said_beside(request, 503, words)
    if response is None:
        response = render(None, "errors/503_database.html", {"request_id": request_id()}, status=503)
    response.headers["Retry-After"] = str(DATABASE_AGAIN)
    return response


def request_id() -> str:
    """By which an admin finds the request in the log; empty before the middleware of the log has run."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def _answer(request: HttpRequest, name: str, status: int, words: str, **context: Any) -> HttpResponse:
    """A page about a fault names no version: it is shown to everybody, scanners among them."""
    context |= {"version": ""}
    return with_toast(request, render(request, f"errors/{name}.html", context, status=status), words)


def with_toast(request: HttpRequest, response: HttpResponse, words: str) -> HttpResponse:
    if is_htmx(request) and request.method != "GET":
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": words}})
    return response
