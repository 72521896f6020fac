"""The form of a team's limits: amounts as people type them, one field for each member.

Beside each field goes what it was drawn with, so that only what a person changed is set.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.domain.money import MICROS_PER_DOLLAR, micros_from_text
from playground.models import Membership
from playground.services.limits import ChangedMeanwhile, Limits


@lru_cache(maxsize=1)
def zones() -> list[str]:
    """IANA names that are places, and UTC; not the files beside them."""
    return ["UTC", *sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/"))]


def shown(micros: int | None) -> str:
    """As the field shows it: `50`, `12.50`; empty for no limit. A limit is never set finer than a cent."""
    if micros is None:
        return ""
    whole, rest = divmod(micros, MICROS_PER_DOLLAR)
    return str(whole) if not rest else f"{whole}.{rest // 10_000:02}"


OF_TEAM = {
    "monthly_cap": "monthly_cap_micros",
    "member_cap": "member_cap_micros",
    "confirm_above": "confirm_above_micros",
    "time_zone": "time_zone",
}
"""The fields of the team, in the order of `Limits`, and which of its fields each is."""


def _taken(now: str) -> str:
    if not now:
        return _("Somebody else removed this limit meanwhile. Save again to set it to yours.")
    return _("Somebody else set this to %(now)s meanwhile. Save again to set it to yours.") % {"now": now}


class AmountField(forms.CharField):
    """Micros, or None when it is left empty."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"class": "input input--amount", "inputmode": "decimal", "autocomplete": "off"})
        super().__init__(required=False, show_hidden_initial=True, widget=widget, **options)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        micros = micros_from_text(text)
        if micros is None:
            raise forms.ValidationError(_("Write an amount such as 50 or 12.50, without a comma."))
        return micros


class LimitsForm(forms.Form):
    """`limits()` and `own()`, and what the page showed of them, after `is_valid()`.

    What a browser did not send at all stays as it is for members; a form without a field of the team is not `is_whole`.
    """

    monthly_cap = AmountField(label=gettext_lazy("The team, a month"))
    member_cap = AmountField(label=gettext_lazy("Each member, a month"))
    confirm_above = AmountField(label=gettext_lazy("Ask once more above, a run"))
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"),
        show_hidden_initial=True,
        widget=forms.TextInput(attrs={"class": "input", "list": "time-zones"}),
    )

    def __init__(self, data: Mapping[str, Any] | None, *, limits: Limits, members: Iterable[Membership]) -> None:
        self.members = {f"own_{member.id}": member for member in members}
        initial = {
            "monthly_cap": shown(limits.monthly_cap_micros),
            "member_cap": shown(limits.member_cap_micros),
            "confirm_above": shown(limits.confirm_above_micros),
            "time_zone": limits.time_zone,
        } | {name: shown(member.monthly_cap_micros) for name, member in self.members.items()}
        super().__init__(data, initial=initial)
        for name, member in self.members.items():
            label = _("Limit of %(name)s, a month") % {"name": member.user.display_name}
            self.fields[name] = AmountField(label=label)

    @property
    def is_whole(self) -> bool:
        """An empty field means no limit; one that is missing means nothing."""
        try:
            self.limits_shown(), self.own_shown()
        except forms.ValidationError:
            return False
        return all(name in self.data for name in OF_TEAM)

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"].strip()
        if zone not in zones():
            raise forms.ValidationError(_("Choose one of the list, such as Europe/Berlin."))
        return zone

    def limits(self) -> Limits:
        return Limits(*(self.cleaned_data[name] for name in OF_TEAM))

    def limits_shown(self) -> Limits | None:
        """None for a form that does not say it, as from a script."""
        known = all(self._shown_name(name) in self.data for name in OF_TEAM)
        return Limits(*(self._shown(name) for name in OF_TEAM)) if known else None

    def own(self) -> dict[UUID, int | None]:
        sent = {name: member for name, member in self.members.items() if name in self.data}
        return {member.id: self.cleaned_data[name] for name, member in sent.items()}

    def own_shown(self) -> dict[UUID, int | None]:
        said = {name: member for name, member in self.members.items() if self._shown_name(name) in self.data}
        return {member.id: self._shown(name) for name, member in said.items()}

    def onto(self, limits: Limits, members: Iterable[Membership], changed: ChangedMeanwhile) -> "LimitsForm":
        """This form over the limits as they are by now: what was typed is kept, what was not touched is as it is now,
        and what somebody else has changed too is said beside its field.
        """
        members = list(members)
        now = dict(LimitsForm(None, limits=limits, members=members).initial)
        typed = {name: self.data[name] for name in self.changed_data if name in now and name in self.data}
        shown_now = {self._shown_name(name): value for name, value in now.items()}
        form = LimitsForm(now | typed | shown_now, limits=limits, members=members)
        form.full_clean()
        taken = [name for name, field in OF_TEAM.items() if field in changed.fields]
        taken += [name for name, member in form.members.items() if member.id in changed.members]
        for name in taken:
            form.add_error(name, _taken(str(now[name])))
        return form

    def _shown_name(self, name: str) -> str:
        return self.add_initial_prefix(name)

    def _shown(self, name: str) -> Any:
        return self.fields[name].to_python(self.data[self._shown_name(name)])
