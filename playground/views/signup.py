"""Making an account with an address of an allowed domain: ask for a mail, follow its link, choose a password."""

from allauth.account.utils import perform_login
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from playground import accounts
from playground.forms.people import AskForm, FinishForm
from playground.models import Membership
from playground.services import mailing, rates, signups
from playground.services.people import TEAM_IN_SESSION, LinkEnded
from playground.views.errors import RETRY_AFTER, often_words
from playground.views.limited import wrong_tokens_counted
from playground.views.signin_link import link_ended, private


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The same answer for an address that has an account and one that has none."""
    if request.user.is_authenticated or not signups.is_open():
        return redirect("account.index" if request.user.is_authenticated else "account_login")
    form = AskForm(request.POST if request.method == "POST" else None)
    if form.is_bound and not accounts.may_sign_up(request):
        return _refused(request, form, 429, _("Too many tries. Wait a minute."))
    if form.is_valid():
        return _asked(request, form)
    return _form(request, form, 422 if form.is_bound else 200)


def _asked(request: HttpRequest, form: AskForm) -> HttpResponse:
    """Few mails to one address, whoever asks."""
    email = form.cleaned_data["email"]
    if signups.is_allowed(email) and (seconds := rates.take("signup_mail", email.strip().lower())):
        return _refused(request, form, 429, often_words(seconds), wait_s=seconds)
    try:
        signups.ask(email=email, base_url=settings.PUBLIC_URL)
    except signups.NotAllowed:
        return _refused(request, form, 422, _("Accounts are for addresses at %(domains)s.") % {"domains": _domains()})
    except mailing.NotMailed:
        words = _("The mail could not be sent. Try again in a few minutes, or ask an admin for an invitation.")
        return _refused(request, form, 503, words)
    return render(request, "signup/sent.html", {"email": email})


def _refused(request: HttpRequest, form: AskForm, status: int, why: str, *, wait_s: int = RETRY_AFTER) -> HttpResponse:
    """The form with what was typed, and why not beside the field."""
    form.add_error("email", why)
    response = _form(request, form, status)
    if status in {429, 503}:
        response.headers["Retry-After"] = str(wait_s)
    return response


def _form(request: HttpRequest, form: AskForm, status: int) -> HttpResponse:
    return render(request, "signup/index.html", {"form": form, "domains": _domains()}, status=status)


def _domains() -> str:
    return ", ".join(settings.SIGNUP_DOMAINS)


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@wrong_tokens_counted
@require_http_methods(["GET", "HEAD", "POST"])
def finish(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link changes nothing; 410 for one that is wrong, old or was used."""
    form = FinishForm(request.POST if request.method == "POST" else None)
    try:
        email = signups.open_request(token=token)
        if form.is_valid():
            membership = signups.finish(token=token, **form.cleaned_data)
            return _signed_in(request, membership)
    except LinkEnded:
        return link_ended(request)
    except ValidationError as error:
        form.add_error("password", error)
    context = {"form": form, "email": email, "team": signups.team_to_join()}
    return private(render(request, "signup/finish.html", context, status=422 if form.is_bound else 200))


def _signed_in(request: HttpRequest, membership: Membership) -> HttpResponse:
    """By allauth, so that the session is listed with the person's others and ends with them."""
    lands = reverse("create.index" if membership.may_create else "gallery.index")
    answer: HttpResponse = perform_login(request, membership.user, redirect_url=lands)
    request.session[TEAM_IN_SESSION] = membership.team.slug
    return answer


urlpatterns: list[URLPattern] = [
    path("signup/", index, name="account_signup"),
    path("signup/<str:token>/", finish, name="signup.finish"),
]
