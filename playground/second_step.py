"""`REQUIRE_MFA`: who must have a second factor is led to set one up before anything else.

Pages of the account itself stay open, signing out too, and what a page loads by itself. Whoever has none is asked about
at each request; without the setting nothing is.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse

from playground.htmx import is_htmx
from playground.models import Membership, Role, User
from playground.services import factors

Handler = Callable[[HttpRequest], HttpResponseBase]

HELD = ("shares.", "share_media.")
"""Share links, as their holders open them: they ask nobody who they are."""
OPEN = ("account.", "account_", "mfa_", "socialaccount_", "usersessions_", "health.", "metrics.", "hooks.", *HELD)
"""Beginnings of the names of addresses that stay open."""


def required(get_response: Handler) -> Handler:
    def handle(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Before the view, once it is known which one it is."""
        name = request.resolver_match.view_name if request.resolver_match else ""
        if name.startswith(OPEN) or not lacks_one(request.user):
            return None
        target = reverse("account.second_step")
        if is_htmx(request):
            return HttpResponse(status=401, headers={"HX-Redirect": target})
        return HttpResponseRedirect(target)

    handle.process_view = process_view  # type: ignore[attr-defined]
    return handle


def lacks_one(user: Any) -> bool:
    """Whether this person must have a second factor and has none."""
    if settings.REQUIRE_MFA == "none" or not isinstance(user, User):
        return False
    is_meant = settings.REQUIRE_MFA == "all" or Membership.objects.filter(user=user, role=Role.ADMIN).exists()
    return is_meant and not factors.has_one(user)
