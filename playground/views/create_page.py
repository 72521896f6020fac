"""What the Create page shows: the choices a model leaves, the price panel, the model picker. No writes.

Everything is worked out from a `Draft` and a model, so that the first page, a price check, a change of model and a
refused order are drawn by the same code and cannot differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from playground.domain.capabilities import Capabilities
from playground.domain.crop import crop_for
from playground.domain.parameters import Parameters, WrongParameters, is_route, read_parameters
from playground.forms.create import MAX_COUNT, Draft, Fitted, fit, wrong_extras
from playground.models import Dialect, Generation, Membership, Reference, VideoModel
from playground.services import catalogue, estimates
from playground.services.catalogue import Record
from playground.services.estimates import Quote, Wanted
from playground.services.runs import new_token

LATEST = 12
SHOWN_WIDTH = 216
SHOWN_HEIGHT = 140
UNIT_STEP_MICROS = 100
"""$0.0001: no gateway prices a second finer than that."""
EXAMPLES = (
    "A paper boat drifts down a rain-filled street at dusk, neon signs mirrored in the water, slow dolly in",
    "A lighthouse on a cliff in a storm, waves breaking below, aerial shot circling the lamp",
    "A tiny astronaut waters a single flower on a grey moon, Earth rising behind, warm light",
)


@dataclass(frozen=True, slots=True)
class Chip:
    value: str
    label: str
    checked: bool = False
    disabled_because: str = ""
    micros: int | None = None


@dataclass(frozen=True, slots=True)
class Cheaper:
    """A cheaper choice: pressing its label checks the chip with id `target`."""

    target: str
    label: str
    micros: int


@dataclass(frozen=True, slots=True)
class PickerRow:
    model: VideoModel
    takes: Capabilities
    record: Record | None
    chosen: bool


def picture_context(reference: Reference | None, draft: Draft, takes: Capabilities | None) -> dict[str, Any]:
    """The picture and the part of it that is sent; `crop_fits`: the model also makes videos of the picture's shape."""
    if reference is None:
        return {"reference": None, "crop": None}
    shown = shown_size(reference.width, reference.height)
    if takes is None:
        return {"reference": reference, "crop": None, "shown": shown}
    crop = crop_for(reference.width, reference.height, fit(draft, takes).shape, draft.crop_position)
    return {
        "reference": reference,
        "crop": crop,
        "crop_at": draft.crop_position,
        "crop_fits": crop.picture_shape in takes.shapes,
        "shown": shown,
    }


def shown_size(width: int, height: int) -> tuple[int, int]:
    """CSS pixels of the picture in the form: said beforehand, so that nothing moves when it has loaded."""
    scale = min(SHOWN_WIDTH / width, SHOWN_HEIGHT / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def wanted_for(model: VideoModel, draft: Draft, fitted: Fitted, reference: Reference | None) -> Wanted:
    """What would be ordered. A reference that the model cannot take is left out of the price check."""
    takes_it = reference is not None and model.takes.image_to_video
    return Wanted(
        model=model,
        size=fitted.size,
        seconds=fitted.seconds,
        count=fitted.count,
        negative_prompt=fitted.negative_prompt,
        seed=fitted.seed,
        audio=fitted.audio,
        references=(reference,) if takes_it and reference else (),
        crop_at=draft.crop_position,
        route=route_of(model, draft),
        parameters=parameters_of(draft),
    )


def takes_route(model: VideoModel) -> bool:
    """Only Lumenfall's gateways know `provider/slug`."""
    return model.gateway.dialect == Dialect.LUMENFALL


def route_of(model: VideoModel, draft: Draft) -> str:
    """What cannot be a provider is left out of the price check; an order with it is refused."""
    return draft.route.strip() if takes_route(model) and is_route(draft.route.strip()) else ""


def parameters_of(draft: Draft) -> Parameters:
    """What cannot be sent is left out of the price check; an order with it is refused."""
    try:
        return read_parameters(draft.parameters)
    except WrongParameters:
        return ()


def size_chips(takes: Capabilities, fitted: Fitted) -> tuple[list[Chip], list[Chip]]:
    """Shapes, and qualities; a quality that this shape does not have is dimmed with the reason."""
    shapes = [Chip(shape, shape, shape == fitted.shape) for shape in takes.shapes]
    qualities = []
    for quality in takes.qualities:
        fits = takes.size_for(fitted.shape, quality)
        only = ", ".join(shape for shape in takes.shapes if takes.size_for(shape, quality))
        reason = "" if fits else _("with %(shapes)s only") % {"shapes": only}
        qualities.append(Chip(quality, quality, quality == fitted.quality, reason))
    return shapes, qualities


def length_chips(takes: Capabilities, wanted: Wanted, by: Membership) -> list[Chip]:
    """Lengths with their price where it is already known: no gateway is asked for a chip."""
    steps = list(takes.lengths.steps())
    known = estimates.cached_quotes(by=by, wanted=[replace(wanted, seconds=seconds) for seconds in steps])
    return [
        Chip(
            str(seconds),
            _("%(n)d s") % {"n": seconds},
            seconds == wanted.seconds,
            micros=quote.total_micros if quote else None,
        )
        for seconds, quote in zip(steps, known, strict=True)
    ]


def cheaper_choices(lengths: Sequence[Chip], quote: Quote) -> list[Cheaper]:
    """At most three lengths that cost less, by prices that are already known; fewer videos where more are asked for."""
    total = quote.total_micros
    if total is None:
        return []
    found = [
        Cheaper(f"seconds-{chip.value}", chip.label, chip.micros)
        for chip in lengths
        if chip.micros is not None and chip.micros < total
    ]
    if quote.count > 1 and quote.unit_micros:
        found.append(Cheaper("count-1", _("1 video"), quote.unit_micros))
    return sorted(found, key=lambda choice: -choice.micros)[:3]


def left_after(quote: Quote | None) -> int | None:
    """What would be left this month after the order."""
    if quote is None or quote.left_micros is None or quote.total_micros is None:
        return None
    return max(0, quote.left_micros - quote.total_micros)


def per_second_micros(quote: Quote | None) -> int | None:
    """The price of a second where the price is plainly made of seconds: a division that leaves nothing over at four
    decimals of a dollar. Else None: the price is one for the whole video.
    """
    if quote is None or quote.unit_micros is None:
        return None
    each, over = divmod(quote.unit_micros, quote.seconds)
    return each if each and not over and each % UNIT_STEP_MICROS == 0 else None


def picker_rows(models: Sequence[VideoModel], chosen: VideoModel) -> list[PickerRow]:
    records: dict[UUID, Record] = catalogue.track_record(models=models)
    return [PickerRow(model, model.takes, records.get(model.id), model.id == chosen.id) for model in models]


def latest_generations(by: Membership) -> list[Generation]:
    """This person's running and latest ones, newest first."""
    mine = Generation.objects.visible_to(by).filter(run__created_by_id=by.user_id)
    return list(mine.for_cards()[:LATEST])


def sentence(changes: Sequence[str]) -> str:
    """`Length is now 8 s (was 12 s); the seed is left out.`"""
    if not changes:
        return ""
    text = "; ".join(changes)
    return f"{text[0].upper()}{text[1:]}."


def fieldless(errors: Mapping[str, str], model: VideoModel) -> list[str]:
    """What is wrong with values for which the form of this model has no field, as sent by a script or an old page."""
    drawn = {"prompt", "reference", "seconds", "size", "quality", "count", "parameters"}
    drawn |= {name for name in ("negative_prompt", "seed") if getattr(model.takes, name)}
    drawn |= {"route"} if takes_route(model) else set()
    carried = {"token", "quoted_micros", "accept_unpriced", "audio"}
    words = [_("Part of the form was missing or broken. Press again to send it as it stands here.")]
    own = [message for name, message in errors.items() if name not in drawn | carried]
    return own + (words if carried & set(errors) else [])


@dataclass(frozen=True, slots=True)
class Page:
    """One drawing of the form. `quote` None: the price is being checked."""

    by: Membership
    draft: Draft
    model: VideoModel
    fitted: Fitted
    wanted: Wanted
    quote: Quote | None
    reference: Reference | None = None
    note: str = ""
    """What changed, or what is gone: said above the settings."""

    def context(self, **more: Any) -> dict[str, Any]:
        takes = self.model.takes
        shapes, qualities = size_chips(takes, self.fitted)
        lengths = length_chips(takes, self.wanted, self.by)
        offers_length = any(chip.checked for chip in lengths)
        return {
            "page": self,
            "draft": self.draft,
            "model": self.model,
            "takes": takes,
            "fitted": self.fitted,
            "shapes": shapes,
            "qualities": qualities,
            "lengths": lengths,
            "other_length": "" if offers_length else str(self.fitted.seconds),
            "counts": [Chip(str(n), str(n), n == self.fitted.count) for n in range(1, MAX_COUNT + 1)],
            "quote": self.quote,
            "quote_state": self.quote.state.value if self.quote else "checking",
            "per_second_micros": per_second_micros(self.quote),
            "left_after": left_after(self.quote),
            "cheaper": cheaper_choices(lengths, self.quote) if self.quote else [],
            **picture_context(self.reference, self.draft, takes),
            "token": new_token(),
            "note": self.note,
            "errors": {},
            "left_out": wrong_extras(self.draft, takes_route=takes_route(self.model)),
            "may_create": self.by.may_create,
            "takes_route": takes_route(self.model),
        } | more


def draw(
    *,
    by: Membership,
    draft: Draft,
    model: VideoModel,
    reference: Reference | None,
    ask: bool = True,
    name_changes: bool = True,
    note: str = "",
) -> Page:
    """Fit the draft to the model and price it. With `ask` False only a price that is already known is shown."""
    fitted = fit(draft, model.takes)
    wanted = wanted_for(model, draft, fitted, reference)
    quote = estimates.quote(by=by, wanted=wanted) if ask else estimates.cached_quote(by=by, wanted=wanted)
    said = note or (sentence(fitted.changes) if name_changes else "")
    return Page(by, draft, model, fitted, wanted, quote, reference, said)
