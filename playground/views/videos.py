"""One video with everything known about it, and what can be done to videos."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from playground.forms.videos import ChosenVideosForm, GalleryFilters, TitleForm
from playground.models import Video
from playground.models.video import VideoQuerySet
from playground.services import videos as video_service
from playground.services.people import TEAM_IN_SESSION
from playground.services.runs import new_token
from playground.views.access import MemberRequest, for_creators, for_members, may_change, require_change
from playground.views.card_words import differences
from playground.views.gallery import Tile, team_videos
from playground.views.history import history
from playground.views.undo import offer_undo, take_undo
from playground.views.video_facts import facts

FAMILY_SIZE = 12


def _visible(request: MemberRequest) -> VideoQuerySet:
    return Video.objects.visible_to(request.membership)


def _video(request: MemberRequest, id: UUID) -> Video:
    return get_object_or_404(_visible(request).for_tiles().select_related("generation__run__parent_video"), id=id)


@require_safe
@for_members
def detail(request: MemberRequest, id: UUID) -> HttpResponse:
    return _page(request, _video(request, id), TitleForm())


def _page(request: MemberRequest, video: Video, form: TitleForm, status: int = 200) -> HttpResponse:
    generation = video.generation
    context: dict[str, Any] = {
        "video": video,
        "tile": Tile(video, new_token(), may_change(request.membership, video)),
        "form": form,
        "facts": facts(video),
        "asked_and_got": differences(generation, video) if generation else "",
        "history": history([generation]) if generation else [],
        "references": list(generation.references.all()) if generation else [],
        **_neighbours(request, video),
        **_family(request, video),
    }
    return render(request, "videos/detail.html", context, status=status)


def _neighbours(request: MemberRequest, video: Video) -> dict[str, Any]:
    """The videos before and after this one in the gallery as it was filtered; two indexed look-ups."""
    filters = GalleryFilters.from_query(request.GET)
    around = team_videos(request.membership, filters)
    return {
        "filters": filters,
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
        return _page(request, video, form, status)
    tile = Tile(video, "", may_change(request.membership, video))
    return render(request, "videos/_title.html", {"video": video, "form": form, "tile": tile}, status=status)


def _chosen(request: MemberRequest, among: VideoQuerySet) -> list[Video]:
    """The videos named in the form. 404 for one this member may not see, 403 for one they may not change."""
    form = ChosenVideosForm(request.POST, among=among)
    if "video" in request.POST and not form.is_valid():
        raise Http404("a chosen video is not there")
    require_change(request.membership, form.found)
    return form.found


def _back(request: HttpRequest, default: str, target: str = "") -> HttpResponseRedirect:
    """To `next` when it is an address of ours, else to `default`; 303, so that a reload does not post again."""
    target = request.POST.get("next", target)
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = reverse(default)
    return HttpResponseRedirect(target, status=303)


@require_POST
@for_creators
def trash(request: MemberRequest) -> HttpResponse:
    """Move the chosen videos to the trash; the next page offers to undo it."""
    chosen = _chosen(request, _visible(request).kept())
    if not chosen:
        messages.info(request, _("No video was chosen."))
        return _back(request, "gallery.index")
    video_service.trash(by=request.membership, videos=chosen)
    request.session[TEAM_IN_SESSION] = request.membership.team.slug
    offer_undo(request, [video.id for video in chosen])
    return _back(request, "gallery.index")


@require_POST
@for_creators
def restore(request: MemberRequest) -> HttpResponse:
    """Bring the chosen videos back; with `?last=1` those of the last move to the trash."""
    is_undo = "last" in request.GET
    chosen = _last_trashed(request) if is_undo else _chosen(request, _visible(request))
    count = video_service.restore(by=request.membership, videos=chosen)
    words = ngettext("%(count)d video is back in the gallery.", "%(count)d videos are back in the gallery.", count)
    messages.success(request, words % {"count": count})
    return _back(request, "gallery.index", request.headers.get("Referer", "") if is_undo else "")


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
    return _back(request, "trash.index")
