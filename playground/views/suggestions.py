"""Which model to try next where a provider refused a prompt, and what it would cost there, if that is known already."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from playground.forms.create import Draft, fit, picked
from playground.models import Generation, Membership, VideoModel
from playground.services import estimates
from playground.services.estimates import Wanted
from playground.services.offers import Offers
from playground.views.create_page import wanted_for


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`total_micros` is the price on Create with the same settings as far as this model takes them; None: not known."""

    slug: str
    total_micros: int | None


def suggestions_for(generations: Sequence[Generation], *, by: Membership | None) -> dict[UUID, Suggestion]:
    """By generation, for rows read with `for_cards()`. No gateway is called.

    Each model that was refused is looked up once, and all prices together, however many cards ask.

    Without an entry: another model would not help, nothing else is offered, or this person may not order.
    """
    if by is None or not by.may_create:
        return {}
    offers = Offers(by)
    nearest: dict[tuple[UUID, bool], VideoModel | None] = {}
    wanted: dict[UUID, Wanted] = {}
    for generation in generations:
        if not generation.is_refused_prompt:
            continue
        with_reference = picked(generation) is not None
        key = generation.model_id, with_reference
        if key not in nearest:
            nearest[key] = offers.nearest_live(generation.model, with_reference=with_reference)
        if model := nearest[key]:
            wanted[generation.id] = _wanted(generation, model)
    quotes = estimates.cached_quotes(by=by, wanted=list(wanted.values()))
    return {
        generation_id: Suggestion(one.model.slug, quote.total_micros if quote else None)
        for (generation_id, one), quote in zip(wanted.items(), quotes, strict=True)
    }


def _wanted(generation: Generation, model: VideoModel) -> Wanted:
    """What Create shows when the card's button opens it: the whole picture, cut for what this model makes."""
    draft = Draft.from_generation(generation)
    return wanted_for(model, draft, fit(draft, model.takes), picked(generation))
