"""Who did what, for admins: newest first, by person and kind, and the same as a file."""

import csv
import json
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from playground.models import AuditEntry, Membership
from playground.services.spend import plain
from playground.views.access import MemberRequest, for_admins
from playground.views.audit_words import FOR_ALL, KINDS, kind_label, said
from playground.views.limited import limited

PAGE_SIZE = 50
BATCH = 500
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
def export(request: MemberRequest) -> StreamingHttpResponse:
    """All that the filters leave, oldest first."""
    by = request.membership
    rows = _filtered(_of(by), _filters(request.GET))
    answer = StreamingHttpResponse(_csv(rows, by), content_type="text/csv; charset=utf-8")
    today = timezone.localdate(timezone=ZoneInfo(by.team.time_zone))
    answer["Content-Disposition"] = f'attachment; filename="audit-{by.team.slug}-{today.isoformat()}.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer


def _csv(rows: QuerySet[AuditEntry], by: Membership) -> Iterator[bytes]:
    """It begins with a byte order mark, as that of spend. No query stays open while a slow reader takes its time."""
    zone, after = ZoneInfo(by.team.time_zone), 0
    header = (_("Time"), _("Who"), _("Kind"), _("What"), _("Details"), _("Data"))
    yield "\ufeff".encode() + _lines([header])
    while batch := list(rows.filter(id__gt=after).order_by("id")[:BATCH]):
        yield _lines(
            [
                line.entry.at.astimezone(zone).isoformat(timespec="seconds"),
                line.who,
                line.entry.kind,
                line.what,
                "; ".join(line.details),
                json.dumps(line.entry.data, ensure_ascii=False, sort_keys=True) if line.entry.team_id else "",
            ]
            for line in said(batch, to=by)
        )
        after = batch[-1].id


def _lines(rows: Any) -> bytes:
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
