"""Forms of share links: the settings of one, the password that one asks for, what its holder says of a video."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from django import forms
from django.core.validators import MaxValueValidator
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.models import Membership, ShareLink
from playground.models.share import NOTE_LENGTH
from playground.services import sharing
from playground.services.sharing import Terms

PASSWORD_LENGTH = 6
NAME_LENGTH = 80


def _switch(label: Any, hint: Any) -> forms.BooleanField:
    return forms.BooleanField(label=label, help_text=hint, required=False)


class ShareForm(forms.Form):
    """`terms()` after `is_valid()`. Of an existing link what is not touched stays: its end, and its password."""

    name = forms.CharField(
        label=gettext_lazy("For whom"),
        max_length=NAME_LENGTH,
        help_text=gettext_lazy("One link for each recipient. Only your team reads this name."),
        error_messages={"required": gettext_lazy("Write for whom the link is.")},
        widget=forms.TextInput(attrs={"class": "input", "dir": "auto", "autocomplete": "off"}),
    )
    days = forms.IntegerField(
        label=gettext_lazy("Ends after"),
        required=False,
        min_value=1,
        widget=forms.NumberInput(attrs={"class": "input input--number", "inputmode": "numeric"}),
        error_messages={"invalid": gettext_lazy("Write a number of days.")},
    )
    never_ends = forms.BooleanField(label=gettext_lazy("Never ends"), required=False)
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        min_length=PASSWORD_LENGTH,
        max_length=100,
        widget=forms.TextInput(
            attrs={"class": "input", "autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    drops_password = forms.BooleanField(label=gettext_lazy("Ask for no password any more"), required=False)
    allows_download = _switch(
        gettext_lazy("Download"),
        gettext_lazy("A button that saves the file. Without it a determined viewer can still record what plays."),
    )
    shows_prompt = _switch(gettext_lazy("Prompt"), gettext_lazy("The words that it was made from."))
    shows_cost = _switch(gettext_lazy("Cost"), gettext_lazy("What the video cost."))
    takes_marks = _switch(
        gettext_lazy("Favourites and notes"),
        gettext_lazy("They may mark favourites and leave one note for each video. Your team reads them."),
    )
    has_previews = _switch(
        gettext_lazy("Previews in messengers"),
        gettext_lazy("A picture appears where the link is pasted. Those services then see it. Not with a password."),
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, by: Membership, link: ShareLink | None = None, **options: Any
    ) -> None:
        self.link = link
        start = of_link(link) if link else sharing.suggested(by)
        initial = {"name": start.name, "days": start.days, **start.switches(), "never_ends": start.days is None}
        super().__init__(data, initial=initial | options.pop("initial", {}), **options)
        most = sharing.most_days(by.team)
        days: Any = self.fields["days"]
        days.max_value = most
        days.validators.append(MaxValueValidator(most))
        days.widget.attrs |= {"min": 1, "max": most}
        if not by.team.links_may_be_endless:
            del self.fields["never_ends"]
        if not (link and link.password):
            del self.fields["drops_password"]
        if not by.may_see_spend:
            del self.fields["shows_cost"]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.is_endless and values.get("days") is None and "days" not in self.errors and not self.keeps_end:
            self.add_error("days", _("Write after how many days the link ends."))
        if "\r" in str(values.get("name", "")) or "\n" in str(values.get("name", "")):
            self.add_error("name", _("Write the name in one line."))
        return values

    @property
    def switches(self) -> list[forms.BoundField]:
        return [self[name] for name in SWITCH_ORDER if name in self.fields]

    @property
    def is_endless(self) -> bool:
        return bool(self.cleaned_data.get("never_ends"))

    @property
    def keeps_end(self) -> bool:
        return self.link is not None and not {"days", "never_ends"} & set(self.changed_data)

    @property
    def keeps_password(self) -> bool:
        return not self.cleaned_data.get("password") and not self.cleaned_data.get("drops_password")

    def terms(self) -> Terms:
        values = self.cleaned_data
        switches = {name: bool(values.get(name)) for name in sharing.SWITCHES}
        if "shows_cost" not in self.fields and self.link:
            switches["shows_cost"] = self.link.shows_cost
        days = None if self.is_endless else values.get("days")
        if self.keeps_end and self.link:
            days = days_left(self.link)
        return Terms(name=values.get("name", ""), days=days, password=values.get("password", ""), **switches)

    def as_typed(self, by: Membership) -> Self:
        """The same form without judgement, for one that only asked to be shown."""
        typed = {name: self[name].value() for name in self.fields}
        return type(self)(None, by=by, link=self.link, initial=typed)


SWITCH_ORDER = ("allows_download", "shows_prompt", "shows_cost", "takes_marks", "has_previews")


def of_link(link: ShareLink) -> Terms:
    switches = {name: getattr(link, name) for name in sharing.SWITCHES}
    return Terms(name=link.name, days=days_left(link), **switches)


def days_left(link: ShareLink, now: datetime | None = None) -> int | None:
    """Begun days until it ends, at least one; None for one that never does."""
    if link.expires_at is None:
        return None
    left = link.expires_at - (now or timezone.now())
    return max(1, -(-left // timedelta(days=1)))


class NoteField(forms.CharField):
    """A line break is one character, as the browser counts it."""

    def to_python(self, value: Any) -> Any:
        return str(super().to_python(str(value or "").replace("\r\n", "\n").replace("\r", "\n")))


class MarkForm(forms.Form):
    note = NoteField(
        required=False,
        max_length=NOTE_LENGTH,
        error_messages={"max_length": gettext_lazy("%(show_value)d of %(limit_value)d characters. Shorten the note.")},
    )
    favourite = forms.ChoiceField(required=False, choices=[("1", ""), ("0", "")])

    @property
    def is_favourite(self) -> bool | None:
        chosen = self.cleaned_data.get("favourite")
        return None if not chosen else chosen == "1"


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"class": "input", "autocomplete": "off", "autofocus": True}),
        error_messages={"required": gettext_lazy("Write the password.")},
    )
