"""What happened while one looked elsewhere. Looking changes nothing; the page says by a POST that it was seen."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.template.loader import select_template
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST, require_safe

from playground.htmx import is_htmx
from playground.models import BudgetRequest, Membership, Notice
from playground.services import budget_requests, notices
from playground.services.budget_requests import Raise
from playground.views.access import MemberRequest, for_members, is_of_another_team
from playground.views.errors import bad_request
from playground.views.notice_states import Decided, Paused, decided, paused
from playground.views.paging import cursor, newest

PAGE = 30


@dataclass(frozen=True, slots=True)
class Row:
    """A notice with its words. `asked` and `to` are there for one that asks for more money, `to` while it is open."""

    notice: Notice
    template: Any
    is_new: bool
    asked: BudgetRequest | None
    to: Raise | None
    decided: Decided | None = None
    """Of an unclear order that is not to be decided any more."""
    paused: Paused | None = None
    """Of a gateway that was paused."""


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    by = request.membership
    page = newest(Notice.objects.visible_to(by), before=cursor(request.GET), size=PAGE)
    # The row that was made last need not be the one that is of the latest moment.
    upto = max((row.at for row in page.rows), default=None)
    context = {"page": page, "rows": _rows(page.rows, by), "upto": upto.isoformat() if upto else ""}
    return render(request, "notices/index.html", context)


@require_POST
@for_members
def seen(request: MemberRequest) -> HttpResponse:
    """Everything up to `upto`, the newest that the page showed: what came since stays new."""
    if is_of_another_team(request):
        raise Http404("of another team")
    upto = _moment(request.POST.get("upto", ""))
    if upto is None:
        return bad_request(request, ValueError("upto"))
    notices.seen(by=request.membership, upto=min(upto, timezone.now()))
    if is_htmx(request):
        return render(request, "_bell.html", {"oob": False})
    return HttpResponseRedirect(reverse("notices.index"), status=303)


def _moment(text: str) -> datetime | None:
    """In UTC, where one that is well written can lie before the first year or after the last."""
    try:
        moment = parse_datetime(text)
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _rows(found: list[Notice], by: Membership) -> list[Row]:
    asked = budget_requests.by_id(notice.data["request"] for notice in found if "request" in notice.data)
    seen_at, now = by.notices_seen_at, timezone.now()
    is_open = {id for id, about in asked.items() if by.is_admin and about.granted is None}
    to = budget_requests.raises((asked[id] for id in is_open), team=by.team, at=now)
    done, stopped = decided(found, by=by), paused(found)
    rows = []
    for notice in found:
        about = asked.get(str(notice.data.get("request")))
        is_new = seen_at is None or notice.at > seen_at
        room = to.get(about.id) if about else None
        states = done.get(notice.id), stopped.get(notice.id)
        rows.append(Row(notice, _words(notice.kind), is_new, about, room, *states))
    return rows


def _words(kind: str) -> Any:
    """The fragment of this kind. One of an earlier version may have none any more."""
    try:
        return select_template([f"notices/kinds/{kind}.html"])
    except TemplateDoesNotExist:
        return select_template(["notices/_other.html"])
