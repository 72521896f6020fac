"""The month's money: totals, who, what, when, and the same as a file."""

from datetime import date
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from playground.domain.months import read_month
from playground.services import reconcile as comparing
from playground.services import spend
from playground.views import spend_reconcile
from playground.views.access import MemberRequest, for_admins, for_those_who_see_spend
from playground.views.exports import csv_file
from playground.views.limited import limited
from playground.views.spend_chart import chart


@require_safe
@for_those_who_see_spend
def index(request: MemberRequest) -> HttpResponse:
    by, month = request.membership, asked_month(request)
    report = spend.report(by, month)
    drawn = chart(report.by_day)
    context = _around(spend.months(by), month, spend.this_month(by)) | {
        "report": report,
        "chart": drawn,
        "bars": list(zip(drawn.bars, report.by_day, strict=True)) if drawn else [],
        "days": [day for day in report.by_day if day.sums.videos],
        "time_zone": by.team.time_zone,
    }
    return render(request, "spend/index.html", context)


@require_safe
@for_those_who_see_spend
@limited("export", methods=("GET",))
def export(request: MemberRequest) -> HttpResponseBase:
    """The month as CSV; the same rows that the page sums up."""
    by, month = request.membership, asked_month(request)
    return csv_file(request, spend.csv_lines(by, month), f"spend-{by.team.slug}-{month:%Y-%m}.csv")


@require_safe
@for_admins
def reconcile(request: MemberRequest) -> HttpResponse:
    """The last comparison with the gateway; while one is under way, htmx asks again for the part that changes."""
    context = _compared(request)
    if request.headers.get("HX-Request") == "true":
        return render(request, "spend/_result.html", context)
    return render(request, "spend/reconcile.html", context)


@require_POST
@for_admins
def compare(request: MemberRequest) -> HttpResponse:
    """Have the worker compare now. Starts nothing while a comparison is under way."""
    context = _compared(request)
    if context["gateway"] is None:
        raise Http404
    comparing.start(gateway=context["gateway"], month=context["month"], by=request.membership.user)
    query = urlencode({"month": f"{context['month']:%Y-%m}", "gateway": context["gateway"].slug})
    return HttpResponseRedirect(f"{reverse('spend.reconcile')}?{query}", status=303)


def _compared(request: MemberRequest) -> dict[str, Any]:
    by, month = request.membership, asked_month(request)
    choices = spend_reconcile.gateways_of(by)
    slug = request.GET.get("gateway", "") or request.POST.get("gateway", "")
    gateway = next((one for one in choices if one.slug == slug), choices[0] if choices else None)
    context = _around(spend.months(by), month, spend.this_month(by)) | {"gateway": gateway, "gateways": choices}
    return context | (spend_reconcile.result(by, gateway, month) if gateway else {})


def asked_month(request: MemberRequest) -> date:
    """The month of `?month=2026-11`; this month for none, one that has not begun, and what is no month."""
    text, now = request.GET.get("month", "") or request.POST.get("month", ""), spend.this_month(request.membership)
    return min(read_month(text) or now, now)


def _around(found: list[date], month: date, now: date) -> dict[str, Any]:
    """The months to go to: the nearest earlier and later ones that have something, and whether this is the present."""
    known = {*found, now}
    return {
        "month": month,
        "is_this_month": month == now,
        "earlier": max((one for one in known if one < month), default=None),
        "later": min((one for one in known if one > month), default=None),
        "newest": now,
    }
