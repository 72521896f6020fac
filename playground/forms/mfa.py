"""Codes and passkeys: allauth's forms with our words, and each code taken once.

Two presses with one code at the same moment, and a code of the app pressed again within the minute and a half that it
fits: both are refused. The person's row is held while a code is looked at, so that codes are looked at one by one.
"""

import struct
from typing import Any

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    EditWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from allauth.mfa.webauthn.internal import auth
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from playground.forms import questions
from playground.forms.codes import CountedCode
from playground.forms.questions import For
from playground.models import User

CODE_FITS_S = 120
"""Seconds: longer than a code of the app can fit, with the half minute either way that is forgiven."""
CODE_LABEL = _("Code from the app, or a recovery code")
MAX_NAME = 60
MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, RecursionError, TypeError, ValueError, struct.error)
"""What reading a passkey's answer may meet in one that no browser made."""


class OnceOnly:
    """Mixed into the forms that take a code, behind CountedCode: tries are counted outside of the transaction."""

    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        # The refusal is raised outside of the transaction: inside it would take back what allauth counts in the cache.
        refused: ValidationError | None = None
        code = ""
        with transaction.atomic():
            User.objects.select_for_update(no_key=True).get(pk=self.user.pk)
            try:
                code = super().clean_code()  # type: ignore[misc]
                self._take(code)
            except ValidationError as error:
                refused = error
        if refused:
            raise refused
        return code

    def _take(self, code: str) -> None:
        if self.authenticator.type == Authenticator.Type.TOTP and not _is_first(self.user, code):
            raise get_adapter().validation_error("incorrect_code")


def _is_first(user: User, code: str) -> bool:
    return bool(cache.add(f"mfa-code-taken:{user.pk}:{normalize_user_code(code)}", "y", timeout=CODE_FITS_S))


def _dressed(field: forms.Field, label: Any) -> None:
    field.label = label
    field.widget.attrs["autocomplete"] = "one-time-code"


class CodeForm(CountedCode, OnceOnly, AuthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dressed(self.fields["code"], CODE_LABEL)


class CodeAgainForm(CountedCode, OnceOnly, ReauthenticateForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dressed(self.fields["code"], CODE_LABEL)


class AppForm(ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _dressed(self.fields["code"], _("Code that the app shows now"))

    def clean_code(self) -> str:
        """A code that sets the app up signs in nobody."""
        code: str = super().clean_code()
        _is_first(self.user, code)
        return code


class NewPasskeyForm(AddWebAuthnForm):  # type: ignore[misc]
    """Every passkey can sign in by itself: it stays on its device and asks for a finger, a face or a PIN."""

    name = forms.CharField(required=False, max_length=MAX_NAME, label=_("Name"))
    credential = forms.JSONField(required=True, widget=forms.HiddenInput)
    passwordless = None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        cleaned["passwordless"] = True
        if "credential" not in cleaned:
            return cleaned
        if not cleaned["credential"]:  # allauth would pass over 0 and false
            raise get_adapter().validation_error("incorrect_code")
        try:
            with questions.answered(For.NEW_PASSKEY, of=self.user):
                cleaned = super().clean()
        except MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return cleaned


class Careful:
    """Mixed into the forms that take a passkey's answer: one that no browser made is a wrong one, not a fault.

    Taken is the answer to the question that was asked for this alone, of a device that saw a finger, a face or a PIN,
    whatever the question said of that.
    """

    what: For
    user: User | None

    def full_clean(self) -> None:
        try:
            super().full_clean()  # type: ignore[misc]
        except RecursionError:  # brackets within brackets
            self.cleaned_data: dict[str, Any] = {}
            self.add_error("credential", get_adapter().validation_error("incorrect_code"))  # type: ignore[attr-defined]

    def clean_credential(self) -> Authenticator:
        try:
            with questions.answered(self.what, of=self.user):
                return self._looked_at()
        except MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error

    def _looked_at(self) -> Authenticator:
        answer = auth.parse_authentication_response(self.cleaned_data["credential"])
        if not answer.response.authenticator_data.is_user_verified():
            raise get_adapter().validation_error("incorrect_code")
        return super().clean_credential()  # type: ignore[misc]


class PasskeyForm(Careful, AuthenticateWebAuthnForm):  # type: ignore[misc]
    what = For.SECOND_STEP


class PasskeyAgainForm(Careful, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    what = For.PROOF


class PasskeyLoginForm(Careful, LoginWebAuthnForm):  # type: ignore[misc]
    what = For.SIGN_IN


class PasskeyNameForm(EditWebAuthnForm):  # type: ignore[misc]
    name = forms.CharField(max_length=MAX_NAME, label=_("Name"))
