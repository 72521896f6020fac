"""The Create form: what was typed, made to fit a model (for showing) or checked against it (for ordering).

Two doors on purpose. `fit` is lenient: it turns any draft, link or old run into values the model takes and says what
it changed; it never refuses. `CreateForm` is strict: an order must name values that the model takes, else each wrong
field gets a message and nothing is sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.domain.capabilities import Capabilities, nearest_shape, parse_size, quality_of, shape_of
from playground.domain.parameters import (
    MAX_CHARACTERS,
    MAX_PARAMETERS,
    Parameters,
    WrongParameters,
    is_route,
    read_parameters,
)
from playground.forms.drafts import Draft, picked, tidy, whole

__all__ = ["MAX_COUNT", "CreateForm", "Draft", "Fitted", "fit", "picked", "tidy", "whole", "wrong_extras"]

MAX_COUNT = 4
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Fitted:
    """Values that the model takes, and in `changes` what had to give way ("length is now 8 s (was 12 s)")."""

    size: str
    seconds: int
    count: int
    negative_prompt: str
    seed: int | None
    audio: bool | None
    changes: list[str] = field(default_factory=list)

    @property
    def shape(self) -> str:
        return shape_of(self.size)

    @property
    def quality(self) -> str:
        return quality_of(self.size)


def fit(draft: Draft, takes: Capabilities) -> Fitted:
    """The nearest values that the model takes. What was not given gets the cheapest sensible value."""
    changes: list[str] = []
    size = _fit_size(draft, takes, changes)
    seconds = takes.lengths.shortest
    wanted = draft.wanted_seconds
    if wanted:
        seconds = takes.lengths.nearest(wanted)
        if seconds != wanted:
            changes.append(_("length is now %(now)d s (was %(was)d s)") % {"now": seconds, "was": wanted})
    if draft.negative_prompt.strip() and not takes.negative_prompt:
        changes.append(_("the negative prompt is left out"))
    if draft.seed and not takes.seed:
        changes.append(_("the seed is left out"))
    seed = whole(draft.seed) if takes.seed else None
    return Fitted(
        size=size,
        seconds=seconds,
        count=max(1, min(MAX_COUNT, whole(draft.count) or 1)),
        negative_prompt=tidy(draft.negative_prompt).strip() if takes.negative_prompt else "",
        seed=seed if seed is None or seed <= MAX_SEED else None,
        audio=audio_of(draft.audio, takes),
        changes=changes,
    )


def audio_of(text: str, takes: Capabilities) -> bool | None:
    """With sound unless switched off; None for a model without the switch."""
    return text != "false" if takes.audio_switch else None


def _fit_size(draft: Draft, takes: Capabilities, changes: list[str]) -> str:
    if draft.shape or draft.quality:
        shape = draft.shape or takes.shapes[0]
        quality = draft.quality or takes.qualities[0]
    elif parse_size(draft.size):
        shape, quality = shape_of(draft.size), quality_of(draft.size)
    else:
        return takes.sizes[0]
    size = takes.size_for(shape, quality) or _nearest_pair(takes, shape, quality)
    if shape_of(size) != shape:
        changes.append(_("shape is now %(now)s (was %(was)s)") % {"now": shape_of(size), "was": shape})
    if quality_of(size) != quality:
        changes.append(_("quality is now %(now)s (was %(was)s)") % {"now": quality_of(size), "was": quality})
    return size


def _nearest_pair(takes: Capabilities, shape: str, quality: str) -> str:
    """The same shape in the nearest quality, else the nearest shape."""
    try:
        width, height = (int(part) for part in shape.split(":"))
        side = int(quality.removesuffix("p"))
        kept = nearest_shape(width, height, takes.shapes)
    except (ValueError, ZeroDivisionError, OverflowError):
        return takes.sizes[0]
    same = [size for size in takes.sizes if shape_of(size) == kept]
    return min(same or takes.sizes, key=lambda size: abs(int(quality_of(size)[:-1]) - side))


class CreateForm(forms.Form):
    """A strict reading of one order for `takes`. After `is_valid`, `size`, `seconds` and the rest fit the model."""

    prompt = forms.CharField(
        strip=False, error_messages={"required": gettext_lazy("Write what the video should show.")}
    )
    size = forms.CharField(required=False)
    shape = forms.CharField(required=False)
    quality = forms.CharField(required=False)
    seconds = forms.CharField(required=False)
    seconds_other = forms.CharField(required=False)
    count = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MAX_COUNT,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), gettext_lazy("Choose between 1 and 4 videos.")
        ),
    )
    negative_prompt = forms.CharField(required=False, strip=True)
    seed = forms.CharField(required=False)
    route = forms.CharField(required=False)
    parameters = forms.CharField(required=False)
    audio = forms.ChoiceField(required=False, choices=[("true", ""), ("false", "")])
    token = forms.CharField(max_length=64)
    quoted_micros = forms.IntegerField(required=False, min_value=0)
    confirmed = forms.IntegerField(required=False, min_value=0)
    accept_unpriced = forms.BooleanField(required=False)

    def __init__(
        self, data: Mapping[str, Any], *, takes: Capabilities, model_slug: str, takes_route: bool = False
    ) -> None:
        super().__init__(data)
        self.takes_route = takes_route
        self.takes = takes
        self.model_slug = model_slug

    def clean_prompt(self) -> str:
        prompt = tidy(self.cleaned_data["prompt"])
        if not prompt.strip():
            raise forms.ValidationError(_("Write what the video should show."))
        over = len(prompt) - self.takes.prompt_limit
        if over > 0:
            raise forms.ValidationError(too_long(len(prompt), self.takes.prompt_limit, self.model_slug))
        return prompt

    def clean_count(self) -> int:
        return self.cleaned_data["count"] or 1

    def clean_negative_prompt(self) -> str:
        text = tidy(self.cleaned_data["negative_prompt"])
        if text and not self.takes.negative_prompt:
            raise forms.ValidationError(_("This model takes no negative prompt."))
        return text

    def clean_seed(self) -> int | None:
        text = self.cleaned_data["seed"].strip()
        if not text:
            return None
        if not self.takes.seed:
            raise forms.ValidationError(_("This model takes no seed."))
        seed = whole(text)
        if seed is None or seed > MAX_SEED:
            raise forms.ValidationError(_("A seed is a whole number from 0 to %(max)d.") % {"max": MAX_SEED})
        return seed

    def clean_route(self) -> str:
        text: str = self.cleaned_data["route"].strip()
        if wrong := wrong_route(text, takes_route=self.takes_route):
            raise forms.ValidationError(wrong)
        return text

    def clean_parameters(self) -> Parameters:
        try:
            return read_parameters(self.cleaned_data["parameters"])
        except WrongParameters as error:
            raise forms.ValidationError(wrong_parameters(error)) from error

    def clean_audio(self) -> bool | None:
        """As `fit` reads it, so that what is ordered is what was priced."""
        return audio_of(self.cleaned_data["audio"], self.takes)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = dict(self.cleaned_data)
        values["size"] = self._size(values)
        values["seconds"] = self._seconds(values)
        return values

    def _size(self, values: Mapping[str, Any]) -> str:
        size, shape, quality = (str(values.get(name) or "") for name in ("size", "shape", "quality"))
        if shape or quality:
            found = self.takes.size_for(shape or self.takes.shapes[0], quality or self.takes.qualities[0])
            if found:
                return found
            self.add_error("quality", _("%(model)s does not make this shape and quality.") % {"model": self.model_slug})
        elif size and size not in self.takes.sizes:
            self.add_error("size", _("%(model)s does not make this size.") % {"model": self.model_slug})
        return size or self.takes.sizes[0]

    def _seconds(self, values: Mapping[str, Any]) -> int:
        text = str(values.get("seconds_other") or values.get("seconds") or "")
        if not text:
            return self.takes.lengths.shortest
        seconds = whole(text)
        if seconds is None or not self.takes.lengths.allows(seconds):
            self.add_error("seconds", wrong_length(self.takes))
            return self.takes.lengths.shortest
        return seconds


def too_long(length: int, limit: int, model_slug: str) -> str:
    words = _("%(length)s of %(limit)s characters for %(model)s. Shorten it by %(over)s.")
    return words % {
        "length": f"{length:,}",
        "limit": f"{limit:,}",
        "model": model_slug,
        "over": f"{length - limit:,}",
    }


def wrong_extras(draft: Draft, *, takes_route: bool) -> dict[str, str]:
    """What a price check leaves out of `route` and `parameters`, by field, so that it is said before the press."""
    said = {"route": wrong_route(draft.route.strip(), takes_route=takes_route)}
    try:
        read_parameters(draft.parameters)
    except WrongParameters as error:
        said["parameters"] = wrong_parameters(error)
    return {name: words for name, words in said.items() if words}


def wrong_route(text: str, *, takes_route: bool) -> str:
    """Empty for one that may be asked of the gateway."""
    if text and not takes_route:
        return _("This gateway chooses the provider itself. Leave it empty.")
    if text and not is_route(text):
        return _("A provider is a short name in small letters, as fal or replicate.")
    return ""


def wrong_parameters(error: WrongParameters) -> str:
    name = {"name": error.name}
    match error.code:
        case "too_long":
            return _("At most %(max)d characters.") % {"max": MAX_CHARACTERS}
        case "too_many":
            return _("At most %(max)d parameters.") % {"max": MAX_PARAMETERS}
        case "twice":
            return _("A name stands there twice.")
        case "name":
            return _("“%(name)s” is no name: letters from a to z, digits and _ only.") % name
        case "reserved":
            return _("%(name)s cannot be set here.") % name
        case "value":
            return _("%(name)s needs a text, a number, true or false.") % name
        case "address":
            return _("%(name)s cannot be an address: pictures and videos do not come from the web here.") % name
    return _('This is not a JSON object. Write it like {"cfg_scale": 0.5}.')


def wrong_length(takes: Capabilities) -> str:
    lengths = takes.lengths
    if lengths.is_range:
        return _("Choose a whole number of seconds from %(low)d to %(high)d.") % {
            "low": lengths.minimum,
            "high": lengths.maximum,
        }
    return _("Choose one of these lengths.")
