"""What the account pages of allauth have in common here: words of their fields, and statuses that tell.

Wrong input is answered with 422, too many tries with 429 and when to come again.
"""

from typing import Any

from allauth.account.internal.decorators import login_not_required as login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from playground import accounts
from playground.services import mailing
from playground.views import errors

LABELS = {
    "login": _("E-mail address"),
    "email": _("E-mail address"),
    "oldpassword": _("Password now"),
    "password1": _("New password"),
    "password2": _("New password again"),
    "code": _("Code from the mail"),
}
TOO_MANY = (accounts.TOO_MANY, "rate_limited")
PROVEN = _(
    "Your address is confirmed. To be safe, the password, linked sign-ins and devices of before have ended. Set a new"
    " password on the page of your account."
)
NOT_MAILED = _("The mail could not be sent. Nothing was changed. Try again in a few minutes, or ask an admin.")


class Unprocessable:
    """Wrong input has a status of its own, so that programs and htmx can tell it from success; too many tries too."""

    request: HttpRequest
    retry_after = errors.RETRY_AFTER
    labels: dict[str, Any] = LABELS

    def get_form(self, *args: Any) -> Any:
        form = super().get_form(*args)  # type: ignore[misc]
        for name, field in form.fields.items():
            field.label = self.labels.get(name, field.label)
            field.help_text = _("At least 10 characters, not a common word.") if name == "password1" else ""
        return form

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        if response.status_code == 200:
            response.status_code = 422
        if any(form.has_error(name, code) for name in form.errors for code in TOO_MANY):
            response.status_code = 429
            response.headers["Retry-After"] = str(getattr(self.request, "retry_after", self.retry_after))
        return response


class Mails(Unprocessable):
    """A form that sends a mail. While the mail server takes none it says so, for every address alike."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        except mailing.NotMailed:
            return self.not_mailed(form)
        return response

    def not_mailed(self, form: Any) -> HttpResponse:
        form.add_error(None, NOT_MAILED)
        response = self.form_invalid(form)
        response.status_code = 503
        response.headers["Retry-After"] = str(errors.RETRY_AFTER)
        return response
