"""What one member can order from: the models of the gateway that their team uses, but those it switched off."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet, Subquery

from playground.models import Gateway, Lifecycle, Membership, Run, TeamModel, VideoModel
from playground.services import catalogue

UNPRICED = 10**15
"""Micros by which a model without a known price stands behind all others."""


def is_offered(*, by: Membership, model: VideoModel) -> bool:
    """Whether `model` may be ordered just now; reads it anew."""
    rows = VideoModel.objects.filter(id=model.id, gateway_id=catalogue.gateway_of(by.team_id).id)
    return rows.exclude(lifecycle=Lifecycle.RETIRED).exclude(id__in=_switched_off(by)).exists()


def among(*, by: Membership, models: Iterable[UUID]) -> frozenset[UUID]:
    """Those of `models` that may be ordered just now, for the buttons of a whole page: one statement at most."""
    wanted = set(models)
    if not wanted:
        return frozenset()
    used = catalogue.used_by(by.team_id).values("id")[:1]
    rows = VideoModel.objects.filter(id__in=wanted, gateway_id=Subquery(used)).exclude(lifecycle=Lifecycle.RETIRED)
    return frozenset(rows.exclude(id__in=_switched_off(by)).values_list("id", flat=True))


class Offers:
    """Reads the gateway and its models once, when they are first asked for: make one for each drawing of a page."""

    def __init__(self, by: Membership) -> None:
        self.by = by

    @cached_property
    def gateway(self) -> Gateway:
        return catalogue.gateway_of(self.by.team_id)

    @cached_property
    def models(self) -> list[VideoModel]:
        """What the form offers: live before retiring, the cheapest first, those without a known price last."""
        rows = VideoModel.objects.filter(gateway=self.gateway).exclude(lifecycle=Lifecycle.RETIRED)
        return sorted(self._own(rows.exclude(id__in=_switched_off(self.by))), key=_place)

    @cached_property
    def _all(self) -> list[VideoModel]:
        return self._own(VideoModel.objects.filter(gateway=self.gateway))

    def _own(self, rows: QuerySet[VideoModel]) -> list[VideoModel]:
        models = list(rows)
        for model in models:
            model.gateway = self.gateway
        return models

    def find(self, slug: str) -> VideoModel | None:
        """A model of the gateway in use by slug or alias, also one that is retired or switched off; else one of an
        earlier gateway.
        """
        if found := next((model for model in self.models if model.slug == slug), None):
            return found
        named = [model for model in self._all if slug in (model.slug, *model.aliases)]
        if named:
            return min(named, key=lambda model: model.slug != slug)
        known = VideoModel.objects.filter(Q(gateway__team=None) | Q(gateway__team_id=self.by.team_id), slug=slug)
        return known.order_by("-seen_at").first()

    @cached_property
    def notes(self) -> dict[UUID, str]:
        """The team's own words beside the price of a model."""
        rows = TeamModel.objects.filter(team_id=self.by.team_id).exclude(price_note="")
        return dict(rows.values_list("model_id", "price_note"))

    def preselected(self) -> VideoModel | None:
        """This person's last model, else the team's default, else the cheapest live one that works from words alone."""
        models = {model.id: model for model in self.models}
        mine = Run.objects.filter(team_id=self.by.team_id, created_by_id=self.by.user_id)
        last = mine.order_by("-id").values_list("model_id", flat=True).first()
        if last in models:
            return models[last]
        defaults = TeamModel.objects.filter(team_id=self.by.team_id, is_default=True)
        chosen = defaults.values_list("model_id", flat=True).first()
        if chosen in models:
            return models[chosen]
        priced = [m for m in self.models if m.price_floor_micros and not m.takes.needs_reference]
        return next(iter(priced), None) or next(iter(self.models), None)

    def nearest_live(self, model: VideoModel, *, with_reference: bool) -> VideoModel | None:
        """What stands closest to a model that is gone or refused: takes the same input, then same maker, then price.
        Never `model` itself.
        """
        candidates = [
            other
            for other in self.models
            if other.id != model.id
            and other.lifecycle == Lifecycle.LIVE
            and (other.takes.image_to_video if with_reference else other.takes.text_to_video)
            and other.price_floor_micros != 0
        ]
        wanted = model.price_floor_micros or 0
        return min(
            candidates,
            key=lambda other: (other.owner != model.owner, abs((other.price_floor_micros or 0) - wanted), other.slug),
            default=None,
        )


def _switched_off(by: Membership) -> QuerySet[TeamModel, Any]:
    return TeamModel.objects.filter(team_id=by.team_id, enabled=False).values("model_id")


def _place(model: VideoModel) -> tuple[bool, int, str]:
    """Where it stands in the list."""
    price = UNPRICED if model.price_floor_micros is None else model.price_floor_micros
    return model.lifecycle != Lifecycle.LIVE, price, model.slug
