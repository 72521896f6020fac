"""Presses that order: few at a time in each web process, so that each is answered soon: with the order, or 429.

A crowd that is let in all at once shares the processor until nobody is answered in time. Who finds no place within
WAIT_S is told so at once: nothing was sent, and the same press made again is the same order.
"""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from playground.views.errors import too_many_at_once

PLACES = 2
"""In each web process. More than two cores can work on, since some wait for a gateway's price."""
WAIT_S = 0.3

_places = threading.BoundedSemaphore(PLACES)

View = Callable[..., HttpResponseBase]


def few_at_once(view: View) -> View:
    """Answers 429 to a POST that waited WAIT_S for one of the PLACES in vain. Whatever else is asked for goes on."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _places.acquire(timeout=WAIT_S):
            return too_many_at_once(request)
        try:
            return view(request, *args, **kwargs)
        finally:
            _places.release()

    return guarded
