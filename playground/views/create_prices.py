"""The prices around the one on the button: on the length chips, in the list of models, of cheaper choices.

All of them were checked at the gateway, lately; none is worked out. What is not known yet is asked for meanwhile, what
is likely to be of use first, and the page's next price check brings it along.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.utils.translation import gettext as _

from playground.domain.capabilities import Capabilities, quality_of
from playground.models import Membership, VideoModel
from playground.services import ahead, catalogue, cheaper, estimates
from playground.services.catalogue import Record
from playground.services.cheaper import Cheaper, Choice
from playground.services.estimates import Quote, QuoteState, Wanted
from playground.templatetags.playground import amount, price

LEAST_ROOM, MOST_ROOM = len("$0.00"), len("$1,000.00")
OTHER_MODELS = 2
"""How many other models are asked as cheaper choices while the list of models is closed."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice of a group. `room`: digits and signs of a price to come, so that the width stays."""

    value: str
    label: str
    checked: bool = False
    disabled_because: str = ""
    micros: int | None = None
    room: int = 0


@dataclass(frozen=True, slots=True)
class PickerRow:
    """`price` is for these settings, or for the nearest that the model takes; empty when it was not checked."""

    model: VideoModel
    takes: Capabilities
    record: Record | None
    chosen: bool
    price: str
    note: str = ""
    """The team's own words."""


@dataclass(frozen=True, slots=True)
class Present:
    """What is chosen now, and what each offered model would be asked for; None for one that cannot take the picture."""

    by: Membership
    wanted: Wanted
    quote: Quote | None
    offered: Sequence[tuple[VideoModel, Wanted | None]]
    prompt_characters: int = 0
    has_picture: bool = False
    picker_is_open: bool = False


@dataclass(frozen=True, slots=True)
class Around:
    """`more`: some of it is being asked for."""

    lengths: list[Chip]
    cheaper: list[Cheaper]
    models: dict[UUID, str]
    more: bool


def around(now: Present) -> Around:
    """What is known, in one look; the rest is left to be asked for (`services.ahead`)."""
    steps = now.wanted.model.takes.lengths.steps()
    lengths = [replace(now.wanted, seconds=seconds) for seconds in steps]
    found = cheaper.choices(
        now.wanted,
        models=[model for model, _wanted in now.offered],
        prompt_characters=now.prompt_characters,
        has_picture=now.has_picture,
    )
    of_models = {model.id: wanted for model, wanted in now.offered if wanted}
    every = [*lengths, *(choice.wanted for choice in found), *of_models.values()]
    known = dict(zip(every, estimates.remembered(by=now.by, wanted=every), strict=True))
    soon = [*lengths, *_first(found, now.quote), *(of_models.values() if now.picker_is_open else ())]
    quotes = {choice: known[choice.wanted][0] for choice in found}
    return Around(
        lengths=[_length_chip(one, now.wanted, known[one][0], _room(now.quote)) for one in lengths],
        cheaper=cheaper.pay_less(now.quote, _not_failing(found, quotes), quotes) if now.quote else [],
        models={id: _model_price(one, now.wanted, known[one][0]) for id, one in of_models.items()},
        more=_ask(now, [one for one in dict.fromkeys(soon) if known[one][1]]),
    )


def _ask(now: Present, missing: Sequence[Wanted]) -> bool:
    """Nothing more is asked of a gateway that has no price for what is chosen, nor for who may not order."""
    if now.quote is None or now.quote.state is not QuoteState.ESTIMATED or not now.by.may_create:
        return False
    ahead.plan(by=now.by.id, wanted=missing)
    return bool(missing)


def _first(found: Sequence[Choice], quote: Quote | None) -> list[Wanted]:
    """Changes to this model, and those others whose list price leaves hope."""
    unit = quote.unit_micros if quote else None
    others = [
        choice.wanted
        for choice in found
        if choice.field == "model" and (unit is None or (choice.wanted.model.price_floor_micros or 0) < unit)
    ]
    return [choice.wanted for choice in found if choice.field != "model"] + others[:OTHER_MODELS]


def _not_failing(found: Sequence[Choice], quotes: dict[Choice, Quote | None]) -> list[Choice]:
    """Without models that have no price, and those of which none of the last orders finished."""
    others = {choice: choice.wanted.model for choice in found if choice.field == "model" and quotes[choice]}
    records = catalogue.track_record(models=others.values()) if others else {}
    failing = {id for id, record in records.items() if record.fails_always}
    return [one for one in found if one.field != "model" or (one in others and others[one].id not in failing)]


def _room(quote: Quote | None) -> int:
    """As much as the present price takes: what other lengths cost is of that order."""
    return min(MOST_ROOM, max(LEAST_ROOM, len(amount(quote.total_micros)) if quote else 0))


def _length_chip(one: Wanted, now: Wanted, quote: Quote | None, room: int) -> Chip:
    return Chip(
        str(one.seconds),
        _("%(n)d s") % {"n": one.seconds},
        one.seconds == now.seconds,
        micros=quote.total_micros if quote else None,
        room=room if one.model.gateway.has_dry_run else 0,
    )


def _model_price(one: Wanted, now: Wanted, quote: Quote | None) -> str:
    """`about $0.84 for these settings`, or for what the model takes instead of them; empty when not known."""
    if quote is None or quote.total_micros is None:
        return ""
    settings = _("these settings")
    if quality_of(one.size) != quality_of(now.size) or one.size != now.size:
        settings = _("%(n)d s, %(quality)s") % {"n": one.seconds, "quality": quality_of(one.size)}
    elif one.seconds != now.seconds:
        settings = _("%(n)d s") % {"n": one.seconds}
    return _("%(price)s for %(settings)s") % {"price": price(quote.total_micros), "settings": settings}


def picker_rows(
    models: Sequence[VideoModel], chosen: VideoModel, prices: dict[UUID, str], notes: dict[UUID, str]
) -> list[PickerRow]:
    records: dict[UUID, Record] = catalogue.track_record(models=models)
    return [
        PickerRow(
            model,
            model.takes,
            records.get(model.id),
            model.id == chosen.id,
            prices.get(model.id, ""),
            notes.get(model.id, ""),
        )
        for model in models
    ]
