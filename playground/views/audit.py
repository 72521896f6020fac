"""Who did what, for admins: newest first, by person and kind, and the same as a file."""

import csv
import json
from collections.abc import Iterable, Iterator
from heapq import merge
from io import StringIO
from itertools import islice
from operator import itemgetter
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from playground.models import AuditEntry, Membership
from playground.services.spend import plain
from playground.views.access import MemberRequest, for_admins
from playground.views.audit_words import FOR_ALL, KINDS, Book, kind_label, names, said
from playground.views.exports import csv_file
from playground.views.limited import limited

PAGE_SIZE = 50
BATCH = 500
Cells = tuple[str, ...]
Numbered = tuple[int, Cells]
PROGRAM = "program"
"""As `?by=`: what nobody did, the program itself."""


@require_safe
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    by = request.membership
    filters = _filters(request.GET)
    rows = _filtered(_of(by), filters)
    before = _number(request.GET.get("before", ""))
    page = list((rows.filter(id__lt=before) if before else rows).order_by("-id")[: PAGE_SIZE + 1])
    shown = page[:PAGE_SIZE]
    context = {
        "lines": said(shown, to=by),
        "more": urlencode(filters | {"before": shown[-1].id}) if len(page) > PAGE_SIZE else "",
        "first": "" if before is None else urlencode(filters),
        "is_first": before is None,
        "filters": filters,
        "query": urlencode(filters),
        "people": _people(by),
        "kinds": sorted(((kind, kind_label(kind)) for kind in _kinds(by)), key=lambda one: one[1]),
        "program": PROGRAM,
    }
    return render(request, "audit/index.html", context)


@require_safe
@for_admins
@limited("export", methods=("GET",))
def export(request: MemberRequest) -> HttpResponseBase:
    """All that the filters leave, oldest first."""
    by = request.membership
    rows = _filtered(_of(by), _filters(request.GET))
    today = timezone.localdate(timezone=ZoneInfo(by.team.time_zone))
    return csv_file(request, _csv(rows, by), f"audit-{by.team.slug}-{today.isoformat()}.csv")


def _csv(rows: QuerySet[AuditEntry], by: Membership) -> Iterator[bytes]:
    """It begins with a byte order mark, as that of spend."""
    header = (_("Time"), _("Who"), _("Kind"), _("What"), _("Details"), _("Data"))
    yield "\ufeff".encode() + _lines([header])
    zone = ZoneInfo(by.team.time_zone)
    # Each part by the index that it has; the two at once would be read and sorted anew for each batch.
    own = _own_lines(rows.filter(team_id=by.team_id), zone)
    of_all = _lines_of_all(rows.filter(team=None), zone, by)
    merged = (cells for _id, cells in merge(own, of_all, key=itemgetter(0)))
    while batch := list(islice(merged, BATCH)):
        yield _lines(batch)


def _own_lines(rows: QuerySet[AuditEntry], zone: ZoneInfo) -> Iterator[Numbered]:
    book, after = Book(), 0
    fields = rows.order_by("id").values_list("id", "at", "by_name", "kind", "data")
    while batch := list(fields.filter(id__gt=after)[:BATCH]):
        people = names(data for *_others, data in batch)
        for id, at, who, kind, data in batch:
            time = at.astimezone(zone).isoformat(timespec="seconds")
            details = "; ".join(book.details(kind, data, people))
            told = json.dumps(data, ensure_ascii=False, sort_keys=True)
            yield id, (time, who, kind, book.sentence(kind, data), details, told)
        after = batch[-1][0]


def _lines_of_all(rows: QuerySet[AuditEntry], zone: ZoneInfo, by: Membership) -> Iterator[Numbered]:
    """Entries of the whole installation: without what else is in them."""
    after = 0
    while batch := list(rows.filter(id__gt=after).order_by("id")[:BATCH]):
        for line in said(batch, to=by):
            time = line.entry.at.astimezone(zone).isoformat(timespec="seconds")
            yield line.entry.id, (time, line.who, line.entry.kind, line.what, "", "")
        after = batch[-1].id


def _lines(rows: Iterable[Cells]) -> bytes:
    file = StringIO()
    csv.writer(file).writerows([plain(value) for value in row] for row in rows)
    return file.getvalue().encode()


def _of(by: Membership) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(Q(team_id=by.team_id) | Q(team=None, kind__in=FOR_ALL))


def _filters(query: QueryDict) -> dict[str, str]:
    """What of `?by=` and `?kind=` means something."""
    by, kind = query.get("by", ""), query.get("kind", "")
    filters = {"by": by} if by == PROGRAM or _uuid(by) else {}
    return filters | ({"kind": kind} if kind in KINDS or kind.replace("_", "").isalpha() else {})


def _filtered(rows: QuerySet[AuditEntry], filters: dict[str, str]) -> QuerySet[AuditEntry]:
    if kind := filters.get("kind"):
        rows = rows.filter(kind=kind)
    who = filters.get("by")
    if who == PROGRAM:
        return rows.filter(by=None, by_name="")
    # Of the whole installation's entries nobody is told by whom they are: the filter does not tell it either.
    return rows.filter(by_id=UUID(who), team__isnull=False) if who else rows


def _people(by: Membership) -> list[tuple[str, str]]:
    """Everybody who did something in the team, those who left included, under the name they had last."""
    rows = AuditEntry.objects.filter(team_id=by.team_id, by__isnull=False).order_by("by_id", "by_name")
    names = dict(rows.values_list("by_id", "by_name").distinct())
    return sorted(((str(id), name) for id, name in names.items()), key=lambda one: one[1].casefold())


def _kinds(by: Membership) -> list[str]:
    return list(_of(by).order_by("kind").values_list("kind", flat=True).distinct())


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
