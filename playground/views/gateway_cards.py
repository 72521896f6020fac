"""What the page of gateways shows of each of them, and what a test of one that was only typed answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext

from playground.domain.status import Status
from playground.htmx import is_htmx
from playground.models import Gateway, Generation, Lifecycle, Membership, VideoModel
from playground.services import catalogue, pauses, rates, team_gateways
from playground.services.typed_gateways import CheckResult, WrongAddress, WrongKey, WrongWords
from playground.views.access import MemberRequest
from playground.views.errors import often_words
from playground.views.limited import form_again, of_member


@dataclass(frozen=True, slots=True)
class Card:
    gateway: Gateway
    in_use: bool
    model_count: int
    held_count: int
    paused_because: str
    trusted_for: str
    result: CheckResult | None

    @property
    def is_own(self) -> bool:
        return self.gateway.team_id is not None

    @property
    def args(self) -> list[UUID]:
        """Of the addresses that are about it; the installation's own has none in them."""
        return [self.gateway.id] if self.is_own else []


def cards(by: Membership, results: dict[UUID, CheckResult]) -> list[Card]:
    """The one in use first, then the team's others, then the installation's."""
    in_use = catalogue.gateway_of(by.team_id)
    found = [*team_gateways.of_team(by.team_id), catalogue.default_gateway()]
    found.sort(key=lambda gateway: (gateway.id != in_use.id, gateway.team_id is None))
    ids = [gateway.id for gateway in found]
    models = _counts(VideoModel.objects.filter(gateway__in=ids).exclude(lifecycle=Lifecycle.RETIRED))
    held = _counts(Generation.objects.filter(gateway__in=ids, status=Status.QUEUED))
    return [
        Card(
            gateway=gateway,
            in_use=gateway.id == in_use.id,
            model_count=models.get(gateway.id, 0),
            held_count=held.get(gateway.id, 0),
            paused_because=pauses.why(gateway.paused_reason) if gateway.paused_at else "",
            trusted_for=duration(gateway.key_trusted_seconds),
            result=results.get(gateway.id),
        )
        for gateway in found
    ]


def _counts(rows: Any) -> dict[UUID, int]:
    return dict(rows.order_by().values_list("gateway_id").annotate(Count("id")))


def duration(seconds: int) -> str:
    """`1 hour`, `90 minutes`, `45 seconds`: the largest unit that divides it."""
    if seconds and seconds % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    if seconds and seconds % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


def tested(
    request: MemberRequest, form: forms.Form, ask: Callable[[], CheckResult], page: str, context: dict[str, Any]
) -> HttpResponse:
    """What a gateway answers to what was typed; nothing is stored. With htmx the words alone, so that all typed stays;
    else the page with everything but the key."""
    result = _answer(form, ask)
    context |= {"result": result, "was_tested": True}
    if is_htmx(request):
        return render(request, "team_gateways/_answer.html", context)
    return render(request, page, context, status=422 if form.errors else 200)


def too_many_checks(
    request: MemberRequest, form: forms.Form, page: str, context: dict[str, Any]
) -> HttpResponse | None:
    """Each try holds a thread for as long as the gateway is silent: 429 beyond the limit, with what was typed."""
    seconds = rates.take("gateway_check", of_member(request)) if request.method == "POST" else 0
    if not seconds:
        return None
    form.add_error(None, often_words(seconds))
    return form_again(request, seconds, lambda: render(request, page, context, status=429))


def _answer(form: forms.Form, ask: Callable[[], CheckResult]) -> CheckResult | None:
    """Also where the form is wrong; then what is wrong first."""
    if form.is_valid():
        try:
            return ask()
        except (WrongAddress, WrongKey, WrongWords) as error:
            return CheckResult(ok=False, words=str(error))
    name, words = next(iter(form.errors.items()))
    label = form.fields[name].label if name in form.fields else ""
    return CheckResult(ok=False, words=f"{label}: {words[0]}" if label else str(words[0]))
