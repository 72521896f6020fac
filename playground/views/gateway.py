"""Which gateway the installation orders from, what it honours and offers, and how to connect another one."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from playground.models import Gateway, Lifecycle, VideoModel
from playground.services import catalogue, gateways
from playground.views.access import MemberRequest, for_admins

ORDER = {Lifecycle.LIVE.value: 0, Lifecycle.RETIRING.value: 1, Lifecycle.RETIRED.value: 2}


@require_safe
@for_admins
def connect(request: MemberRequest) -> HttpResponse:
    return render(request, "gateway/connect.html", _context(catalogue.default_gateway()))


@require_POST
@for_admins
def check(request: MemberRequest) -> HttpResponse:
    """Ask the gateway for its models and balance and show what it answered in words; the key is never shown."""
    gateway = catalogue.default_gateway()
    result = gateways.check(gateway)
    if request.headers.get("HX-Request") == "true":
        return render(request, "gateway/_answer.html", {"result": result})
    return render(request, "gateway/connect.html", _context(gateway) | {"result": result})


def duration(seconds: int) -> str:
    """`1 hour`, `90 minutes`, `45 seconds`: the largest unit that divides it."""
    if seconds and seconds % 3600 == 0:
        return ngettext("%(n)d hour", "%(n)d hours", seconds // 3600) % {"n": seconds // 3600}
    if seconds and seconds % 60 == 0:
        return ngettext("%(n)d minute", "%(n)d minutes", seconds // 60) % {"n": seconds // 60}
    return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}


def _context(gateway: Gateway) -> dict[str, Any]:
    models = VideoModel.objects.filter(gateway=gateway).order_by("slug")
    return {
        "gateway": gateway,
        "trusted_for": duration(gateway.key_trusted_seconds),
        "models": sorted(models, key=lambda model: (ORDER[model.lifecycle], model.slug)),
    }
