"""Making a share link for a video or a collection: its settings, and beside them what its holder will see."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from playground.forms.sharing import ShareForm, of_link
from playground.models import Collection, CollectionItem, Membership, ShareLink, Video
from playground.models.base import new_id
from playground.services import rates
from playground.services import sharing as service
from playground.views import share_words, shared_things
from playground.views.access import MemberRequest, for_creators
from playground.views.errors import often_words

TILES = 6
"""Of a collection, in the preview."""
SHOWN = 20
"""Links of the same thing, below the form."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shared, and the addresses around it."""

    thing: Video | Collection
    kind: str

    @property
    def as_fields(self) -> dict[str, Any]:
        return {self.kind: self.thing}

    @property
    def words(self) -> str:
        return str(self.thing)

    @property
    def share_url(self) -> str:
        return reverse(f"sharing.{self.kind}", args=[self.thing.id])

    @property
    def preview_url(self) -> str:
        return reverse(f"sharing.{self.kind}_preview", args=[self.thing.id])

    @property
    def back_url(self) -> str:
        return reverse("videos.detail", args=[self.thing.id]) if self.kind == "video" else reverse("share_links.index")

    @property
    def download_url(self) -> str:
        return reverse("media.download", args=[self.thing.id]) if self.kind == "video" else ""


def _video(request: MemberRequest, id: UUID) -> Subject:
    return _mine(
        request, Subject(get_object_or_404(Video.objects.visible_to(request.membership).kept(), id=id), "video")
    )


def _collection(request: MemberRequest, id: UUID) -> Subject:
    found = get_object_or_404(Collection.objects.visible_to(request.membership).kept(), id=id)
    return _mine(request, Subject(found, "collection"))


def _mine(request: MemberRequest, subject: Subject) -> Subject:
    if not service.may_share(request.membership, subject.thing):
        raise Http404("not this member's to share")
    return subject


@require_http_methods(["GET", "HEAD", "POST"])
@for_creators
def video(request: MemberRequest, id: UUID) -> HttpResponse:
    return _page(request, _video(request, id))


@require_http_methods(["GET", "HEAD", "POST"])
@for_creators
def collection(request: MemberRequest, id: UUID) -> HttpResponse:
    return _page(request, _collection(request, id))


@require_POST
@for_creators
def video_preview(request: MemberRequest, id: UUID) -> HttpResponse:
    return _preview(request, _video(request, id))


@require_POST
@for_creators
def collection_preview(request: MemberRequest, id: UUID) -> HttpResponse:
    return _preview(request, _collection(request, id))


def _page(request: MemberRequest, subject: Subject) -> HttpResponse:
    by = request.membership
    if request.method != "POST":
        return _form_page(request, subject, ShareForm(None, by=by, initial=_like(request)))
    form = ShareForm(request.POST, by=by)
    is_fine = form.is_valid()
    if "show" in request.POST:
        return _form_page(request, subject, form.as_typed(by), shown=form)
    if not is_fine:
        return _form_page(request, subject, form, status=422)
    if seconds := rates.take("share", str(by.user_id)):
        form.add_error(None, often_words(seconds))
        response = _form_page(request, subject, form, status=429)
        response.headers["Retry-After"] = str(seconds)
        return response
    return _make(request, subject, form)


def _make(request: MemberRequest, subject: Subject, form: ShareForm) -> HttpResponse:
    """The page with the address, drawn by this very answer: it is kept nowhere from which a redirect could show it."""
    try:
        link, token = service.make(by=request.membership, terms=form.terms(), id=_form_id(request), **subject.as_fields)
    except service.NotYours:
        raise Http404("deleted, or not this member's to share any more") from None
    except service.MadeAlready:
        messages.info(request, _("This link was made already. Its address was shown once; you can give it a new one."))
        return HttpResponseRedirect(reverse("share_links.index"), status=303)
    return made_page(request, link, token, subject)


def made_page(request: MemberRequest, link: ShareLink, token: str, subject: Subject) -> HttpResponse:
    context = {
        "link": link,
        "subject": subject,
        "address": shared_things.absolute(reverse("shares.index", args=[token])),
        "words": share_words.sentence(link, request.membership),
        "is_loopback": settings.PUBLIC_IS_LOOPBACK,
        "links": _others(request.membership, subject),
    }
    response = render(request, "sharing/made.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


def _others(by: Membership, subject: Subject) -> list[tuple[ShareLink, str]]:
    """The open links of the same thing, the newest first, each in words."""
    links = ShareLink.objects.visible_to(by).open().filter(**subject.as_fields).order_by("-id")[:SHOWN]
    return [(link, share_words.sentence(link, by)) for link in links]


def _form_id(request: MemberRequest) -> UUID:
    """One form, one link: the id was drawn with the form."""
    try:
        return UUID(request.POST.get("link", ""))
    except ValueError:
        return new_id()


def _like(request: MemberRequest) -> dict[str, Any]:
    """`?like=<link>`: the settings of one that ended, to make it anew."""
    try:
        id = UUID(request.GET.get("like", ""))
    except ValueError:
        return {}
    link = ShareLink.objects.visible_to(request.membership).filter(id=id).first()
    return {"name": link.name, **of_link(link).switches()} if link else {}


def _form_page(
    request: MemberRequest, subject: Subject, form: ShareForm, *, shown: ShareForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "subject": subject,
        "form": form,
        "form_id": new_id(),
        "links": _others(request.membership, subject),
        **preview_context(request.membership, subject, draft(request.membership, subject, shown or form)),
    }
    response = render(request, "sharing/new.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _preview(request: MemberRequest, subject: Subject) -> HttpResponse:
    form = ShareForm(request.POST, by=request.membership)
    form.is_valid()
    link = draft(request.membership, subject, form)
    return render(request, "sharing/_preview.html", preview_context(request.membership, subject, link))


def draft(by: Membership, subject: Subject, form: ShareForm, of: ShareLink | None = None) -> ShareLink:
    """The link as the form describes it, which is in no table."""
    on = {
        name: bool(
            form.cleaned_data.get(name) if form.is_bound else form.get_initial_for_field(form.fields[name], name)
        )
        for name in service.SWITCHES
        if name in form.fields
    }
    asks = form.cleaned_data.get("password") if form.is_bound else ""
    kept = of.password if of and not (form.is_bound and form.cleaned_data.get("drops_password")) else ""
    maker = of.created_by if of else by.user
    shows_private = of.shows_private if of else service.is_private_collection(subject.thing)
    return ShareLink(
        team=by.team,
        created_by=maker,
        password=asks or kept,
        expires_at=_end(form, of),
        shows_private=shows_private,
        **on,
        **subject.as_fields,
    )


def _end(form: ShareForm, of: ShareLink | None) -> datetime | None:
    if not form.is_bound:
        days = form.initial.get("days")
        return of.expires_at if of else (timezone.now() + timedelta(days=days) if isinstance(days, int) else None)
    if of and form.keeps_end:
        return of.expires_at
    days = form.cleaned_data.get("days")
    return timezone.now() + timedelta(days=days) if days and not form.is_endless else None


def _seen_in(by: Membership, subject: Subject) -> int:
    return CollectionItem.objects.shown_to(by).filter(collection_id=subject.thing.id, video__missing_at=None).count()


def preview_context(by: Membership, subject: Subject, link: ShareLink) -> dict[str, Any]:
    """What a holder would see, of that what this member may see."""
    mine = Video.objects.visible_to(by).values("id")
    videos = link.videos().filter(id__in=mine).select_related("generation")
    first = [shared_things.for_preview(link, video) for video in videos[:TILES]]
    count = videos.count()
    return {
        "subject": subject,
        "draft": link,
        "shown": first[0] if first else None,
        "tiles": first if subject.kind == "collection" else [],
        "count_words": ngettext("%(n)d video", "%(n)d videos", count) % {"n": count},
        "more_count": max(0, count - TILES),
        "left_out": _seen_in(by, subject) - count if subject.kind == "collection" else 0,
    }
