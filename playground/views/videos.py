"""One video with everything known about it, and what can be done to videos."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from playground.domain import moments
from playground.forms.comments import CommentForm
from playground.forms.videos import GalleryFilters, TitleForm
from playground.models import Video
from playground.models.video import VideoQuerySet
from playground.services import videos as video_service
from playground.services.people import TEAM_IN_SESSION
from playground.views.access import MemberRequest, for_creators, for_members, may_change, require_change
from playground.views.back import back, chosen_videos
from playground.views.card_words import differences
from playground.views.comment_rows import thread
from playground.views.gallery import team_videos, tile_of
from playground.views.gallery_places import Place, collection_of
from playground.views.history import history
from playground.views.limited import limited
from playground.views.undo import offer_undo, take_undo
from playground.views.video_facts import facts
from playground.views.video_standing import Standing
from playground.views.visibility import switch_visibility

FAMILY_SIZE = 12


def _visible(request: MemberRequest) -> VideoQuerySet:
    return Video.objects.visible_to(request.membership)


def _video(request: MemberRequest, id: UUID) -> Video:
    return get_object_or_404(_visible(request).for_tiles().select_related("generation__run__parent_video"), id=id)


@require_safe
@for_members
def detail(request: MemberRequest, id: UUID) -> HttpResponse:
    return page(request, _video(request, id))


def page(request: MemberRequest, video: Video, status: int = 200, **forms: Any) -> HttpResponse:
    """`form` (the title's) or `comment_form` where one was refused."""
    generation, membership = video.generation, request.membership
    context: dict[str, Any] = {
        "video": video,
        "tile": tile_of(video, membership),
        "form": TitleForm(),
        "comment_form": CommentForm(video=video),
        "thread": thread(membership, video),
        "standing": Standing(video, membership),
        "starts_at": _starts_at(request, video),
        "facts": facts(video),
        "asked_and_got": differences(generation, video) if generation else "",
        "history": history([generation]) if generation else [],
        "references": list(generation.references.all()) if generation else [],
        **_neighbours(request, video),
        **_family(request, video),
    }
    return render(request, "videos/detail.html", context | forms, status=status)


def _starts_at(request: MemberRequest, video: Video) -> str:
    """`?t=3.2` in seconds for the player's media fragment: how a comment's moment works without JavaScript."""
    at = moments.parse(request.GET.get("t", ""))
    return "" if at is None or at > video.duration_ms else moments.fragment(at)


def _neighbours(request: MemberRequest, video: Video) -> dict[str, Any]:
    """The videos before and after this one in the collection or gallery it was opened from; two indexed look-ups."""
    if place := collection_of(request, video):
        return {"place": place, **place.around}
    filters = GalleryFilters.from_query(request.GET)
    around = team_videos(request.membership, filters)
    return {
        "place": Place(reverse("gallery.index") + filters.query(), _("Gallery"), filters.query()),
        "newer": around.filter(id__gt=video.id).order_by("id").first(),
        "older": around.filter(id__lt=video.id).order_by("-id").first(),
    }


def _family(request: MemberRequest, video: Video) -> dict[str, Any]:
    kept = _visible(request).kept().for_tiles()
    run = video.generation.run if video.generation else None
    parent = kept.filter(id=run.parent_video_id).first() if run and run.parent_video_id else None
    siblings: QuerySet[Video] = kept.filter(generation__run=run).exclude(id=video.id) if run else kept.none()
    return {
        "parent": parent,
        "siblings": list(siblings.order_by("id")[:FAMILY_SIZE]),
        "children": list(kept.filter(generation__run__parent_video=video).order_by("-id")[:FAMILY_SIZE]),
    }


@require_POST
@for_creators
def rename(request: MemberRequest, id: UUID) -> HttpResponse:
    """422 with the message beside the field when the title is too long."""
    video = _video(request, id)
    require_change(request.membership, [video])
    form = TitleForm(request.POST)
    if not form.is_valid():
        return _title_or_page(request, video, form, status=422)
    video_service.rename(by=request.membership, video=video, title=form.cleaned_data["title"])
    if request.headers.get("HX-Request") == "true":
        video.refresh_from_db(fields=["title"])
        return _title_or_page(request, video, TitleForm())
    return redirect("videos.detail", id=video.id)


def _title_or_page(request: MemberRequest, video: Video, form: TitleForm, status: int = 200) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        return page(request, video, status, form=form)
    tile = tile_of(video, request.membership)
    return render(request, "videos/_title.html", {"video": video, "form": form, "tile": tile}, status=status)


@require_POST
@for_creators
@limited("visibility")
def visibility(request: MemberRequest, id: UUID) -> HttpResponse:
    """Its owner says who sees it. Where open links would go on showing it, a page asks what becomes of them."""
    video = _video(request, id)
    if video.owner_id != request.membership.user_id:
        raise Http404("only its owner decides who sees it")
    return switch_visibility(request, video, reverse("videos.detail", args=[video.id]))


def _chosen(request: MemberRequest, among: VideoQuerySet) -> list[Video]:
    """The videos named in the form. 404 for one this member may not see or may not change."""
    found = chosen_videos(request, among)
    require_change(request.membership, found)
    return found


@require_POST
@for_creators
def trash(request: MemberRequest) -> HttpResponse:
    """Move the chosen videos to the trash; the next page offers to undo it. Those of others stay where they are."""
    chosen = chosen_videos(request, _visible(request).kept())
    if not chosen:
        messages.info(request, _("No video was chosen."))
        return back(request, reverse("gallery.index"))
    mine = [video for video in chosen if may_change(request.membership, video)]
    if not mine:
        raise Http404("none of the videos is this member's to change")
    video_service.trash(by=request.membership, videos=mine)
    request.session[TEAM_IN_SESSION] = request.membership.team.slug
    offer_undo(request, [video.id for video in mine], left=len(chosen) - len(mine))
    return back(request, reverse("gallery.index"))


@require_POST
@for_creators
def restore(request: MemberRequest) -> HttpResponse:
    """Bring the chosen videos back; with `?last=1` those of the last move to the trash."""
    is_undo = "last" in request.GET
    chosen = _last_trashed(request) if is_undo else _chosen(request, _visible(request))
    count = video_service.restore(by=request.membership, videos=chosen)
    words = ngettext("%(count)d video is back in the gallery.", "%(count)d videos are back in the gallery.", count)
    messages.success(request, words % {"count": count})
    return back(request, reverse("gallery.index"), request.headers.get("Referer", "") if is_undo else "")


def _last_trashed(request: MemberRequest) -> list[Video]:
    videos = list(_visible(request).filter(id__in=take_undo(request)))
    require_change(request.membership, videos)
    return videos


@require_POST
@for_creators
def purge(request: MemberRequest) -> HttpResponse:
    """Delete from the trash for good; a page asks first unless the form says that it was asked (`sure=1`)."""
    chosen = _chosen(request, _visible(request).trashed())
    if chosen and request.POST.get("sure") != "1":
        return render(request, "trash/purge.html", {"videos": chosen})
    count = video_service.purge(by=request.membership, videos=chosen)
    words = ngettext("%(count)d video was deleted for good.", "%(count)d videos were deleted for good.", count)
    messages.success(request, words % {"count": count})
    return back(request, reverse("trash.index"))
