"""What a month may cost, for admins: the team's limit, the members', the threshold, the pause, who asks for more."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from playground.domain import months
from playground.forms.limits import LimitsForm, zones
from playground.models import Budget, BudgetRequest, Membership
from playground.services import budget_requests, budgets, catalogue, limits
from playground.services.budget_requests import AskerGone, Raise, StillShort
from playground.services.limits import ChangedMeanwhile
from playground.views.access import MemberRequest, for_admins
from playground.views.errors import bad_request

SHOWN = 30
"""Runs that are asked for, at once on the page."""


@dataclass(frozen=True, slots=True)
class Used:
    """One line of the page: what is spent, set aside and left of a limit this month; `cap_micros` None: no limit."""

    spent_micros: int
    held_micros: int
    cap_micros: int | None
    forecast_micros: int = 0
    member: Membership | None = None
    field: str = ""

    @property
    def used_micros(self) -> int:
        return self.spent_micros + self.held_micros

    @property
    def left_micros(self) -> int | None:
        return None if self.cap_micros is None else max(0, self.cap_micros - self.used_micros)


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    by, now = request.membership, timezone.now()
    form = LimitsForm(
        request.POST if request.method == "POST" else None, limits=limits.suggested(by.team), members=_members(by)
    )
    if form.is_bound and not form.is_whole:
        return bad_request(request, ValueError("limits"))
    status = 422 if form.is_bound else 200
    if form.is_bound and form.is_valid():
        try:
            _set(by, form)
        except ChangedMeanwhile as changed:
            by.team.refresh_from_db()
            form, status = form.onto(limits.suggested(by.team), _members(by), changed), 409
        else:
            messages.success(request, _("The limits are set."))
            return HttpResponseRedirect(reverse("limits.index"), status=303)
    return render(request, "limits/index.html", _context(by, form, now) | {"was_changed": status == 409}, status=status)


def _set(by: Membership, form: LimitsForm) -> None:
    shown, own_shown = form.limits_shown(), form.own_shown()
    limits.change(by=by, limits=form.limits(), own=form.own(), shown=shown, own_shown=own_shown)


@require_POST
@for_admins
def pause(request: MemberRequest) -> HttpResponse:
    paused = request.POST.get("paused") == "1"
    limits.pause(by=request.membership, paused=paused)
    messages.success(request, _("Spending is paused.") if paused else _("Spending goes on."))
    return HttpResponseRedirect(reverse("limits.index"), status=303)


@require_POST
@for_admins
def answer(request: MemberRequest, id: UUID) -> HttpResponse:
    """Raise the limit to what the button said, or decline. Whoever comes second changes nothing and is told."""
    by = request.membership
    asked = get_object_or_404(BudgetRequest.objects.select_related("by", "team"), id=id, team_id=by.team_id)
    to = Raise(_micros(request, "team_cap_micros"), _micros(request, "own_cap_micros"))
    try:
        if request.POST.get("answer") != "raise":
            done, words = budget_requests.decline(by=by, request=asked), _("Declined. %(name)s has been told.")
        else:
            done = budget_requests.grant(by=by, request=asked, to=to)
            raised, fits = _("The limit is raised. %(name)s has been told."), _("It fits. %(name)s has been told.")
            words = raised if to.is_needed else fits
    except StillShort:
        messages.warning(request, _("Money went meanwhile: more has to be raised now. Nothing was changed."))
    except AskerGone:
        words = _("%(name)s is not in the team any more. Nothing was changed. You can decline.")
        messages.warning(request, words % {"name": asked.by.display_name})
    else:
        answered = _("This was answered already. Nothing was changed.")
        messages.info(request, words % {"name": asked.by.display_name} if done else answered)
    return HttpResponseRedirect(_back(request), status=303)


def _micros(request: MemberRequest, name: str) -> int | None:
    text = request.POST.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def _back(request: MemberRequest) -> str:
    target = request.POST.get("next", "")
    fits = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if fits else reverse("limits.index")


def _members(by: Membership) -> list[Membership]:
    people = Membership.objects.filter(team_id=by.team_id).select_related("user", "team")
    return sorted(people, key=lambda member: (not member.may_create, member.user.display_name.casefold()))


def _context(by: Membership, form: LimitsForm, now: datetime) -> dict[str, object]:
    month = budgets.month_of(by.team, now)
    rows = {row.user_id: row for row in Budget.objects.filter(team_id=by.team_id, month=month)}
    waiting = BudgetRequest.objects.select_related("by", "model", "team").filter(team_id=by.team_id, granted=None)
    asked = list(waiting.order_by("-id")[: SHOWN + 1])
    to = budget_requests.raises(asked, team=by.team, at=now)
    return {
        "form": form,
        "month": month,
        "turns_at": months.next_month(month),
        "team": by.team,
        "whole": _used(rows.get(None), by.team.monthly_cap_micros, month=month, zone=by.team.time_zone, now=now),
        "people": [
            {"used": _of_member(rows.get(member.user_id), member), "field": form[name]}
            for name, member in form.members.items()
        ],
        "zones": zones(),
        "requests": [(one, to[one.id]) for one in asked[:SHOWN]],
        "has_more_requests": len(asked) > SHOWN,
        "gateway": catalogue.gateway_of(by.team_id),
        "suggested": limits.suggested(by.team),
        "unpriced_a_month": budgets.UNPRICED_A_MONTH,
        "unpriced_left": budgets.unpriced_left(by.team, at=now) if by.team.allow_unpriced else None,
    }


def _used(budget: Budget | None, cap: int | None, *, month: date, zone: str, now: datetime) -> Used:
    if budget is None:
        return Used(0, 0, cap)
    used = budget.held_micros + budget.spent_micros
    forecast = months.forecast_micros(used, month=month, zone=zone, at=now)
    return Used(budget.spent_micros, budget.held_micros, budget.cap_micros, forecast)


def _of_member(budget: Budget | None, member: Membership) -> Used:
    if budget is None:
        return Used(0, 0, budgets.member_cap(member.team, member), member=member)
    return Used(budget.spent_micros, budget.held_micros, budget.cap_micros, member=member)
