"""Presses that order wait for a place (services/places.py), and are told when there is none."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http.response import HttpResponseBase

from playground.services import few_of_one, places, rates
from playground.views.access import MemberRequest
from playground.views.errors import too_many_at_once, too_often
from playground.views.limited import of_member

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
OF_ONE = 2
"""Presses of one person that stand or wait in a process: one that takes long, and the next."""


def few_at_once(view: View) -> View:
    """Answers 429 to a press that waited for a place in vain, at once to one of a person who has OF_ONE there already
    or whose own limit is used up. Stands below what tells who may press: whom a place would not help takes none.

    The limit is only looked at: what finds no place is not counted.
    """

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        person = request.membership.user_id
        with few_of_one.turn(person, "press", OF_ONE) as may:
            if not may:
                return too_many_at_once(request)
            if seconds := rates.wait("submit", of_member(request)):
                return too_often(request, seconds)
            with places.taken() as has_place:
                return view(request, *args, **kwargs) if has_place else too_many_at_once(request)

    return cast(View, guarded)
