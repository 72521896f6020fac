"""Which gateway the installation orders from, what it honours and offers, and how to connect another one."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from playground.domain.status import Status
from playground.models import Gateway, Generation, Lifecycle, VideoModel
from playground.services import catalogue, gateways, pauses
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


@require_POST
@for_admins
def resume(request: MemberRequest) -> HttpResponse:
    """Send to a paused gateway again. Pressed twice, or after it went on by itself, it changes nothing."""
    gateway = catalogue.default_gateway()
    if pauses.resume(gateway, by=request.membership.user, now=timezone.now()):
        words = _("It is tried again now, and orders that waited are sent. If it still refuses, it pauses again.")
        messages.success(request, words)
    else:
        messages.info(request, _("The gateway is in use already."))
    return redirect("gateway.connect")


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
        "paused_because": pauses.why(gateway.paused_reason) if gateway.paused_at else "",
        "held_count": Generation.objects.filter(gateway=gateway, status=Status.QUEUED).count(),
        "trusted_for": duration(gateway.key_trusted_seconds),
        "models": sorted(models, key=lambda model: (ORDER[model.lifecycle], model.slug)),
    }
