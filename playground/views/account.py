"""The account pages of allauth in use here: signing in and out, and the password.

Thin subclasses: wrong input is answered with 422, and the sign-in page says which command to run while nobody has an
account. The pages that send mail are mounted only when mail is set; accounts are made by links, so there is no sign-up.
"""

from typing import Any

from allauth.account import views as allauth_views
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path
from django.utils.translation import gettext_lazy as _
from django.views.generic import RedirectView

from playground import accounts
from playground.services.people import nobody_yet
from playground.views import errors

LABELS = {
    "login": _("E-mail address"),
    "email": _("E-mail address"),
    "oldpassword": _("Password now"),
    "password1": _("New password"),
    "password2": _("New password again"),
    "code": _("Code from the mail"),
}


class Unprocessable:
    """Wrong input has a status of its own, so that programs and htmx can tell it from success; too many tries too."""

    request: HttpRequest

    def get_form(self, *args: Any) -> Any:
        form = super().get_form(*args)  # type: ignore[misc]
        for name, field in form.fields.items():
            field.label = LABELS.get(name, field.label)
            field.help_text = _("At least 10 characters, not a common word.") if name == "password1" else ""
        return form

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        if response.status_code == 200:
            response.status_code = 422
        if any(form.has_error(name, accounts.TOO_MANY) for name in form.errors):
            response.status_code = 429
            response.headers["Retry-After"] = str(getattr(self.request, "retry_after", errors.RETRY_AFTER))
        return response


class Login(Unprocessable, allauth_views.LoginView):  # type: ignore[misc]
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        extra = {"nobody_yet": nobody_yet(), "mail_is_set": settings.MAIL_IS_SET}
        return {**super().get_context_data(**kwargs), **extra}


class PasswordChange(Unprocessable, allauth_views.PasswordChangeView):  # type: ignore[misc]
    pass


class PasswordSet(Unprocessable, allauth_views.PasswordSetView):  # type: ignore[misc]
    pass


class PasswordReset(Unprocessable, allauth_views.PasswordResetView):  # type: ignore[misc]
    pass


class PasswordResetFromKey(Unprocessable, allauth_views.PasswordResetFromKeyView):  # type: ignore[misc]
    pass


class RequestLoginCode(Unprocessable, allauth_views.RequestLoginCodeView):  # type: ignore[misc]
    pass


class ConfirmLoginCode(Unprocessable, allauth_views.ConfirmLoginCodeView):  # type: ignore[misc]
    pass


always: list[URLPattern] = [
    path("login/", Login.as_view(), name="account_login"),
    path("logout/", allauth_views.logout, name="account_logout"),
    path("inactive/", allauth_views.account_inactive, name="account_inactive"),
    path("password/change/", PasswordChange.as_view(), name="account_change_password"),
    path("password/set/", PasswordSet.as_view(), name="account_set_password"),
]

with_mail: list[URLPattern] = [
    path("login/code/", RequestLoginCode.as_view(), name="account_request_login_code"),
    path("login/code/confirm/", ConfirmLoginCode.as_view(), name="account_confirm_login_code"),
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
    # allauth names this address in mails to people it does not know.
    path("signup/", RedirectView.as_view(pattern_name="account_login"), name="account_signup"),
]

urlpatterns: list[URLPattern] = always + (with_mail if settings.MAIL_IS_SET else [])
