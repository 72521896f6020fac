"""Collections: the list, one of them, and what is done with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Prefetch, Q, prefetch_related_objects
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from playground.forms.collections import CollectionForm, NameForm
from playground.htmx import is_htmx
from playground.models import Collection, CollectionItem, Membership, Video, Visibility
from playground.models.collection import CollectionQuerySet
from playground.services import collections, rates, sharing
from playground.views.access import MemberRequest, for_creators, for_members
from playground.views.back import back, chosen_videos
from playground.views.errors import often_words
from playground.views.gallery import tiles, wants_fragment
from playground.views.gallery_places import InCollection, fillable, tabs
from playground.views.limited import form_again, limited, of_member
from playground.views.paging import Page, cursor, newest
from playground.views.undo import say_with_undo
from playground.views.video_standing import standing_fragment
from playground.views.visibility import switch_visibility

PAGE_SIZE = 24
POSTERS = 4
TAKEN = "undo_taken"
"""In the session: the collection that something was taken out of last, and what that was."""


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """`posters` are those of the newest videos that this member sees; `count` is how many they see."""

    collection: Collection
    posters: list[Video]
    count: int


def _changed_last(rows: CollectionQuerySet, before: UUID | None) -> Page[Collection]:
    ordered = rows.order_by("-changed_at", "-id")
    if before and (last := rows.filter(id=before).first()):
        same_moment = Q(changed_at=last.changed_at, id__lt=last.id)
        ordered = ordered.filter(Q(changed_at__lt=last.changed_at) | same_moment)
    found = list(ordered[: PAGE_SIZE + 1])
    more = found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None
    return Page(rows=found[:PAGE_SIZE], before=more, is_first=before is None)


def _rows(found: list[Collection], by: Membership) -> list[CollectionRow]:
    shown = CollectionItem.objects.shown_to(by).filter(collection__in=found)
    counts = dict(shown.order_by().values_list("collection").annotate(Count("id")))
    newest_of_each = CollectionItem.objects.shown_to(by).select_related("video").order_by("-id")[:POSTERS]
    prefetch_related_objects(found, Prefetch("items", queryset=newest_of_each, to_attr="newest"))
    posters = {row.id: [item.video for item in getattr(row, "newest", ())] for row in found}
    return [CollectionRow(row, posters[row.id], counts.get(row.id, 0)) for row in found]


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    """Those changed last come first."""
    seen = Collection.objects.visible_to(request.membership).kept().select_related("owner")
    page = _changed_last(seen, cursor(request.GET))
    context = {"page": page, "rows": _rows(page.rows, request.membership), "tabs": tabs()}
    return render(request, "collections/index.html", context)


@require_safe
@for_members
def detail(request: MemberRequest, id: UUID) -> HttpResponse:
    """What was added last comes first; with htmx and a cursor only the tiles that follow."""
    seen = Collection.objects.visible_to(request.membership).kept().select_related("owner")
    return _page(request, get_object_or_404(seen, id=id), NameForm())


def _page(request: MemberRequest, collection: Collection, form: NameForm, status: int = 200) -> HttpResponse:
    by, selecting = request.membership, "select" in request.GET
    shown = CollectionItem.objects.shown_to(by).filter(collection=collection)
    kin = ("generation", "generation__model", "generation__run", "generation__gateway", "owner")
    page = newest(
        shown.select_related("video", *(f"video__{name}" for name in kin)), before=cursor(request.GET), size=PAGE_SIZE
    )
    address = reverse("collections.detail", args=[collection.id])
    more = f"?before={page.before}" + ("&select=1" if selecting else "")
    context: dict[str, Any] = {
        "collection": collection,
        "tiles": tiles([item.video for item in page.rows], by),
        "page": page,
        "filters": InCollection(collection.id),
        "selecting": selecting,
        "more_url": address + more,
    }
    if wants_fragment(request) and not page.is_first:
        return render(request, "gallery/_page.html", context)
    context |= {"form": form, "count": shown.count(), "tabs": tabs(), "fillable": lambda: fillable(by)}
    return render(request, "collections/detail.html", context | _rights(by, collection), status=status)


def _rights(by: Membership, collection: Collection) -> dict[str, bool]:
    is_owner = collection.owner_id == by.user_id
    return {
        "may_fill": by.may_create,
        "may_manage": by.may_create and (is_owner or by.is_admin),
        "may_switch": by.may_create and is_owner,
        "is_private": collection.visibility == Visibility.PRIVATE,
    }


def _videos(request: MemberRequest) -> list[Video]:
    return chosen_videos(request, Video.objects.visible_to(request.membership).kept())


@require_http_methods(["GET", "HEAD", "POST"])
@for_creators
def create(request: MemberRequest) -> HttpResponse:
    """GET and a POST without a name ask for one, keeping the chosen videos; with a name it is made."""
    videos = _videos(request)
    form = CollectionForm(request.POST) if "name" in request.POST else CollectionForm()
    if not form.is_bound or not form.is_valid():
        return _new(request, form, videos, status=422 if form.is_bound else 200)
    if seconds := rates.take("collect", of_member(request)):
        form.add_error("name", often_words(seconds))
        return form_again(request, seconds, lambda: _new(request, form, videos, status=429))
    given = form.cleaned_data
    made = collections.create(by=request.membership, name=given["name"], seen_by=given["visibility"], videos=videos)
    messages.success(request, _("“%(name)s” is there.") % {"name": made.name})
    return redirect("collections.detail", id=made.id)


def _new(request: MemberRequest, form: CollectionForm, videos: list[Video], *, status: int) -> HttpResponse:
    context = {"form": form, "videos": videos, "is_team": form["visibility"].value() != Visibility.PRIVATE}
    return render(request, "collections/create.html", context, status=status)


def _fillable(request: MemberRequest, id: UUID) -> Collection:
    return get_object_or_404(Collection.objects.fillable_by(request.membership).kept(), id=id)


@contextmanager
def _or_missing() -> Iterator[None]:
    """For what is deleted for good between the look at it and the deed."""
    try:
        yield
    except Collection.DoesNotExist:
        raise Http404("it was deleted") from None


def _managed(request: MemberRequest, id: UUID) -> Collection:
    return get_object_or_404(Collection.objects.managed_by(request.membership), id=id)


def _after(request: MemberRequest, collection: Collection, videos: list[Video], words: str, undo: str) -> HttpResponse:
    """Back to where the form stood; the page of a video gets its panel alone."""
    if is_htmx(request) and request.POST.get("look") == "video" and len(videos) == 1:
        video = Video.objects.for_tiles().get(id=videos[0].id)
        return standing_fragment(request, video, menu_open=True, said=words, undo_url=undo)
    if undo:
        say_with_undo(request, words, undo)
    else:
        messages.success(request, words)
    return back(request, reverse("collections.detail", args=[collection.id]))


@require_POST
@for_creators
@limited("collect")
def add(request: MemberRequest, id: UUID) -> HttpResponse:
    """Put the chosen videos in. Doing it twice changes nothing."""
    collection, videos = _fillable(request, id), _videos(request)
    if not videos:
        messages.info(request, _("No video was chosen."))
        return back(request, reverse("gallery.index"))
    with _or_missing():
        count = collections.add(by=request.membership, collection=collection, videos=videos)
    own = sum(video.visibility == Visibility.PRIVATE for video in videos)
    links = sharing.count_showing(collection=collection, videos=videos)
    return _after(request, collection, videos, _added(collection, count, len(videos), own, links), "")


def _added(collection: Collection, count: int, of: int, own: int, links: int) -> str:
    """What became of `of` chosen videos: `own` are shown to their owner alone, `links` to the collection show some."""
    if not count:
        words = ngettext("It is in “%(name)s” already.", "They are in “%(name)s” already.", of)
    else:
        words = ngettext("%(count)d video added to “%(name)s”.", "%(count)d videos added to “%(name)s”.", count)
    said = words % {"count": count, "name": collection.name}
    if own and collection.visibility == Visibility.TEAM:
        only = ngettext("%(count)d is only for you there too.", "%(count)d are only for you there too.", own)
        said = f"{said} {only % {'count': own}}"
    if count and links:
        shown = ngettext("%(count)d share link shows it.", "%(count)d share links show it.", links)
        said = f"{said} {shown % {'count': links}}"
    return said


@require_POST
@for_creators
@limited("collect")
def remove(request: MemberRequest, id: UUID) -> HttpResponse:
    """Take the chosen videos out; they stay in the gallery. The next page offers to undo it."""
    collection, videos = _fillable(request, id), _videos(request)
    with _or_missing():
        taken = collections.remove(by=request.membership, collection=collection, videos=videos)
    if not taken:
        messages.info(request, _("No video was chosen."))
        return back(request, reverse("collections.detail", args=[collection.id]))
    request.session[TAKEN] = [str(collection.id), [one.to_json() for one in taken]]
    words = ngettext(
        "%(count)d video taken out of “%(name)s”.", "%(count)d videos taken out of “%(name)s”.", len(taken)
    )
    undo = reverse("collections.put_back", args=[collection.id])
    return _after(request, collection, videos, words % {"count": len(taken), "name": collection.name}, undo)


@require_POST
@for_creators
@limited("collect")
def put_back(request: MemberRequest, id: UUID) -> HttpResponse:
    """Undo the last `remove`, once."""
    collection = _fillable(request, id)
    of, rows = request.session.pop(TAKEN, ["", []])
    taken = [collections.Taken.from_json(row) for row in rows] if of == str(collection.id) else []
    with _or_missing():
        count = collections.put_back(by=request.membership, collection=collection, taken=taken)
    words = ngettext("%(count)d video is back in “%(name)s”.", "%(count)d videos are back in “%(name)s”.", count)
    messages.success(request, words % {"count": count, "name": collection.name})
    return back(request, reverse("collections.detail", args=[collection.id]), request.headers.get("Referer", ""))


@require_POST
@for_creators
def rename(request: MemberRequest, id: UUID) -> HttpResponse:
    collection = _managed(request, id)
    if collection.removed_at:
        raise Http404("it was deleted")
    form = NameForm(request.POST)
    if not form.is_valid():
        return _page(request, collection, form, status=422)
    if seconds := rates.take("collect", of_member(request)):
        form.add_error("name", often_words(seconds))
        return form_again(request, seconds, lambda: _page(request, collection, form, status=429))
    collections.rename(by=request.membership, collection=collection, name=form.cleaned_data["name"])
    return redirect("collections.detail", id=collection.id)


@require_POST
@for_creators
@limited("collect")
def visibility(request: MemberRequest, id: UUID) -> HttpResponse:
    """Its owner says who sees it."""
    collection = _fillable(request, id)
    if collection.owner_id != request.membership.user_id:
        raise Http404("only its owner decides who sees it")
    return switch_visibility(request, collection, reverse("collections.detail", args=[collection.id]))


@require_POST
@for_creators
@limited("collect")
def delete(request: MemberRequest, id: UUID) -> HttpResponse:
    """Its videos stay, its links end; the next page offers to undo it."""
    collection = _managed(request, id)
    ended = collections.delete(by=request.membership, collection=collection)
    words = _("“%(name)s” was deleted. Its videos stay.") % {"name": collection.name}
    if ended:
        words += " " + ngettext("%(n)d link to it ended.", "%(n)d links to it ended.", ended) % {"n": ended}
    say_with_undo(request, words, reverse("collections.restore", args=[collection.id]))
    return redirect("collections.index")


@require_POST
@for_creators
@limited("collect")
def restore(request: MemberRequest, id: UUID) -> HttpResponse:
    """Undo `delete`."""
    collection = _managed(request, id)
    if collections.restore(by=request.membership, collection=collection):
        messages.success(request, _("“%(name)s” is back.") % {"name": collection.name})
    return redirect("collections.detail", id=collection.id)
