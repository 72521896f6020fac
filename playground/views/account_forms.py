"""What the account pages of allauth have in common here: words of their fields, and statuses that tell.

Wrong input is answered with 422, too many tries with 429 and when to come again.
"""

from typing import Any

from allauth.account.internal.decorators import login_not_required as login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from playground import accounts
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
