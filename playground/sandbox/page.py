"""The sandbox's own page: what it is, its models and prices, the fault tokens, the latest jobs."""

from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from playground.domain.money import dollars, unit_dollars

from . import settings
from .catalogue import MODELS
from .faults import FAULTS, without_token
from .http import allow, is_openai
from .state import jobs


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def index(request: HttpRequest) -> HttpResponse:
    allow(request, "GET", "HEAD")
    store = jobs()
    recent = [
        {
            "id": job.id,
            "prompt": without_token(job.prompt),
            "fault": job.fault,
            "model": job.model,
            "size": job.pixels,
            "seconds": job.seconds,
            "status": job.status(store.now()),
            "created_at": datetime.fromtimestamp(job.created_at).astimezone(),
            "cost": dollars(job.final_micros if job.outcome == "completed" else job.estimate_micros),
            "poster": f"/media/{job.media_token}/thumbnail.webp"
            if job.outcome == "completed" and not job.purged
            else "",
            "link": f"/media/{job.media_token}/{job.id}.mp4",
        }
        for job in store.newest(None, 12)
    ]
    models = [
        {
            "item": item,
            "lengths": item.capabilities.lengths,
            "shapes": ", ".join(item.capabilities.shapes),
            "qualities": ", ".join(item.capabilities.qualities),
            "prices": [(unit_dollars(price.micros) if price.micros else "", price) for price in item.prices],
        }
        for item in MODELS.values()
    ]
    return render(
        request,
        "sandbox/index.html",
        {
            "profile": settings.SANDBOX_PROFILE,
            "openai": is_openai(),
            "base": request.build_absolute_uri("/openai/v1"),
            "models": models,
            "faults": FAULTS.values(),
            "jobs": recent,
        },
    )
