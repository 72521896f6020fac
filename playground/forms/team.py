"""Making a team, and settling what is so in it."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from playground.models import Role, Team
from playground.services.teams import SETTINGS

NAME_LENGTH = Team._meta.get_field("name").max_length


class NewTeamForm(forms.Form):
    name = forms.CharField(
        label=_("Team name"),
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )


class MemberForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)
    sees_spend = forms.BooleanField(required=False)


def _switch(label: Any, hint: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=hint, required=False, show_hidden_initial=True)


def _days(label: Any, most: int, words: Any, *, required: bool = True) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        required=required,
        min_value=1,
        max_value=most,
        show_hidden_initial=True,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), words),
        widget=forms.TextInput(attrs={"class": "input input--number", "inputmode": "numeric", "autocomplete": "off"}),
    )


class SettingsForm(forms.Form):
    """`meant()` after `is_valid()`: what differs from what the page was drawn with. The rest stays as it is by then."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        show_hidden_initial=True,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    retention_days = _days(
        _("Days until a video moves to the trash"),
        3650,
        _("Write a whole number from 1 to 3650, or nothing."),
        required=False,
    )
    link_days = _days(_("Days a link is good for"), 365, _("Write a whole number from 1 to 365."))
    links_may_be_endless = _switch(
        _("Links may be endless"), _("Whoever makes a link may choose that it never ends by itself.")
    )
    link_shows_prompt = _switch(_("Show the prompt"), _("Clients read the words that the video was made from."))
    link_allows_download = _switch(_("Allow the download"), _("The file itself, in full quality."))
    link_has_previews = _switch(
        _("Picture in messengers"), _("Programs that the link is pasted into fetch a picture of the video.")
    )
    link_takes_marks = _switch(_("Take marks and notes"), _("Clients may mark favourites and leave a note."))
    allow_unpriced = _switch(
        _("Allow videos without a known price"),
        _("Only at gateways that tell no price. Each such run still needs a tick, and a month takes few of them."),
    )

    def __init__(self, data: Any, *, team: Team) -> None:
        super().__init__(data, initial={name: getattr(team, name) for name in SETTINGS})

    def clean_name(self) -> str:
        return " ".join(self.cleaned_data["name"].split())

    def meant(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self.changed_data}
