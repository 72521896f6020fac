"""Every component and every card state on one page, from sample rows that are never saved. For this machine only."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from playground.views.access import MemberRequest, for_members
from playground.views.samples import TEXTS, card_samples, chip_samples, picker_samples, price_samples


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    if not (settings.DEBUG or settings.PUBLIC_IS_LOOPBACK):
        raise Http404
    context = {
        "cards": card_samples(request.membership),
        "prices": price_samples(request.membership),
        "comments": [text for text in TEXTS.values() if len(text) <= 500],
        "chips": chip_samples(),
        "models": picker_samples(),
        "tones": ["accent", "good", "warn", "bad", "unclear"],
    }
    return render(request, "styleguide/index.html", context)
