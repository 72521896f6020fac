"""Signing in at an identity provider, and the accounts there that are linked with one's own.

Each provider is there only when its variables are set. What a provider says is judged by `playground.accounts_social`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from allauth.socialaccount import views as allauth_views
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse_lazy
from django.utils.translation import gettext as _
from django.views.generic import RedirectView

from playground.models import User
from playground.views import account_page
from playground.views.account_forms import Unprocessable
from playground.views.limited import beginning, kept_on_the_way

log = structlog.get_logger(__name__)

NONSENSE = (OSError, ValueError, LookupError, TypeError, AttributeError, DataError, ImproperlyConfigured)
"""What `requests` raises is an OSError, what is no JSON a ValueError, a subject that is too long ImproperlyConfigured;
the others come of claims that are missing, of another kind than they should be, or too long."""
OIDC = {"provider_id": "oidc"}
TO_SIGN_IN = RedirectView.as_view(pattern_name="account_login")


def providers(request: HttpRequest) -> list[dict[str, str]]:
    """Those that are switched on, with the address that starts each."""
    if not settings.SOCIALACCOUNT_PROVIDERS:
        return []
    return [{"name": one.name, "url": one.get_login_url(request)} for one in get_adapter().list_providers(request)]


class Connections(Unprocessable, allauth_views.ConnectionsView):  # type: ignore[misc]
    success_url = reverse_lazy("socialaccount_connections")
    labels = {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = self.request.user
        assert isinstance(user, User)
        extra = {"linked": account_page.linked(user), "providers": providers(self.request)}
        return {**super().get_context_data(**kwargs), **extra}


@login_not_required
def login_error(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = allauth_views.login_error(request)
    return answer


def answers(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view that asks the provider; one that is away, or answers nonsense, leads back with words about it. Who begins
    leaves a row of sessions, so a stranger begins only so often.
    """

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "HEAD":
            request.method = "GET"  # For allauth whatever is not GET begins the way.
        begins = request.method == "POST" and not request.user.is_authenticated
        if begins and (refused := beginning(request)):
            return refused
        try:
            response = view(request, *args, **kwargs)
            kept_on_the_way(request)
            return response
        except NONSENSE as error:
            trace = None if isinstance(error, OSError) else error
            log.warning("provider_does_not_answer", view=view.__name__, why=type(error).__name__, exc_info=trace)
            words = _("The provider does not answer as it should. Sign in another way, or try again in a moment.")
            messages.error(request, words)
            return redirect("account.index" if request.user.is_authenticated else "account_login")

    return asked


def patterns() -> list[URLPattern]:
    found = [
        path("linked/", Connections.as_view(), name="socialaccount_connections"),
        path("linked/cancelled/", allauth_views.login_cancelled, name="socialaccount_login_cancelled"),
        path("linked/error/", login_error, name="socialaccount_login_error"),
        # Named by allauth; the adapter has answered before anybody gets there.
        path(
            "linked/signup/",
            login_not_required(RedirectView.as_view(pattern_name="account_login")),
            name="socialaccount_signup",
        ),
    ]
    if "openid_connect" in settings.SOCIALACCOUNT_PROVIDERS:
        from allauth.socialaccount.providers.openid_connect import views as oidc

        found += [
            path("oidc/login/", answers(oidc.login), OIDC, name="openid_connect_login"),
            path("oidc/login/callback/", answers(oidc.callback), OIDC, name="openid_connect_callback"),
        ]
    if "google" in settings.SOCIALACCOUNT_PROVIDERS:
        from allauth.socialaccount.providers.google import views as google

        found += [
            path("google/login/", answers(google.oauth2_login), name="google_login"),
            path("google/login/callback/", answers(google.oauth2_callback), name="google_callback"),
        ]
    if "github" in settings.SOCIALACCOUNT_PROVIDERS:
        from allauth.socialaccount.providers.github import views as github

        found += [
            path("github/login/", answers(github.oauth2_login), name="github_login"),
            path("github/login/callback/", answers(github.oauth2_callback), name="github_callback"),
        ]
    return found
