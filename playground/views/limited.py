"""Views that may be asked for only so often (services/rates.py): 429 with the seconds to wait, and nothing was done."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from playground.clients import address_of
from playground.htmx import is_htmx
from playground.services import rates
from playground.views.errors import too_often

ON_THE_WAY_S = 3600
"""How long what is kept for somebody who is about to sign in is worth keeping."""

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def of_member(request: Any) -> str:
    """Whom limits of members count: the person, in whatever team."""
    return str(request.membership.user_id)


def limited(
    action: str, *, of: Callable[[Any], str] = of_member, methods: tuple[str, ...] = ("POST",)
) -> Callable[[View], View]:
    """Count each POST to the view in the limit `action`. Stands below `for_members` and its like, which know who."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in methods and (seconds := rates.take(action, of(request))):
                return too_often(request, seconds)
            return view(request, *args, **kwargs)

        return cast(View, guarded)

    return decorate


def beginning(request: HttpRequest) -> HttpResponse | None:
    """Count one beginning of a sign-in that leaves a row of sessions; the answer where there were too many."""
    seconds = rates.take("provider", address_of(request))
    return too_often(request, seconds) if seconds else None


def kept_on_the_way(request: HttpRequest) -> None:
    """What was put into the session of somebody who is signed out goes soon; an empty one is not stored at all."""
    if request.session.modified and not request.user.is_authenticated:
        request.session.set_expiry(ON_THE_WAY_S)


def form_again(request: HttpRequest, seconds: int, draw: Callable[[], HttpResponse]) -> HttpResponse:
    """429 for a form that is counted only once all in it is right: by htmx it stays as it is, else `draw` gives it anew
    with what was typed.
    """
    if is_htmx(request):
        return too_often(request, seconds)
    response = draw()
    response.headers["Retry-After"] = str(seconds)
    return response


def wrong_tokens_counted(view: View) -> View:
    """For an address with a secret in it: 404 and 410 are counted by client, beyond the limit they become 429.

    A right token is answered all the same: nobody guesses one, and behind one client may be a whole office.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        client = address_of(request)
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            if seconds := rates.take("wrong_token", client):
                return too_often(request, seconds)
            raise
        is_wrong = response.status_code in {404, 410}
        if is_wrong and (seconds := rates.take("wrong_token", client)):
            return too_often(request, seconds)
        return response

    return cast(View, guarded)
