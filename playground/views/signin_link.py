"""A one-time link to sign in. Mail scanners open links, so opening it changes nothing: its button uses it up."""

from allauth.account.utils import perform_login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from playground.services import people
from playground.views.limited import wrong_tokens_counted


@login_not_required
@never_cache
@wrong_tokens_counted
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, token: str) -> HttpResponse:
    """410 for a wrong, used or old link: one page for all three."""
    try:
        link = people.open_link(token=token, welcome=False)
        if request.method != "POST":
            return private(render(request, "signin_link/index.html", {"person": link.user}))
        user = people.use_signin_link(token=token)
    except people.LinkEnded:
        return link_ended(request)
    # Not `login`: the link stands for the password, a second factor is asked for all the same.
    answer: HttpResponse = perform_login(request, user, redirect_url=reverse("create.index"))
    return answer


def link_ended(request: HttpRequest, *, is_invitation: bool = False) -> HttpResponse:
    context = {"nobody_yet": people.nobody_yet(), "is_invitation": is_invitation}
    return private(render(request, "signin_link/ended.html", context, status=410))


def private(response: HttpResponse) -> HttpResponse:
    """The address is a secret: it is not passed on to any page elsewhere that is opened from here."""
    response.headers["Referrer-Policy"] = "same-origin"
    return response
