"""Cheaper ways to get much the same video: what they would be, and which are cheaper by a price that was checked.

Each changes one thing and names it; the picture, the words and everything else that was asked for go along unchanged,
or the choice is not offered. A price is never worked out here: what the gateway was not asked is not shown.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from playground.domain.capabilities import Capabilities, quality_of, shape_of
from playground.models import Lifecycle, VideoModel
from playground.services.estimates import Quote, QuoteState
from playground.services.wanted import Wanted

MOST = 3
FIELDS = ("seconds", "audio", "quality", "model", "count")
"""The fields of the form that a choice may change."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One change: the form's `field` becomes `value`, and `wanted` is what would be ordered then."""

    field: str
    value: str
    label: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Cheaper:
    """A choice with the checked total for all its videos, and what it saves against the present total, above zero."""

    field: str
    value: str
    label: str
    total_micros: int
    saves_micros: int


def choices(
    wanted: Wanted, *, models: Iterable[VideoModel] = (), prompt_characters: int = 0, has_picture: bool = False
) -> list[Choice]:
    """What might cost less than `wanted`, its price unknown so far: at most one a kind, and each model that would do.

    `has_picture`: one was chosen, whether or not the present model takes it.
    """
    found = [_shorter(wanted), _silent(wanted), _plainer(wanted), _fewer(wanted)]
    others = _other_models(wanted, models, prompt_characters, has_picture or bool(wanted.references))
    return [one for one in found if one] + others


def pay_less(quote: Quote, found: Sequence[Choice], quotes: Mapping[Choice, Quote | None]) -> list[Cheaper]:
    """At most three, one a kind, the greatest saving first; only what is cheaper by its own checked price and fits."""
    now = quote.total_micros
    if quote.state is not QuoteState.ESTIMATED or now is None:
        return []
    best: dict[str, Cheaper] = {}
    for choice in found:
        known = quotes.get(choice)
        total = known.total_micros if known and known.state is QuoteState.ESTIMATED else None
        if known is None or total is None or total >= now or known.is_over_budget:
            continue
        cheaper = Cheaper(choice.field, choice.value, choice.label, total, now - total)
        if choice.field not in best or cheaper.saves_micros > best[choice.field].saves_micros:
            best[choice.field] = cheaper
    return sorted(best.values(), key=lambda one: (-one.saves_micros, FIELDS.index(one.field)))[:MOST]


def _shorter(wanted: Wanted) -> Choice | None:
    """The next shorter length that has a chip."""
    shorter = [seconds for seconds in wanted.model.takes.lengths.steps() if seconds < wanted.seconds]
    if not shorter:
        return None
    return Choice("seconds", str(shorter[-1]), _("%(n)d s") % {"n": shorter[-1]}, replace(wanted, seconds=shorter[-1]))


def _silent(wanted: Wanted) -> Choice | None:
    if not (wanted.model.takes.audio_switch and wanted.audio):
        return None
    return Choice("audio", "false", _("silent"), replace(wanted, audio=False))


def _plainer(wanted: Wanted) -> Choice | None:
    """The next lower quality of the same shape."""
    takes, shape, now = wanted.model.takes, shape_of(wanted.size), _side(quality_of(wanted.size))
    lower = [quality for quality in takes.qualities if _side(quality) < now and takes.size_for(shape, quality)]
    size = takes.size_for(shape, lower[-1]) if lower else None
    return Choice("quality", lower[-1], lower[-1], replace(wanted, size=size)) if size else None


def _side(quality: str) -> int:
    return int(quality.removesuffix("p"))


def _fewer(wanted: Wanted) -> Choice | None:
    """It costs the price of one, which is known with the price of all."""
    return Choice("count", "1", _("1 video"), replace(wanted, count=1)) if wanted.count > 1 else None


def _other_models(wanted: Wanted, models: Iterable[VideoModel], characters: int, has_picture: bool) -> list[Choice]:
    """Models that take all of it as it stands, the cheapest by its list price first.

    None where a provider or parameters of the present model's own were asked for: they would mean something else there.
    """
    if wanted.route or wanted.parameters:
        return []
    found = [
        model
        for model in models
        if model.id != wanted.model.id
        and model.lifecycle == Lifecycle.LIVE
        and model.price_floor_micros != 0
        and _takes(model.takes, wanted, characters, has_picture)
    ]
    found.sort(key=lambda model: (model.price_floor_micros is None, model.price_floor_micros or 0, model.slug))
    return [Choice("model", model.slug, model.name, _with(model, wanted)) for model in found]


def _takes(takes: Capabilities, wanted: Wanted, characters: int, has_picture: bool) -> bool:
    """Sound that was switched on or off must be switched there too; where it was not asked for, none is."""
    takes_pictures = takes.image_to_video and takes.max_references >= len(wanted.references)
    return (
        (takes_pictures if has_picture else takes.text_to_video)
        and takes.lengths.allows(wanted.seconds)
        and takes.size_for(shape_of(wanted.size), quality_of(wanted.size)) is not None
        and (takes.negative_prompt or not wanted.negative_prompt)
        and (takes.seed or wanted.seed is None)
        and (takes.audio_switch or wanted.audio is None)
        and characters <= takes.prompt_limit
    )


def _with(model: VideoModel, wanted: Wanted) -> Wanted:
    """As the form reads it once this model is chosen: sound is on unless it was switched off."""
    size = model.takes.size_for(shape_of(wanted.size), quality_of(wanted.size)) or wanted.size
    audio = (wanted.audio is not False) if model.takes.audio_switch else None
    return replace(wanted, model=model, size=size, audio=audio)
