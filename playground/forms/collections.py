"""Forms of collections: a name, and for whom it is."""

from django import forms
from django.utils.translation import gettext_lazy as _

from playground.models import Collection, Visibility

NAME_LENGTH = Collection._meta.get_field("name").max_length


class NameForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        strip=True,
        error_messages={"required": _("Give it a name."), "max_length": _("At most %(limit_value)d characters.")},
    )


class CollectionForm(NameForm):
    visibility = forms.ChoiceField(choices=Visibility.choices, initial=Visibility.TEAM)
