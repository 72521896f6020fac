"""A second factor and passkeys: an app that shows codes, recovery codes, passkeys; and their use at signing in.

Thin subclasses of allauth's views. Passkeys are offered only where browsers make them (`PASSKEYS_OFFERED`); all that
changes a factor asks first who is there. After it one is back on the page of the account.
"""

import json
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.base import views as base
from allauth.mfa.recovery_codes import views as recovery
from allauth.mfa.totp import views as totp
from allauth.mfa.webauthn import views as webauthn
from allauth.mfa.webauthn.internal import flows as webauthn_flows
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.generic import RedirectView

from playground.forms import questions
from playground.forms.questions import For
from playground.services import factors
from playground.views.account_forms import Unprocessable
from playground.views.limited import beginning, kept_on_the_way

ACCOUNT = reverse_lazy("account.index")


def passkey_page(request: HttpRequest) -> dict[str, Any] | None:
    """What a page with a passkey button needs to know; None where none is offered.

    Opened under another name than PUBLIC_URL's, the page says under which one passkeys work.
    """
    if not settings.PASSKEYS_OFFERED:
        return None
    here = request.get_host().partition(":")[0] == settings.PASSKEY_HOST
    return {"here": here, "public_url": settings.PUBLIC_URL}


class WithPasskey(Unprocessable):
    """A page whose button asks the browser for a passkey, with the question for the browser in its form."""

    labels = {}
    what: For

    def of(self) -> Any:
        """Whose passkey the page asks for."""
        return self.request.user

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]
        asked = found.get("js_data", {})
        question = asked.get("request_options") or asked.get("creation_options")
        if question:
            questions.note(self.what, of=self.of())
        found["question"] = json.dumps(question, cls=DjangoJSONEncoder) if question else ""
        return {**found, "passkeys": passkey_page(self.request)}


class Authenticate(WithPasskey, base.AuthenticateView):  # type: ignore[misc]
    what = For.SECOND_STEP

    def of(self) -> Any:
        return self.stage.login.user

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        has_passkey = factors.has_passkey(self.stage.login.user)
        return {**super().get_context_data(**kwargs), "has_passkey": has_passkey and settings.PASSKEYS_OFFERED}


class Reauthenticate(WithPasskey, base.ReauthenticateView):  # type: ignore[misc]
    pass


class ReauthenticateByPasskey(WithPasskey, webauthn.ReauthenticateWebAuthnView):  # type: ignore[misc]
    what = For.PROOF

    def form_invalid(self, form: Any) -> HttpResponse:
        """allauth leads to the sign-in page, which sends somebody who is signed in away."""
        answer: HttpResponse = self.render_to_response(self.get_context_data(refused=True), status=422)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(), **kwargs}


class LoginByPasskey(WithPasskey, webauthn.LoginWebAuthnView):  # type: ignore[misc]
    template_name = "mfa/webauthn/login.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A script gets the question for the browser, which the session keeps; others are led to the sign-in page."""
        is_asked = get_adapter().is_ajax(request)
        if is_asked and (refused := beginning(request)):
            return refused
        answer: HttpResponse = super().get(request, *args, **kwargs)
        if is_asked:
            questions.note(For.SIGN_IN)
        kept_on_the_way(request)
        return answer

    def form_invalid(self, form: Any) -> HttpResponse:
        answer: HttpResponse = self.render_to_response(self.get_context_data(form=form), status=422)
        return answer

    def form_valid(self, form: Any) -> HttpResponse:
        passkey = form.cleaned_data["credential"]
        login = Login(user=passkey.user, redirect_url=get_next_redirect_url(self.request))
        answer: HttpResponse = webauthn_flows.perform_passwordless_login(self.request, passkey, login)
        return answer


class ActivateApp(Unprocessable, totp.ActivateTOTPView):  # type: ignore[misc]
    labels = {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        secret = found["form"].secret
        spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
        return {**found, "qr": factors.qr_code(found["totp_url"]), "secret": secret, "secret_spaced": spaced}

    def get_success_url(self) -> str:
        return super().get_success_url() if self.did_generate_recovery_codes else str(ACCOUNT)


class DeactivateApp(Unprocessable, totp.DeactivateTOTPView):  # type: ignore[misc]
    success_url = ACCOUNT


@method_decorator(never_cache, name="dispatch")
class RecoveryCodes(recovery.ViewRecoveryCodesView):  # type: ignore[misc]
    pass


class NewRecoveryCodes(Unprocessable, recovery.GenerateRecoveryCodesView):  # type: ignore[misc]
    pass


class AddPasskey(WithPasskey, webauthn.AddWebAuthnView):  # type: ignore[misc]
    what = For.NEW_PASSKEY

    def get_success_url(self) -> str:
        return super().get_success_url() if self.did_generate_recovery_codes else str(ACCOUNT)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(), **kwargs}

    def form_invalid(self, form: Any) -> HttpResponse:
        refused = "credential" in form.errors or bool(form.non_field_errors())
        answer: HttpResponse = self.render_to_response(self.get_context_data(form=form, refused=refused), status=422)
        return answer


class RenamePasskey(Unprocessable, webauthn.EditWebAuthnView):  # type: ignore[misc]
    labels = {"name": _("Name")}
    success_url = ACCOUNT


class RemovePasskey(webauthn.RemoveWebAuthnView):  # type: ignore[misc]
    success_url = ACCOUNT

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        return {**found, "is_last_factor": factors.is_last(self.object)}


always: list[URLPattern] = [
    path("two-factor/", RedirectView.as_view(pattern_name="account.index"), name="mfa_index"),
    path("two-factor/authenticate/", Authenticate.as_view(), name="mfa_authenticate"),
    path("two-factor/reauthenticate/", Reauthenticate.as_view(), name="mfa_reauthenticate"),
    path("app/add/", ActivateApp.as_view(), name="mfa_activate_totp"),
    path("app/remove/", DeactivateApp.as_view(), name="mfa_deactivate_totp"),
    path("recovery-codes/", RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path("recovery-codes/new/", NewRecoveryCodes.as_view(), name="mfa_generate_recovery_codes"),
    path("recovery-codes/download/", recovery.download_recovery_codes, name="mfa_download_recovery_codes"),
    # Named by allauth for whoever has a passkey, also where none is offered any more.
    path("passkeys/reauthenticate/", ReauthenticateByPasskey.as_view(), name="mfa_reauthenticate_webauthn"),
]

with_passkeys: list[URLPattern] = [
    path("passkeys/login/", LoginByPasskey.as_view(), name="mfa_login_webauthn"),
    path("passkeys/add/", AddPasskey.as_view(), name="mfa_add_webauthn"),
    path("passkeys/<int:pk>/edit/", RenamePasskey.as_view(), name="mfa_edit_webauthn"),
    path("passkeys/<int:pk>/remove/", RemovePasskey.as_view(), name="mfa_remove_webauthn"),
]


def patterns() -> list[URLPattern]:
    return always + (with_passkeys if settings.PASSKEYS_OFFERED else [])
