"""What people who may not order ask the team to make: to make, to decline, or one's own to look after."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from playground.models import Membership, Video, VideoRequest
from playground.models.video_request import VideoRequestQuerySet
from playground.services import video_requests
from playground.views.access import MemberRequest, for_any_role, for_creators, for_members
from playground.views.create_input import note_errors
from playground.views.paging import cursor, newest

PAGE = 20


@dataclass(frozen=True, slots=True)
class Row:
    """`video`: the first that came of it, if this member sees it. `is_left`: who asked is not in the team any more."""

    request: VideoRequest
    may_answer: bool
    is_own: bool
    is_left: bool
    video: Video | None = None
    error: str = ""
    word: str = ""


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    """For those who may make them what waits, or with `show=answered` what does not; for others their own."""
    return _page(request)


def _page(
    request: MemberRequest, *, about: VideoRequest | None = None, error: str = "", word: str = "", status: int = 200
) -> HttpResponse:
    by, answered = request.membership, request.GET.get("show") == "answered"
    page = newest(_listed(by, answered=answered), before=cursor(request.GET), size=PAGE)
    rows = rows_of(page.rows, by)
    if about is not None:
        wrong = Row(about, may_answer=True, is_own=False, is_left=False, error=error, word=word)
        rows = [wrong, *(row for row in rows if row.request.id != about.id)]
    context = {"rows": rows, "page": page, "answered": answered, "note_most": video_requests.NOTE_MOST}
    return render(request, "requests/index.html", context, status=status)


def _listed(by: Membership, *, answered: bool) -> VideoRequestQuerySet:
    rows = VideoRequest.objects.visible_to(by).select_related("by", "model", "answered_by", "team")
    rows = rows.prefetch_related("references")
    if not by.may_create:
        return rows
    return rows.exclude(id__in=VideoRequest.objects.open().values("id")) if answered else rows.open()


def rows_of(requests: Iterable[VideoRequest], by: Membership) -> list[Row]:
    """With what came of each; two queries however many there are."""
    found = list(requests)
    videos = _videos(found, by)
    people = {request.by_id for request in found}
    here = set(Membership.objects.filter(team_id=by.team_id, user_id__in=people).values_list("user_id", flat=True))
    return [
        Row(
            request,
            may_answer=by.may_create and request.is_open and request.by_id != by.user_id and request.by_id in here,
            is_own=request.by_id == by.user_id,
            is_left=request.by_id not in here,
            video=videos.get(request.run_id),
        )
        for request in found
    ]


def _videos(requests: Iterable[VideoRequest], by: Membership) -> dict[UUID | None, Video]:
    """By run, the first of each."""
    runs = [request.run_id for request in requests if request.run_id]
    kept = Video.objects.visible_to(by).kept().filter(generation__run_id__in=runs).select_related("generation")
    return {video.generation.run_id: video for video in kept.order_by("-id") if video.generation}


@require_POST
@for_creators
def decline(request: MemberRequest, id: UUID) -> HttpResponse:
    """With a word or without. Whoever comes second changes nothing and is told."""
    asked = _asked(request, id)
    if asked.by_id == request.membership.user_id:
        raise Http404("one's own is taken back")
    word = request.POST.get("note", "").strip()
    if error := note_errors(request.POST).get("note", ""):
        return _page(request, about=asked, error=error, word=word, status=422)
    done = video_requests.decline(by=request.membership, request=asked, word=word)
    name = {"name": asked.by.display_name}
    _say(request, _("Declined. %(name)s has been told.") % name if done else _answered_words())
    return HttpResponseRedirect(reverse("requests.index"), status=303)


@require_POST
@for_any_role
def take_back(request: MemberRequest, id: UUID) -> HttpResponse:
    """One's own, for as long as it waits."""
    asked = _asked(request, id)
    if asked.by_id != request.membership.user_id:
        raise Http404("not this member's request")
    done = video_requests.take_back(by=request.membership, request=asked)
    _say(request, _("Taken back. Nobody is asked for it any more.") if done else _answered_words())
    return HttpResponseRedirect(reverse("requests.index"), status=303)


def _asked(request: MemberRequest, id: UUID) -> VideoRequest:
    rows = VideoRequest.objects.visible_to(request.membership).select_related("by", "model", "answered_by", "team")
    return get_object_or_404(rows, id=id)


def _say(request: MemberRequest, words: str) -> None:
    messages.success(request, words)


def _answered_words() -> str:
    return _("This was answered already. Nothing was changed.")
