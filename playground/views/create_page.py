"""What the Create page shows: the choices a model leaves, the price panel, the model picker. No writes.

Everything is worked out from a `Draft` and a model, so that the first page, a price check, a change of model and a
refused order are drawn by the same code and cannot differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from playground.domain.capabilities import Capabilities
from playground.domain.crop import crop_for
from playground.domain.parameters import Parameters, WrongParameters, is_route, read_parameters
from playground.forms.create import MAX_COUNT, Draft, Fitted, fit, tidy, wrong_extras
from playground.models import Dialect, Gateway, Generation, Membership, Reference, VideoModel
from playground.services import estimates, limits, pauses, uploads
from playground.services.estimates import Quote, Wanted
from playground.services.offers import Offers
from playground.services.runs import new_token
from playground.services.video_requests import NOTE_MOST
from playground.views.create_prices import Chip, Present, around, picker_rows

Offered = tuple[VideoModel, Wanted | None]
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


def left_after(quote: Quote | None) -> int | None:
    """What would be left of the month once the order has set its money aside; None without a price or a limit."""
    if quote is None or quote.left_micros is None or quote.total_micros is None:
        return None
    return max(0, quote.left_micros - quote.set_aside_micros)


def empty_account(gateway: Gateway) -> str:
    """The words that a press is refused with, whether the gateway is paused for it or only said so of a price."""
    return pauses.words(Gateway(is_sandbox=gateway.is_sandbox, paused_reason=pauses.BALANCE))


def per_second_micros(quote: Quote | None) -> int | None:
    """The price of a second where the price is plainly made of seconds: a division that leaves nothing over at four
    decimals of a dollar. Else None: the price is one for the whole video.
    """
    if quote is None or quote.unit_micros is None:
        return None
    each, over = divmod(quote.unit_micros, quote.seconds)
    return each if each and not over and each % UNIT_STEP_MICROS == 0 else None


def offered_as(models: Sequence[VideoModel], draft: Draft, reference: Reference | None) -> list[Offered]:
    """Each model with what would be ordered of it, once it was chosen."""
    return [
        (model, None if reference and not model.takes.image_to_video else _wanted_of(model, draft, reference))
        for model in models
    ]


def _wanted_of(model: VideoModel, draft: Draft, reference: Reference | None) -> Wanted:
    return wanted_for(model, draft, fit(draft, model.takes), reference)


def latest_generations(by: Membership) -> list[Generation]:
    """This person's running ones, then the latest others: newest first among either, LATEST in all."""
    mine = Generation.objects.visible_to(by).filter(run__created_by_id=by.user_id)
    running, latest = (rows.order_by("-id").values_list("id", flat=True)[:LATEST] for rows in (mine.active(), mine))
    ids = list(dict.fromkeys([*running, *latest]))[:LATEST]
    return sorted(mine.filter(id__in=ids).for_cards(), key=lambda row: ids.index(row.id))


def sentence(changes: Sequence[str]) -> str:
    """`Length is now 8 s (was 12 s); the seed is left out.`"""
    if not changes:
        return ""
    text = "; ".join(changes)
    return f"{text[0].upper()}{text[1:]}."


def fieldless(errors: Mapping[str, str], model: VideoModel) -> list[str]:
    """What is wrong with values for which the form of this model has no field, as sent by a script or an old page."""
    drawn = {"prompt", "note", "reference", "seconds", "size", "quality", "count", "parameters"}
    drawn |= {name for name in ("negative_prompt", "seed") if getattr(model.takes, name)}
    drawn |= {"route"} if takes_route(model) else set()
    carried = {"token", "quoted_micros", "confirmed", "accept_unpriced", "audio"}
    words = [_("Part of the form was missing or broken. Press again to send it as it stands here.")]
    own = [message for name, message in errors.items() if name not in drawn | carried]
    return own + (words if carried & set(errors) else [])


@dataclass(frozen=True, slots=True)
class Page:
    """One drawing of the form. `quote` None: the price is being checked."""

    offers: Offers
    draft: Draft
    model: VideoModel
    fitted: Fitted
    wanted: Wanted
    quote: Quote | None
    reference: Reference | None = None
    note: str = ""
    """What changed, or what is gone: said above the settings."""

    @property
    def by(self) -> Membership:
        return self.offers.by

    @property
    def errors(self) -> dict[str, str]:
        """A picture of the draft that is not there any more is said, lest the run is sent without it unseen."""
        is_lost = bool(self.draft.reference_id) and self.reference is None
        return {"reference": uploads.gone().message} if is_lost else {}

    def present(self, models: Sequence[VideoModel], *, picker_is_open: bool) -> Present:
        # What the form holds, from which another model would start.
        draft = replace(
            self.draft,
            seconds=str(self.fitted.seconds),
            seconds_other="",
            shape=self.fitted.shape,
            quality=self.fitted.quality,
            audio="" if self.fitted.audio is None else str(self.fitted.audio).lower(),
        )
        return Present(
            by=self.by,
            wanted=self.wanted,
            quote=self.quote,
            offered=offered_as(models, draft, self.reference),
            prompt_characters=len(tidy(self.draft.prompt)),
            has_picture=self.reference is not None,
            picker_is_open=picker_is_open,
        )

    def context(self, *, with_picker: bool = False, picker_is_open: bool = False, **more: Any) -> dict[str, Any]:
        """`with_picker`: the list of models is drawn too, which looks up how each did; else only its prices."""
        takes = self.model.takes
        shapes, qualities = size_chips(takes, self.fitted)
        models, notes = self.offers.models, self.offers.notes
        prices = around(self.present(models, picker_is_open=picker_is_open))
        offers_length = any(chip.checked for chip in prices.lengths)
        return {
            "page": self,
            "draft": self.draft,
            "model": self.model,
            "takes": takes,
            "fitted": self.fitted,
            "shapes": shapes,
            "qualities": qualities,
            "lengths": prices.lengths,
            "more_prices": prices.more,
            "picker": picker_rows(models, self.model, prices.models, notes) if with_picker else [],
            "team_note": notes.get(self.model.id, ""),
            "picker_is_open": picker_is_open,
            "model_prices": [(model, prices.models.get(model.id, "")) for model in models],
            "other_length": "" if offers_length else str(self.fitted.seconds),
            "counts": [Chip(str(n), str(n), n == self.fitted.count) for n in range(1, MAX_COUNT + 1)],
            "quote": self.quote,
            "quote_state": self.quote.state.value if self.quote else "checking",
            "per_second_micros": per_second_micros(self.quote),
            "empty_account": empty_account(self.model.gateway),
            "left_after": left_after(self.quote) if self.by.may_see_spend else None,
            "cheaper": prices.cheaper,
            **picture_context(self.reference, self.draft, takes),
            "token": new_token(),
            "note": self.note,
            "errors": self.errors,
            "left_out": wrong_extras(self.draft, takes_route=takes_route(self.model)),
            "may_create": self.by.may_create,
            "note_most": NOTE_MOST,
            "suggested": limits.suggested(self.by.team) if self.quote and self.quote.lacks_limits else None,
            "takes_route": takes_route(self.model),
        } | more


def draw(
    *,
    offers: Offers,
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
    priced = estimates.quote if ask else estimates.cached_quote
    quote = priced(by=offers.by, wanted=wanted)
    said = note or (sentence(fitted.changes) if name_changes else "")
    return Page(offers, draft, model, fitted, wanted, quote, reference, said)
