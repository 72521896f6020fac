"""Forms of the gallery: its filters, a chosen set of videos, a new title."""

from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db.models import Exists, F, FloatField, OuterRef, Q, Value
from django.db.models.functions import Cast
from django.db.models.lookups import GreaterThanOrEqual, LessThan
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from playground.domain.capabilities import SHAPES, ratio_of
from playground.models import Favourite, Membership, Video
from playground.models.video import VideoQuerySet

MAX_CHOSEN = 200
"""Videos that one press moves to the trash and back, or into a collection."""
WIDEST = 1000.0
"""No picture has a ratio beyond it."""


class TitleForm(forms.Form):
    """An empty title goes back to the prompt's first words."""

    title = forms.CharField(
        label=_("Title"), max_length=Video._meta.get_field("title").max_length, required=False, strip=True
    )


class ChosenVideosForm(forms.Form):
    """`video=<id>` any number of times, up to MAX_CHOSEN."""

    video = forms.TypedMultipleChoiceField(coerce=UUID, required=True)

    def __init__(self, data: QueryDict, *, among: VideoQuerySet) -> None:
        super().__init__(data)
        asked = data.getlist("video")[:MAX_CHOSEN]
        ids = [UUID(value) for value in asked if _is_id(value)]
        self.found = list(among.filter(id__in=ids))
        self.fields["video"].choices = [(str(video.id), str(video)) for video in self.found]  # type: ignore[attr-defined]


def _is_id(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def shape_bounds(shape: str) -> tuple[float, float]:
    """The ratios width / height that are nearer to `shape` than to any other, as `nearest_shape` sees them."""
    ratios = sorted(ratio_of(name) for name in SHAPES)
    place = ratios.index(ratio_of(shape))
    lower = (ratios[place - 1] * ratios[place]) ** 0.5 if place else 0.0
    upper = (ratios[place] * ratios[place + 1]) ** 0.5 if place + 1 < len(ratios) else WIDEST
    return lower, upper


@dataclass(frozen=True, slots=True)
class GalleryFilters:
    """What `?owner=&model=&shape=&favourite=1&approved=1` narrows the gallery to. Values that mean nothing are dropped,
    not refused.
    """

    owner: UUID | None = None
    model: str = ""
    shape: str = ""
    favourite: bool = False
    approved: bool = False

    @classmethod
    def from_query(cls, query: QueryDict) -> Self:
        owner, shape = query.get("owner", ""), query.get("shape", "")
        return cls(
            owner=UUID(owner) if _is_id(owner) else None,
            model=query.get("model", "")[:200],
            shape=shape if shape in SHAPES else "",
            favourite=query.get("favourite") == "1",
            approved=query.get("approved") == "1",
        )

    def __bool__(self) -> bool:
        return bool(self.narrows or self.favourite or self.approved)

    @property
    def narrows(self) -> bool:
        """By one of the lists of choices; favourites and approved are places of their own."""
        return bool(self.owner or self.model or self.shape)

    def apply(self, videos: VideoQuerySet, by: Membership | None = None) -> VideoQuerySet:
        """`by` is whose favourites are meant."""
        if self.owner:
            videos = videos.filter(owner_id=self.owner)
        if self.model:
            videos = videos.filter(Q(generation__model__slug=self.model))
        if self.shape:
            lower, upper = shape_bounds(self.shape)
            ratio = Cast(F("width"), FloatField()) / Cast(F("height"), FloatField())
            videos = videos.filter(GreaterThanOrEqual(ratio, Value(lower)), LessThan(ratio, Value(upper)))
        if self.favourite:
            starred = Favourite.objects.filter(user=by.user) if by else Favourite.objects.none()
            videos = videos.filter(Exists(starred.filter(video_id=OuterRef("pk"))))
        if self.approved:
            videos = videos.filter(approved_at__isnull=False)
        return videos

    def values(self) -> dict[str, str]:
        pairs = {
            "owner": str(self.owner or ""),
            "model": self.model,
            "shape": self.shape,
            "favourite": "1" if self.favourite else "",
            "approved": "1" if self.approved else "",
        }
        return {name: value for name, value in pairs.items() if value}

    def query(self, **more: object) -> str:
        """`?owner=...&more=...`, or the empty string; the part of a link that keeps these filters."""
        encoded = urlencode({**self.values(), **{name: value for name, value in more.items() if value}})
        return f"?{encoded}" if encoded else ""

    def without(self, *names: str) -> "GalleryFilters":
        nothing = GalleryFilters()
        return replace(self, **{name: getattr(nothing, name) for name in names})

    def place(self, name: str = "") -> "GalleryFilters":
        """The same choices among all videos, or in the place `favourite` or `approved`."""
        return replace(self, favourite=name == "favourite", approved=name == "approved")

    def everything_here(self) -> "GalleryFilters":
        """The same place without a choice."""
        return self.without("owner", "model", "shape")
