"""Making an account to take an open seat in a team; and the form that opens one."""

from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.models import Role, User

DAYS = {1: gettext_lazy("1 day"), 7: gettext_lazy("7 days"), 30: gettext_lazy("30 days")}


class JoinForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=User._meta.get_field("name").max_length,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"),
        max_length=User._meta.get_field("email").max_length,
        help_text=gettext_lazy("You sign in with it."),
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=1000,
        help_text=gettext_lazy("At least 10 characters, not a common word."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def refuse(self, field: str | None, error: ValidationError | str) -> None:
        self.add_error(field, error)


class InviteForm(forms.Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices, initial=Role.CREATOR)
    email = forms.EmailField(
        label=gettext_lazy("E-mail address"), required=False, max_length=User._meta.get_field("email").max_length
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Good for"),
        choices=list(DAYS.items()),
        coerce=int,
        empty_value="7",
        required=False,
        initial=7,
    )
    sees_spend = forms.BooleanField(label=gettext_lazy("Sees spend"), required=False, initial=True)

    def asked(self) -> dict[str, Any]:
        """For `invitations.invite`."""
        data = self.cleaned_data
        return {
            "role": Role(data["role"]),
            "email": data["email"],
            "sees_spend": data["sees_spend"],
            "lifetime": timedelta(days=int(data["days"])),
        }

    def refuse_mailbox(self) -> None:
        self.add_error("email", _("Somebody with this address is in the team already."))
