"""Codes that people type to sign in: each is counted before it is looked at, and given back when it was right.

Codes of a second factor, those of the app and recovery codes alike, are counted two ways (`playground/rate_limits.py`
has the numbers): 5 at once and 20 an hour for a person from one client, 30 at once and 30 an hour for a person from
everywhere. The tight limit is on the pair, so that a stranger who knows the password and guesses on does not keep the
owner out: one client alone never uses up the looser one. That one bounds guessing from many clients. Of a million codes
of the app three fit at a moment; 720 are looked at in a day, so a day of guessing finds one with a chance of 0.2 %, and
even odds take 320 days. Recovery codes, ten of eight digits, add a thirtieth to that. Passkeys are not counted, since
there is nothing to guess.
"""

from typing import Any

from allauth.account import forms as account_forms
from allauth.account.adapter import get_adapter
from allauth.core import context

from playground import accounts
from playground.clients import address_of
from playground.forms import addresses
from playground.services import rates


class CountedCode:
    """Before a form of allauth with a field `code`. Its `tries_of` says in which limits a wrong one counts."""

    def tries_of(self) -> list[rates.Key]:
        person = str(self.user.pk)  # type: ignore[attr-defined]  # forms of allauth.mfa have one
        return [("second_factor", f"{person} {address_of(context.request)}"), ("second_factor_person", person)]

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

    def clean_code(self) -> Any:
        """One that went to a mailbox which is not the account's any more is wrong."""
        code, stage = super().clean_code(), context.request._login_stage
        if addresses.active_owner_of(stage.state["email"]) != stage.login.user:
            raise get_adapter().validation_error("incorrect_code")
        return code
