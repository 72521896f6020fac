"""The places inside the gallery (all, favourites, approved, collections), and the one a video was opened from."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.urls import reverse
from django.utils.translation import gettext as _

from playground.forms.videos import GalleryFilters
from playground.models import Collection, CollectionItem, Membership, Video
from playground.views.access import MemberRequest
from playground.views.paging import cursor

MENU_SIZE = 100
"""Collections in the menu "Add to collection": those that were changed last."""


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    url: str
    is_here: bool


def tabs(filters: GalleryFilters | None = None) -> list[Tab]:
    """`filters` None: on the pages of collections. The choices of the gallery stay from tab to tab."""
    gallery, chosen = reverse("gallery.index"), filters or GalleryFilters()
    in_gallery, starred = filters is not None, chosen.favourite
    return [
        Tab(_("All"), gallery + chosen.place().query(), in_gallery and not starred and not chosen.approved),
        Tab(_("Favourites"), gallery + chosen.place("favourite").query(), starred),
        Tab(_("Approved"), gallery + chosen.place("approved").query(), chosen.approved and not starred),
        Tab(_("Collections"), reverse("collections.index"), not in_gallery),
    ]


def fillable(membership: Membership, video: Video | None = None) -> list[Collection]:
    """What the menu "Add to collection" offers; with `video`, each knows as `holds` whether it is in it."""
    rows = Collection.objects.fillable_by(membership).kept().order_by("-changed_at", "-id")
    if video is not None:
        rows = rows.annotate(holds=Exists(CollectionItem.objects.filter(collection=OuterRef("pk"), video=video)))
    return list(rows[:MENU_SIZE])


@dataclass(frozen=True, slots=True)
class InCollection:
    """Stands where a tile asks for the filters of the gallery: its link leads back to the collection."""

    id: UUID
    shape: str = ""

    @property
    def query(self) -> str:
        return "?" + urlencode({"collection": self.id})


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page of a video leads back to, and the videos beside it there."""

    url: str
    label: str
    query: str
    is_collection: bool = False
    around: dict[str, Any] = field(default_factory=dict)


def collection_of(request: MemberRequest, video: Video) -> Place | None:
    """The place of `?collection=`, if this member sees that one and the video is in it."""
    id = cursor(request.GET, "collection")
    found = Collection.objects.visible_to(request.membership).kept().filter(id=id).first() if id else None
    items = CollectionItem.objects.filter(collection=found).select_related("video")
    here = items.filter(video=video).first() if found else None
    if found is None or here is None:
        return None
    others = items & CollectionItem.objects.shown_to(request.membership)
    newer, older = (
        others.filter(id__gt=here.id).order_by("id").first(),
        others.filter(id__lt=here.id).order_by("-id").first(),
    )
    return Place(
        url=reverse("collections.detail", args=[found.id]),
        label=found.name,
        query=InCollection(found.id).query,
        is_collection=True,
        around={"newer": newer.video if newer else None, "older": older.video if older else None},
    )
