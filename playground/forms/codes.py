"""Codes that people type to sign in: each is counted before it is looked at, and given back when it was right."""

from typing import Any

from allauth.account import forms as account_forms
from allauth.core import context

from playground import accounts
from playground.services import rates


class CountedCode:
    """Before a form of allauth with a field `code`. Its `tries_of` says in which limits a wrong one counts."""

    def tries_of(self) -> list[rates.Key]:
        return [("second_factor", str(self.user.pk))]  # type: ignore[attr-defined]  # forms of allauth.mfa have one

    def clean_code(self) -> Any:
        try:
            with rates.guess(*self.tries_of()):
                return super().clean_code()  # type: ignore[misc]
        except rates.TooOften as error:
            raise accounts.refusal(context.request, error.seconds, accounts.words_for(error.seconds)) from None


class ConfirmLoginCodeForm(CountedCode, account_forms.ConfirmLoginCodeForm):  # type: ignore[misc]
    """A code from a mail, counted by the session that asked for it: also where no mail was sent, since nobody has the
    address, and that must not be told apart.
    """

    def tries_of(self) -> list[rates.Key]:
        return [("login_code", str(context.request.session.session_key))]
