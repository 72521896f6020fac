"""The pages that somebody with a share link sees: a video, or a collection and each of its videos."""

from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from playground.clients import address_of
from playground.forms.sharing import MarkForm, PasswordForm
from playground.htmx import is_htmx
from playground.models import ShareMark, Video
from playground.services import hashing, share_limits, share_visits
from playground.views import shared_things
from playground.views.errors import wait_words
from playground.views.holders import (
    HolderRequest,
    count_view,
    for_holders,
    gone,
    is_unlocked,
    private,
    remember_unlocked,
    video_of,
)

PAGE_SIZE = 48


@require_safe
@for_holders
def index(request: HolderRequest) -> HttpResponse:
    if not is_unlocked(request):
        return _ask(request, PasswordForm())
    if request.link.video_id:
        return count_view(request, _video_page(request, video_of(request, None)))
    videos = request.link.videos().select_related("generation")  # which knows the cost
    page = Paginator(videos, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "link": request.link,
        "page": page,
        "tiles": shared_things.tiles(request.link, request.token, page.object_list),
    }
    response = render(request, "shares/collection.html", context | _open_graph(request, page.object_list[:1]))
    return count_view(request, response)


@require_safe
@for_holders
def video(request: HolderRequest, id: UUID) -> HttpResponse:
    """One of a collection's videos; the only one of a link to a video has its page at the link itself."""
    if not is_unlocked(request):
        return _ask(request, PasswordForm(), id)
    found = video_of(request, id)
    if request.link.video_id:
        return redirect("shares.index", request.token)
    return count_view(request, _video_page(request, found))


def _video_page(request: HolderRequest, video: Video, form: MarkForm | None = None, status: int = 200) -> HttpResponse:
    link, token = request.link, request.token
    context: dict[str, Any] = {
        "link": link,
        "token": token,
        "shown": shared_things.for_holder(link, token, video, _mark_of(request, video)),
        "place": shared_things.place_of(link, token, video) if link.collection_id else None,
        "form": form,
    }
    return render(request, "shares/video.html", context | _open_graph(request, [video]), status=status)


def _mark_of(request: HolderRequest, video: Video) -> ShareMark | None:
    return ShareMark.objects.filter(link=request.link, video=video).first() if request.link.takes_marks else None


def _open_graph(request: HolderRequest, videos: Any) -> dict[str, Any]:
    """For messengers. With a password they could not read the picture, nor should they."""
    first = next(iter(videos), None)
    if not request.link.has_previews or request.link.password or first is None:
        return {}
    shown = shared_things.for_holder(request.link, request.token, first)
    return {
        "previewed": shown,
        "previewed_page": shared_things.absolute(request.path),
        "previewed_poster": shared_things.absolute(shown.poster_url),
        "previewed_video": shared_things.absolute(shown.play_url),
    }


# --- the password ------------------------------------------------------------------------------------------------
def _ask(request: HolderRequest, form: PasswordForm, wanted: UUID | None = None, status: int = 200) -> HttpResponse:
    """`wanted`: what the address said, whether the link shows it or not: that is told after the password only."""
    context = {"token": request.token, "form": form, "wanted": wanted or ""}
    return render(request, "shares/password.html", context, status=status)


@require_POST
@for_holders
def unlock(request: HolderRequest) -> HttpResponse:
    """Counted before it is looked at, since looking is slow and telling is what a guesser wants."""
    form, link, who = PasswordForm(request.POST), request.link, address_of(request)
    wanted = _wanted(request)
    if not form.is_valid():
        return _ask(request, form, wanted, status=422)
    if seconds := share_limits.password_try(link.id, who):
        return _ask_later(request, form, wanted, seconds)
    with hashing.place() as has_place:
        if not has_place:
            share_limits.password_was_right(link.id, who)
            return _ask_later(request, form, wanted, hashing.AGAIN_S)
        is_right = share_visits.is_password(link=link, password=form.cleaned_data["password"])
    if not is_right:
        form.add_error("password", _("That is not the password."))
        return _ask(request, form, wanted, status=422)
    share_limits.password_was_right(link.id, who)
    shown = link.videos().filter(id=wanted).first() if wanted else None
    response = HttpResponseRedirect(_page_of(request, shown), status=303)
    remember_unlocked(request, response)
    return response


def _ask_later(request: HolderRequest, form: PasswordForm, wanted: UUID | None, seconds: int) -> HttpResponse:
    form.add_error("password", _too_many_tries(seconds))
    response = _ask(request, form, wanted, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _too_many_tries(seconds: int) -> str:
    return _("Too many tries. %(wait)s") % {"wait": wait_words(seconds)}


def _wanted(request: HolderRequest) -> UUID | None:
    """The page of a collection that was asked for before the password was."""
    try:
        return UUID(request.POST.get("video", ""))
    except ValueError:
        return None


def _page_of(request: HolderRequest, video: Video | None) -> str:
    if video is None or request.link.video_id:
        return reverse("shares.index", args=[request.token])
    return reverse("shares.video", args=[request.token, video.id])


# --- marks -------------------------------------------------------------------------------------------------------
@require_POST
@for_holders
def mark(request: HolderRequest, id: UUID) -> HttpResponse:
    """Heart and note go together, so that pressing one loses nothing of the other."""
    if not request.link.takes_marks or not is_unlocked(request):
        return gone()
    found = video_of(request, id)
    form = MarkForm(request.POST)
    if not form.is_valid():
        return _marks(request, found, form, status=422)
    if seconds := share_limits.mark(request.link.id, address_of(request)):
        form.add_error("note", _too_many_tries(seconds))
        return _marks(request, found, form, status=429)
    note = form.cleaned_data["note"] if "note" in request.POST else None
    share_visits.mark(link=request.link, video=found, note=note, is_favourite=form.is_favourite)
    if is_htmx(request):
        return _marks(request, found, None, status=200)
    return HttpResponseRedirect(f"{_page_of(request, found)}?saved=1#mark", status=303)


def _marks(request: HolderRequest, video: Video, form: MarkForm | None, *, status: int) -> HttpResponse:
    if not is_htmx(request):
        return _video_page(request, video, form, status)
    shown = shared_things.for_holder(request.link, request.token, video, _mark_of(request, video))
    context = {"link": request.link, "token": request.token, "shown": shown, "form": form, "is_saved": form is None}
    return render(request, "shares/_mark.html", context, status=status)


@login_not_required
def nothing(request: HttpRequest, rest: str) -> HttpResponse:
    """Whatever else stands below /s/. An address that lost its last stroke on the way is led on, whatever its token."""
    if not rest.endswith("/") and request.method in {"GET", "HEAD"}:
        return private(HttpResponseRedirect(f"{request.path}/"))  # type: ignore[return-value]
    return private(gone())  # type: ignore[return-value]
