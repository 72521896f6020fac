"""The form that opens a seat in a team."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from playground.forms.people import EMAIL_LENGTH
from playground.models import Role

DAYS = {1: _("1 day"), 7: _("7 days"), 30: _("30 days")}


class InviteForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.CREATOR)
    email = forms.EmailField(label=_("E-mail address"), required=False, max_length=EMAIL_LENGTH)
    days = forms.TypedChoiceField(
        label=_("Good for"),
        choices=list(DAYS.items()),
        coerce=int,
        empty_value="7",
        required=False,
        initial=7,
    )
    sees_spend = forms.BooleanField(label=_("Sees spend"), required=False, initial=True)

    def asked(self) -> dict[str, Any]:
        """For `invitations.invite`."""
        data = self.cleaned_data
        return {
            "role": Role(data["role"]),
            "email": data["email"],
            "sees_spend": data["sees_spend"],
            "lifetime": timedelta(days=int(data["days"])),
        }
