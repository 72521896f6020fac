"""Signing in at an identity provider, and the accounts there that are linked with one's own.

Each provider is there only when its variables are set. What a provider says is judged by `playground.accounts_social`.
"""

from typing import Any

from allauth.socialaccount import views as allauth_views
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse_lazy
from django.views.generic import RedirectView

from playground.models import User
from playground.views import account_page
from playground.views.account_forms import Unprocessable

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
            path("oidc/login/", oidc.login, OIDC, name="openid_connect_login"),
            path("oidc/login/callback/", oidc.callback, OIDC, name="openid_connect_callback"),
        ]
    if "google" in settings.SOCIALACCOUNT_PROVIDERS:
        from allauth.socialaccount.providers.google import views as google

        found += [
            path("google/login/", google.oauth2_login, name="google_login"),
            path("google/login/callback/", google.oauth2_callback, name="google_callback"),
        ]
    if "github" in settings.SOCIALACCOUNT_PROVIDERS:
        from allauth.socialaccount.providers.github import views as github

        found += [
            path("github/login/", github.oauth2_login, name="github_login"),
            path("github/login/callback/", github.oauth2_callback, name="github_callback"),
        ]
    return found
