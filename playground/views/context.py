"""What every page's frame needs."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from playground.models import Heartbeat, Notice
from playground.services.housekeeping import TRASH_KEPT
from playground.views.running import running
from playground.views.team_ways import ways

SILENT_AFTER = timedelta(seconds=60)


def _silent_since() -> datetime | str:
    """When the worker was last heard of, if that is a minute ago or more; "never" before its first sign of life."""
    beat = Heartbeat.objects.filter(name="worker").first()
    if beat is None:
        return "never"
    return beat.at if timezone.now() - beat.at > SILENT_AFTER else ""


def chrome(request: HttpRequest) -> dict[str, Any]:
    """The team at hand, how many videos are being made, whether the sandbox is in use, how long the trash is kept.

    Most fragments show none of it: what has to be looked up is a function, called by the template that asks.
    """
    membership = getattr(request, "membership", None)
    always = {"version": settings.VERSION, "kept_days": TRASH_KEPT.days}
    if not membership:
        return always | {"membership": None}
    counts = cache(lambda: running(membership))
    to_teams = cache(lambda: ways(request, membership))
    return always | {
        "membership": membership,
        "teams": lambda: to_teams(),
        "running_count": lambda: counts()["running_count"],
        "waiting_count": lambda: counts()["waiting_count"],
        "worker_silent_since": _silent_since,
        "unseen_count": lambda: Notice.objects.unseen_by(membership).count(),
        "sandbox_in_use": settings.SANDBOX_IN_USE,
    }
