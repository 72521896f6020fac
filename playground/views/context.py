"""What every page's frame needs."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from playground.models import Generation


def chrome(request: HttpRequest) -> dict[str, Any]:
    """The team at hand, how many videos are being made, and whether the sandbox is in use."""
    membership = getattr(request, "membership", None)
    if not membership:
        return {"membership": None, "version": settings.VERSION}
    return {
        "membership": membership,
        "running_count": Generation.objects.visible_to(membership).active().count(),
        "sandbox_in_use": settings.SANDBOX_IN_USE,
        "version": settings.VERSION,
    }
