"""Presses that order wait for a place (services/places.py), and are told when there is none."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from playground.services import places
from playground.views.errors import too_many_at_once

View = Callable[..., HttpResponseBase]


def few_at_once(view: View) -> View:
    """Answers 429 to a POST that waited for a place in vain. Whatever else is asked for goes on."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        with places.taken() as has_place:
            return view(request, *args, **kwargs) if has_place else too_many_at_once(request)

    return guarded
