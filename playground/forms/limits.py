"""The form of a team's limits: amounts as people type them, one field for each member."""

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
from playground.services.limits import Limits


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


class AmountField(forms.CharField):
    """Micros, or None when it is left empty."""

    def __init__(self, **options: Any) -> None:
        widget = forms.TextInput(attrs={"class": "input input--amount", "inputmode": "decimal", "autocomplete": "off"})
        super().__init__(required=False, widget=widget, **options)

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip()
        if not text:
            return None
        micros = micros_from_text(text)
        if micros is None:
            raise forms.ValidationError(_("Write an amount such as 50 or 12.50, without a comma."))
        return micros


class LimitsForm(forms.Form):
    """`limits()` and `own()` after `is_valid()`. What a browser did not send at all stays as it is for members."""

    monthly_cap = AmountField(label=gettext_lazy("The team, a month"))
    member_cap = AmountField(label=gettext_lazy("Each member, a month"))
    confirm_above = AmountField(label=gettext_lazy("Ask once more above, a run"))
    time_zone = forms.CharField(
        label=gettext_lazy("Time zone"), widget=forms.TextInput(attrs={"class": "input", "list": "time-zones"})
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

    def clean_time_zone(self) -> str:
        zone: str = self.cleaned_data["time_zone"].strip()
        if zone not in zones():
            raise forms.ValidationError(_("Choose one of the list, such as Europe/Berlin."))
        return zone

    def limits(self) -> Limits:
        values = self.cleaned_data
        return Limits(values["monthly_cap"], values["member_cap"], values["confirm_above"], values["time_zone"])

    def own(self) -> dict[UUID, int | None]:
        sent = {name: member for name, member in self.members.items() if name in self.data}
        return {member.id: self.cleaned_data[name] for name, member in sent.items()}
