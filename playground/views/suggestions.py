"""Which model to try next where a provider refused a prompt, and what it would cost there, if that is known already."""

from dataclasses import dataclass
from uuid import UUID

from playground.forms.create import Draft, fit
from playground.models import Generation, Membership, VideoModel
from playground.services import catalogue, estimates
from playground.views.create_page import wanted_for


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`total_micros` is the price on Create with the same settings as far as this model takes them; None: not known."""

    slug: str
    total_micros: int | None


class Suggestions:
    """For the cards of one page: the nearest model is looked up once, however many cards ask. No gateway is called."""

    def __init__(self, by: Membership | None) -> None:
        self._by = by
        self._nearest: dict[tuple[UUID, bool], VideoModel | None] = {}

    def for_card(self, generation: Generation) -> Suggestion | None:
        """None where another model would not help, nothing else is offered, or this person may not order."""
        if self._by is None or not self._by.may_create or not generation.is_refused_prompt:
            return None
        reference = next(iter(generation.references.all()), None)
        model = self._model(self._by, generation, with_reference=reference is not None)
        if model is None:
            return None
        draft = Draft.from_generation(generation)
        wanted = wanted_for(model, draft, fit(draft, model.takes), reference)
        quote = estimates.cached_quote(by=self._by, wanted=wanted)
        return Suggestion(model.slug, quote.total_micros if quote else None)

    def _model(self, by: Membership, generation: Generation, *, with_reference: bool) -> VideoModel | None:
        key = generation.model_id, with_reference
        if key not in self._nearest:
            nearest = catalogue.nearest_live(by=by, model=generation.model, with_reference=with_reference)
            self._nearest[key] = nearest
        return self._nearest[key]
