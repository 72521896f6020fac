"""The share links that a member has a say in: their own, for an admin the team's. Changed, renewed, revoked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Prefetch
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from playground.forms.sharing import ShareForm
from playground.models import Collection, Membership, ShareLink, ShareMark, Video, Visibility
from playground.services import rates
from playground.services import sharing as service
from playground.services.people import LinkEnded
from playground.views import share_words
from playground.views.access import MemberRequest, for_creators
from playground.views.errors import often_words, too_often
from playground.views.limited import limited
from playground.views.paging import cursor, newest
from playground.views.sharing import Subject, draft, made_page, preview_context

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class Line:
    """One link of the list, as far as this member may see what it shows."""

    link: ShareLink
    subject: Subject | None
    what: str
    terms: str
    ends: str
    marks: Sequence[ShareMark]
    may_change: bool
    again_url: str

    @property
    def favourites(self) -> int:
        return sum(mark.is_favourite for mark in self.marks)

    @property
    def notes(self) -> int:
        return sum(bool(mark.note) for mark in self.marks)

    @property
    def shown(self) -> str:
        return service.mark_of(self.link)


def _links(request: MemberRequest) -> Any:
    marks = Prefetch("marks", ShareMark.objects.select_related("video").order_by("-changed_at"))
    rows = ShareLink.objects.visible_to(request.membership)
    return rows.select_related("video", "collection", "created_by", "revoked_by", "team").prefetch_related(marks)


@require_safe
@for_creators
def index(request: MemberRequest) -> HttpResponse:
    is_ended = request.GET.get("show") == "ended"
    rows = _links(request)
    page = newest(rows.ended() if is_ended else rows.open(), before=cursor(request.GET), size=PAGE_SIZE)
    context = {
        "lines": [_line(request.membership, link, is_ended) for link in page.rows],
        "page": page,
        "is_ended": is_ended,
        "has_any": bool(page.rows) or rows.exists(),
    }
    return render(request, "share_links/index.html", context)


def _line(by: Membership, link: ShareLink, is_ended: bool) -> Line:
    subject = _subject(by, link)
    hidden = _("A private video") if link.video_id else _("A private collection")
    may_change = subject is not None and service.may_change(by, link)
    again = (
        f"{subject.share_url}?like={link.id}" if subject and is_ended and service.may_share(by, subject.thing) else ""
    )
    return Line(
        link=link,
        subject=subject,
        what=subject.words if subject else hidden,
        terms=", ".join(share_words.terms(link, by)),
        ends=_end(link, is_ended),
        marks=[mark for mark in link.marks.all() if _is_seen(by, mark.video)] if subject else [],
        may_change=may_change and link.revoked_at is None,
        again_url=again,
    )


def _end(link: ShareLink, is_ended: bool) -> str:
    if is_ended:
        return share_words.ended(link)
    return share_words.day(link.expires_at) if link.expires_at else _("never")


def _subject(by: Membership, link: ShareLink) -> Subject | None:
    """None for what is private to somebody else: an admin sees that there is a link, and may end it."""
    thing = link.video or link.collection
    if thing is None or not _is_seen(by, thing):
        return None
    return Subject(thing, "video" if link.video_id else "collection")


def _is_seen(by: Membership, thing: Video | Collection) -> bool:
    return thing.visibility == Visibility.TEAM or thing.owner_id == by.user_id


def _changeable(request: MemberRequest, id: UUID) -> tuple[ShareLink, Subject]:
    link = get_object_or_404(_links(request), id=id)
    subject = _subject(request.membership, link)
    if subject is None or link.revoked_at or not service.may_change(request.membership, link):
        raise Http404("not this member's to change")
    return link, subject


@require_http_methods(["GET", "HEAD", "POST"])
@for_creators
def detail(request: MemberRequest, id: UUID) -> HttpResponse:
    link, subject = _changeable(request, id)
    if request.method != "POST":
        return _form_page(request, link, subject, ShareForm(None, by=request.membership, link=link))
    form = ShareForm(request.POST, by=request.membership, link=link)
    is_fine = form.is_valid()
    if "show" in request.POST:
        return _form_page(request, link, subject, form.as_typed(request.membership), shown=form)
    if not is_fine:
        return _form_page(request, link, subject, form, status=422)
    if seconds := rates.take("share", str(request.membership.user_id)):
        return _too_often(request, link, subject, form, seconds)
    try:
        _change(request.membership, link, form)
    except LinkEnded:
        messages.warning(request, _("Somebody revoked this link meanwhile. Nothing was changed."))
    else:
        messages.success(request, share_words.sentence(link, request.membership))
    return HttpResponseRedirect(reverse("share_links.index"), status=303)


def _too_often(
    request: MemberRequest, link: ShareLink, subject: Subject, form: ShareForm, seconds: int
) -> HttpResponse:
    form.add_error(None, often_words(seconds))
    response = _form_page(request, link, subject, form, status=429)
    response.headers["Retry-After"] = str(seconds)
    return response


def _change(by: Membership, link: ShareLink, form: ShareForm) -> None:
    keeps_end, keeps_password = form.keeps_end, form.keeps_password
    service.change(by=by, link=link, terms=form.terms(), keeps_end=keeps_end, keeps_password=keeps_password)


def _form_page(
    request: MemberRequest,
    link: ShareLink,
    subject: Subject,
    form: ShareForm,
    *,
    shown: ShareForm | None = None,
    status: int = 200,
) -> HttpResponse:
    by = request.membership
    context = {
        "line": _line(by, link, is_ended=False),
        "form": form,
        **preview_context(by, subject, draft(by, subject, shown or form, of=link)),
    }
    response = render(request, "share_links/detail.html", context, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@for_creators
def preview(request: MemberRequest, id: UUID) -> HttpResponse:
    link, subject = _changeable(request, id)
    form = ShareForm(request.POST, by=request.membership, link=link)
    form.is_valid()
    context = preview_context(request.membership, subject, draft(request.membership, subject, form, of=link))
    return render(request, "sharing/_preview.html", context)


@require_POST
@for_creators
def renew(request: MemberRequest, id: UUID) -> HttpResponse:
    """A new address, shown by this answer and never again; the old one ends."""
    link, subject = _changeable(request, id)
    if seconds := rates.take("share", str(request.membership.user_id)):
        return too_often(request, seconds)
    try:
        token = service.renew(by=request.membership, link=link, shown=request.POST.get("shown", ""))
    except service.MadeAlready:
        messages.info(request, _("The address was changed already. Nothing was done."))
    except LinkEnded:
        messages.warning(request, _("Somebody revoked this link meanwhile. Nothing was changed."))
    else:
        return made_page(request, link, token, subject)
    return HttpResponseRedirect(reverse("share_links.index"), status=303)


@require_POST
@for_creators
@limited("share_end")
def revoke(request: MemberRequest, id: UUID) -> HttpResponse:
    link = get_object_or_404(ShareLink.objects.visible_to(request.membership).select_related("team"), id=id)
    service.revoke(by=request.membership, link=link)
    messages.success(request, _("The link for %(name)s has ended, for what is playing too.") % {"name": link.name})
    target = request.POST.get("next", "")
    fits = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(target if fits else reverse("share_links.index"), status=303)
