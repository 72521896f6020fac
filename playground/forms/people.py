"""Who somebody is: their name, and the ways to make an account: the first admin's, an invited person's, and that of
somebody whose mailbox is at an allowed domain.
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from playground.models import Team, User

EMAIL_LENGTH = User._meta.get_field("email").max_length


def _name(label: Any) -> forms.CharField:
    most = User._meta.get_field("name").max_length
    return forms.CharField(label=label, max_length=most, widget=forms.TextInput(attrs={"autocomplete": "name"}))


def _email(help_text: Any = "", *, autocomplete: str = "username") -> forms.EmailField:
    return forms.EmailField(
        label=_("E-mail address"),
        max_length=EMAIL_LENGTH,
        help_text=help_text,
        widget=forms.EmailInput(attrs={"autocomplete": autocomplete}),
    )


def _new_password() -> forms.CharField:
    return forms.CharField(
        label=_("Password"),
        strip=False,
        max_length=1000,
        help_text=_("At least 10 characters, not a common word."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class NameForm(forms.Form):
    """One's own name."""

    name = _name(_("Name"))


class WelcomeForm(forms.Form):
    """The first person of an installation and their team."""

    name = _name(_("Your name"))
    team_name = forms.CharField(
        label=_("Team name"),
        max_length=Team._meta.get_field("name").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    email = _email(_("You sign in with it. Nothing is sent to it."))
    password = _new_password()


class JoinForm(forms.Form):
    """An account to take an open seat in a team."""

    name = _name(_("Your name"))
    email = _email(_("You sign in with it."))
    password = _new_password()


class AskForm(forms.Form):
    """The first step for an address of an allowed domain: where the link goes."""

    email = _email(autocomplete="email")


class FinishForm(forms.Form):
    """The second one: the address is proven by the link."""

    name = _name(_("Your name"))
    password = _new_password()
