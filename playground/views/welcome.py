"""The first step of an installation: the holder of the printed link becomes the first admin."""

from allauth.account.utils import perform_login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from playground.forms.people import WelcomeForm
from playground.services import people
from playground.views.limited import wrong_tokens_counted
from playground.views.signin_link import link_ended, private


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@wrong_tokens_counted
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link changes nothing; the button makes account and team, uses the link up and signs in."""
    try:
        people.open_link(token=token, welcome=True)
    except people.LinkEnded:
        return link_ended(request)
    if request.method != "POST":
        return private(render(request, "welcome/index.html", {"form": WelcomeForm()}))
    form = WelcomeForm(request.POST)
    if form.is_valid():
        try:
            membership = people.welcome(token=token, **form.cleaned_data)
        except people.LinkEnded:
            return link_ended(request)
        except ValidationError as error:
            form.add_error("password", error)
        else:
            answer: HttpResponse = perform_login(request, membership.user, redirect_url=reverse("create.index"))
            return answer
    return private(render(request, "welcome/index.html", {"form": form}, status=422))
