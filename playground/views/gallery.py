"""The team's finished videos, newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from playground.domain.capabilities import SHAPES
from playground.forms.videos import GalleryFilters
from playground.models import Membership, User, Video, VideoModel, Visibility
from playground.models.video import VideoQuerySet
from playground.services import favourites, offers
from playground.services.runs import new_token
from playground.views.access import MemberRequest, for_members, may_change
from playground.views.gallery_places import fillable, tabs
from playground.views.paging import cursor, newest

PAGE_SIZE = 24
COUNT_UP_TO = 1000
NEWER_UP_TO = 99


@dataclass(frozen=True, slots=True)
class Tile:
    """One video of the gallery. `token` makes its "One more" button good for one order; "" where it may not be ordered
    again: the run is somebody's own, or the team is not offered the model just now.
    """

    video: Video
    token: str
    may_change: bool
    may_choose: bool = False
    is_favourite: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """One chosen filter in words, and how to leave it."""

    label: str
    drop_label: str
    without_query: str
    count_without: int
    without_words: str


def tiles(videos: Sequence[Video], membership: Membership) -> list[Tile]:
    starred = favourites.among(by=membership, videos=videos)
    again = {video.id: _model_to_order(video, membership) for video in videos}
    offered = offers.among(by=membership, models=[model for model in again.values() if model])
    return [
        Tile(
            video=video,
            token=new_token() if again[video.id] in offered else "",
            may_change=may_change(membership, video),
            may_choose=membership.may_create,
            is_favourite=video.id in starred,
        )
        for video in videos
    ]


def tile_of(video: Video, membership: Membership) -> Tile:
    return tiles([video], membership)[0]


def _model_to_order(video: Video, membership: Membership) -> UUID | None:
    """None where the run is somebody else's own, since what cannot be seen cannot be ordered again, and for those who
    do not order.
    """
    generation = video.generation
    if generation is None or not membership.may_create:
        return None
    run = generation.run
    is_shown = run.visibility == Visibility.TEAM or run.created_by_id == membership.user_id
    return generation.model_id if is_shown else None


def team_videos(membership: Membership, filters: GalleryFilters) -> VideoQuerySet:
    return filters.apply(Video.objects.visible_to(membership).kept(), membership)


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    """A page of 24; with htmx and a cursor only the tiles that follow."""
    filters = GalleryFilters.from_query(request.GET)
    page = newest(team_videos(request.membership, filters).for_tiles(), before=cursor(request.GET), size=PAGE_SIZE)
    context: dict[str, Any] = {
        "tiles": tiles(page.rows, request.membership),
        "page": page,
        "filters": filters,
        "selecting": "select" in request.GET,
        "more_url": reverse("gallery.index")
        + filters.query(before=page.before, select="1" if "select" in request.GET else ""),
    }
    if wants_fragment(request) and not page.is_first:
        return render(request, "gallery/_page.html", context)
    context |= _frame(request.membership, filters, page.rows)
    return render(request, "gallery/index.html", context)


def wants_fragment(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Request-Type") != "full"


def _frame(membership: Membership, filters: GalleryFilters, rows: list[Video]) -> dict[str, Any]:
    """What stands around the tiles: the filters and the empty states."""
    empty = not rows
    return {
        "owners": _owners(membership),
        "models": _models(membership),
        "shapes": SHAPES,
        "tabs": tabs(filters),
        "fillable": lambda: fillable(membership),
        "newest_id": rows[0].id if rows else None,
        "chosen_filters": _chosen(membership, filters) if empty and filters else [],
    }


def _owners(membership: Membership) -> list[User]:
    return list(User.objects.filter(memberships__team_id=membership.team_id).order_by("name", "email"))


def _models(membership: Membership) -> list[str]:
    mine = Video.objects.visible_to(membership).kept().filter(generation__model=OuterRef("pk"))
    return list(VideoModel.objects.filter(Exists(mine)).order_by("slug").values_list("slug", flat=True).distinct())


def _chosen(membership: Membership, filters: GalleryFilters) -> list[Filter]:
    owner = next((person for person in _owners(membership) if person.id == filters.owner), None)
    names = {
        "owner": (owner.display_name if owner else _("this owner"), _("Drop owner"), _("the owner")),
        "model": (filters.model, _("Drop model"), _("the model")),
        "shape": (filters.shape, _("Drop shape"), _("the shape")),
        "favourite": (_("favourites"), _("Not only favourites"), _("the star")),
        "approved": (_("approved"), _("Not only approved"), _("the approval")),
    }
    chosen = []
    for name in filters.values():
        label, drop_label, noun = names[name]
        without = filters.without(name)
        count = bounded_count(team_videos(membership, without), COUNT_UP_TO)
        words = ngettext(
            "%(count)d video matches without %(filter)s.", "%(count)d videos match without %(filter)s.", count
        ) % {"count": count, "filter": noun}
        chosen.append(Filter(label, drop_label, without.query(), count, words))
    return chosen


def bounded_count(videos: VideoQuerySet, limit: int) -> int:
    """How many, counting no further than `limit`: a full count reads the whole index."""
    return videos.order_by()[:limit].count()


@require_safe
@for_members
def newer(request: MemberRequest) -> HttpResponse:
    """How many videos came after the first one on the page: 204 when none did. Never inserted, only announced."""
    filters = GalleryFilters.from_query(request.GET)
    videos = team_videos(request.membership, filters)
    if not wants_fragment(request):
        return HttpResponseRedirect(reverse("gallery.index") + filters.query())
    after = cursor(request.GET, "after")
    if after is not None:
        videos = videos.filter(id__gt=after)
    count = bounded_count(videos, NEWER_UP_TO)
    if not count:
        return HttpResponse(status=204)
    return render(request, "gallery/_newer.html", {"count": count, "limit": NEWER_UP_TO, "filters": filters})
