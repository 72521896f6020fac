"""The forms around a team's own gateways. A key is read from them and never written into them."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from playground.models import Dialect, Gateway
from playground.services import typed_gateways
from playground.services.typed_gateways import Typed, WrongAddress, WrongKey, WrongWords

HONOURS = {
    "idempotency-key": _("Knows a repeated order by its idempotency key, and makes it once"),
    "dry-run": _("Gives the price before the order (dryRun)"),
    "cancel": _("Stops an order on request"),
    "request-log": _("Keeps a log of requests, in which an order whose answer got lost can be found"),
    "webhooks": _("Says by webhook when a video is ready"),
}
"""The words of GATEWAY_HONOURS for people."""


class KeyField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        attrs = {"class": "input mono", "autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}
        widget = forms.PasswordInput(attrs=attrs, render_value=False)
        super().__init__(label=_("Key"), max_length=1024, widget=widget, **options)


class HonoursField(forms.MultipleChoiceField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            label=_("What it keeps to"),
            choices=list(HONOURS.items()),
            required=False,
            widget=forms.CheckboxSelectMultiple,
            help_text=_("Tick only what is known of it: a wrong yes costs money."),
            **options,
        )


class NameField(forms.CharField):
    def __init__(self, **options: Any) -> None:
        attrs = {"class": "input", "autocomplete": "off", "dir": "auto"}
        most = Gateway._meta.get_field("name").max_length
        super().__init__(label=_("Name"), max_length=most, widget=forms.TextInput(attrs=attrs), **options)


class ConnectForm(forms.Form):
    """What the two ways to connect one share."""

    key = KeyField()
    use_it = forms.BooleanField(label=_("Order from it from now on"), required=False, initial=True)

    def typed(self) -> Typed:
        raise NotImplementedError

    def refuse(self, error: Exception) -> None:
        """Show what is wrong beside the field that it is about."""
        field = {WrongAddress: "base_url", WrongKey: "key", WrongWords: "honours"}.get(type(error))
        self.add_error(field if field in self.fields else None, str(error))


class LumenfallForm(ConnectForm):
    def typed(self) -> Typed:
        return typed_gateways.lumenfall(self.cleaned_data["key"])


class OtherForm(ConnectForm):
    name = NameField()
    base_url = forms.CharField(
        label=_("Address"),
        max_length=Gateway._meta.get_field("base_url").max_length,
        widget=forms.TextInput(
            attrs={"class": "input mono", "inputmode": "url", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=_("Up to its version, as in https://gateway.example/v1"),
    )
    dialect = forms.ChoiceField(
        label=_("Speaks like"),
        choices=Dialect.choices,
        initial=Dialect.OPENAI.value,
        widget=forms.Select(attrs={"class": "input"}),
    )
    honours = HonoursField()
    field_order = ("name", "base_url", "dialect", "honours", "key", "use_it")

    def typed(self) -> Typed:
        data = self.cleaned_data
        return Typed(
            name=data["name"],
            base_url=data["base_url"],
            dialect=data["dialect"],
            key=data["key"],
            honours=tuple(data["honours"]) or ("nothing",),
        )


class ReplaceKeyForm(forms.Form):
    key = KeyField()


class EditForm(forms.Form):
    name = NameField()
    honours = HonoursField()

    @classmethod
    def of(cls, gateway: Gateway) -> "EditForm":
        return cls(initial={"name": gateway.name, "honours": typed_gateways.words_of(gateway)})
