"""The pages of an account: signing in and out, the password, the address; and one page that gathers it all.

Most are thin subclasses of allauth's views, and each address that is in use is listed here or in a list that is joined
here. What sends mail is mounted only when mail is set, what asks a provider only when one is set.
"""

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.decorators import reauthentication_required
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import IntegrityError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, re_path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods
from django.views.generic import RedirectView

from playground.forms.people import NameForm
from playground.models import User
from playground.second_step import lacks_one
from playground.services import factors, mailing, profiles, signups
from playground.services.people import nobody_yet
from playground.views import account_page, mfa, sessions, signup, social
from playground.views.account_forms import NOT_MAILED, PROVEN, Mails, Unprocessable


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """Everything about one's own account, with the way to change it. The form on the page itself is the name's."""
    assert isinstance(request.user, User)
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": request.user.name})
    if form.is_bound and form.is_valid():
        profiles.rename(user=request.user, name=form.cleaned_data["name"])
        messages.success(request, _("The name is saved."))
        return redirect("account.index")
    context = {**account_page.facts(request.user), "form": form}
    return render(request, "account/index.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Where `REQUIRE_MFA` leads whoever has to set up a second factor and has none yet."""
    assert isinstance(request.user, User)
    if not lacks_one(request.user):
        return redirect("create.index")
    return render(request, "account/second_step.html", {"passkeys_offered": settings.PASSKEYS_OFFERED})


class Login(Unprocessable, allauth_views.LoginView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        extra = {
            "nobody_yet": nobody_yet(),
            "mail_is_set": settings.MAIL_IS_SET,
            "passkeys": mfa.passkey_page(self.request),
            "providers": social.providers(self.request),
            "signup_is_open": signups.is_open(),
        }
        return {**super().get_context_data(**kwargs), **extra}


class Reauthenticate(Unprocessable, allauth_views.ReauthenticateView):  # type: ignore[misc]
    labels = {"password": _("Password")}
    retry_after = 300


class PasswordChange(Unprocessable, allauth_views.PasswordChangeView):  # type: ignore[misc]
    pass


@method_decorator(reauthentication_required(app="allauth.account"), name="dispatch")
class PasswordSet(Unprocessable, allauth_views.PasswordSetView):  # type: ignore[misc]
    """Somebody without a password, but with a passkey or an app, shows that first."""


class PasswordReset(Mails, allauth_views.PasswordResetView):  # type: ignore[misc]
    pass


class PasswordResetFromKey(Unprocessable, allauth_views.PasswordResetFromKeyView):  # type: ignore[misc]
    def form_valid(self, form: Any) -> HttpResponse:
        if not factors.has_one(self.reset_user):
            profiles.prove_by_mailbox(user=self.reset_user)
        answer: HttpResponse = super().form_valid(form)
        return answer


class RequestLoginCode(Mails, allauth_views.RequestLoginCodeView):  # type: ignore[misc]
    pass


class ConfirmLoginCode(Unprocessable, allauth_views.ConfirmLoginCodeView):  # type: ignore[misc]
    def _verify_form_valid(self, form: Any) -> HttpResponse:
        if profiles.prove_by_mailbox(user=self._process.user):
            messages.info(self.request, PROVEN)
        answer: HttpResponse = super()._verify_form_valid(form)
        return answer


@method_decorator(reauthentication_required(app="allauth.account"), name="dispatch")
class Email(Mails, allauth_views.EmailView):  # type: ignore[misc]
    """The new address counts once the link that goes to it was followed; until then the old one stays."""

    labels = {"email": _("New e-mail address")}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Past allauth's own, which would take an address that is not proven for one that is to come, and drop it."""
        assert isinstance(request.user, User)
        profiles.forget_unproven(user=request.user)
        self._did_send_verification_email = False
        self._waiting = profiles.address_to_come(user=request.user)
        answer: HttpResponse = super(allauth_views.EmailView, self).dispatch(request, *args, **kwargs)
        return answer

    def not_mailed(self, form: Any) -> HttpResponse:
        assert isinstance(self.request.user, User)
        profiles.keep_waiting_for(user=self.request.user, was=self._waiting)
        return super().not_mailed(form)

    def _action_send(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        try:
            answer: HttpResponse | None = super()._action_send(request, *args, **kwargs)
        except mailing.NotMailed:
            messages.error(request, NOT_MAILED)
            return None
        return answer


class ConfirmEmail(LoginRequiredMixin, allauth_views.ConfirmEmailView):  # type: ignore[misc]
    """For the account that asked alone: whoever can read the mailbox may not know that it asks for somebody else's."""

    def get_object(self, queryset: Any = None) -> Any:
        found = super().get_object(queryset)
        if found.email_address.user_id != self.request.user.pk:
            raise Http404("another account asked")
        return found

    def post(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Somebody else may have taken the address since the mail was sent: then the link has ended."""
        try:
            with transaction.atomic():
                response: HttpResponse = super().post(*args, **kwargs)
        except IntegrityError:
            self.object = None
            response = self.render_to_response(self.get_context_data())
            response.status_code = 422
        return response


always: list[URLPattern] = [
    path("", index, name="account.index"),
    path("login/", Login.as_view(), name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("second-step/", second_step, name="account.second_step"),
    path("inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("reauthenticate/", Reauthenticate.as_view(), name="account_reauthenticate"),
    path("password/change/", PasswordChange.as_view(), name="account_change_password"),
    path("password/set/", PasswordSet.as_view(), name="account_set_password"),
]

with_mail: list[URLPattern] = [
    path("login/code/", RequestLoginCode.as_view(), name="account_request_login_code"),
    path("login/code/confirm/", ConfirmLoginCode.as_view(), name="account_confirm_login_code"),
    path("email/", Email.as_view(), name="account_email"),
    re_path(r"^confirm-email/(?P<key>[-:\w]+)/$", ConfirmEmail.as_view(), name="account_confirm_email"),
    path("password/reset/", PasswordReset.as_view(), name="account_reset_password"),
    path("password/reset/done/", allauth_views.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        PasswordResetFromKey.as_view(),
        name="account_reset_password_from_key",
    ),
    path(
        "password/reset/key/done/",
        allauth_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]

closed_signup: list[URLPattern] = [
    # allauth names this address in mails to people it does not know.
    path("signup/", RedirectView.as_view(pattern_name="account_login"), name="account_signup"),
]


def _patterns() -> list[URLPattern]:
    """What is switched on."""
    found = always + sessions.urlpatterns + mfa.patterns()
    if settings.MAIL_IS_SET:
        found += with_mail + (signup.urlpatterns if settings.SIGNUP_DOMAINS else closed_signup)
    if settings.SOCIALACCOUNT_PROVIDERS:
        found += social.patterns()
    return found


urlpatterns: list[URLPattern] = _patterns()
