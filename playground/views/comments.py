"""What members say of a video: read by htmx while the page is open, written, taken back, brought back."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from playground.forms.comments import CommentForm
from playground.htmx import is_htmx
from playground.models import Membership, Video
from playground.services import comments, rates
from playground.views.access import MemberRequest, for_any_role
from playground.views.comment_rows import thread
from playground.views.errors import often_words
from playground.views.limited import form_again, limited, of_member
from playground.views.undo import say_with_undo
from playground.views.videos import page


def _video(request: MemberRequest, id: UUID) -> Video:
    return get_object_or_404(Video.objects.visible_to(request.membership).for_tiles(), id=id)


def _to_comments(video: Video) -> HttpResponse:
    return HttpResponseRedirect(reverse("videos.detail", args=[video.id]) + "#comments", status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@for_any_role
def index(request: MemberRequest, id: UUID) -> HttpResponse:
    """GET by htmx: the comments, 204 while none came or went since `?seen=`. POST adds one."""
    video = _video(request, id)
    if request.method == "POST":
        return _add(request, video)
    if not is_htmx(request):
        return _to_comments(video)
    shown = thread(request.membership, video)
    if request.GET.get("seen") == shown.stamp:
        return HttpResponse(status=204)
    return render(request, "comments/_list.html", {"video": video, "thread": shown})


def _add(request: MemberRequest, video: Video) -> HttpResponse:
    """422, or 429, with the message beside the field; what was typed stays."""
    form = CommentForm(request.POST, video=video)
    if form.is_valid():
        if seconds := rates.take("comment", of_member(request)):
            form.add_error("text", often_words(seconds))
            return form_again(request, seconds, lambda: page(request, video, status=429, comment_form=form))
        try:
            comments.add(
                by=request.membership, video=video, text=form.cleaned_data["text"], at_ms=form.cleaned_data["at"]
            )
        except Membership.DoesNotExist:
            raise Http404("not of the team any more") from None
        except comments.Full:
            form.add_error("text", _("This video has as many comments as it can hold. Nothing was added."))
    if not form.is_valid():
        return _refused(request, video, form)
    if not is_htmx(request):
        return _to_comments(video)
    return _section(request, video, CommentForm(video=video), written=True)


def _refused(request: MemberRequest, video: Video, form: CommentForm) -> HttpResponse:
    if is_htmx(request):
        return _section(request, video, form, status=422)
    return page(request, video, status=422, comment_form=form)


def _section(
    request: MemberRequest, video: Video, form: CommentForm, status: int = 200, **context: Any
) -> HttpResponse:
    context |= {"video": video, "thread": thread(request.membership, video), "comment_form": form}
    return render(request, "comments/_index.html", context, status=status)


@require_POST
@for_any_role
@limited("comment_undo")
def remove(request: MemberRequest, id: UUID, comment: UUID) -> HttpResponse:
    """Take back an own comment; an admin any. The answer offers to undo it."""
    video = _video(request, id)
    if not comments.remove(by=request.membership, video=video, id=comment):
        raise Http404("no comment that this member may take back")
    undo, words = reverse("comments.restore", args=[video.id, comment]), _("The comment was removed.")
    if is_htmx(request):
        context = {"video": video, "thread": thread(request.membership, video), "removed": words, "undo_url": undo}
        return render(request, "comments/_list.html", context)
    say_with_undo(request, words, undo)
    return _to_comments(video)


@require_POST
@for_any_role
@limited("comment_undo")
def restore(request: MemberRequest, id: UUID, comment: UUID) -> HttpResponse:
    """Undo what this member removed."""
    video = _video(request, id)
    if not comments.restore(by=request.membership, video=video, id=comment):
        raise Http404("no comment that this member removed")
    messages.success(request, _("The comment is back."))
    return _to_comments(video)
