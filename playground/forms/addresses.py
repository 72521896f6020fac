"""People who cannot sign in are found by their own address alone.

allauth looks among the addresses that wait to be proven too: whoever had typed a colleague's would get the colleague,
with their mailbox, into an account of theirs. An account that was made with an address which nobody proved goes to the
owner of the mailbox with all that signed in to it before at an end (`profiles.prove_by_mailbox`); but not past a second
factor, whose holder is somebody.
"""

from allauth.account import forms as account_forms

from playground.models import User
from playground.services import factors, profiles


def active_owner_of(email: str) -> User | None:
    owner = profiles.owner_of(email)
    if owner is None or not owner.is_active:
        return None
    return owner if profiles.is_proven(owner) or not factors.has_one(owner) else None


class RequestLoginCodeForm(account_forms.RequestLoginCodeForm):  # type: ignore[misc]
    """A mail goes to the address as it is kept, whoever's it is."""

    def clean_email(self) -> str:
        email: str = super().clean_email().lower()
        self._user = active_owner_of(email)
        return email


class ResetPasswordForm(account_forms.ResetPasswordForm):  # type: ignore[misc]
    """As above."""

    def clean_email(self) -> str:
        email: str = super().clean_email().lower()
        owner = active_owner_of(email)
        self.users = [owner] if owner else []
        return email
