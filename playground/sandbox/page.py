"""The sandbox's own page: what it is, its models and prices, the fault tokens, the latest jobs.

No key is asked for, so it has nothing of what people wrote: no prompt, no picture, no link to a file.
"""

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from playground.domain.money import dollars, unit_dollars

from . import settings
from .catalogue import MODELS, SandboxModel
from .faults import FAULTS, KEY_FAULTS
from .http import allow, is_openai
from .job import Job
from .state import jobs


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def index(request: HttpRequest) -> HttpResponse:
    allow(request, "GET", "HEAD")
    store = jobs()
    context = {
        "profile": settings.SANDBOX_PROFILE,
        "openai": is_openai(),
        "base": request.build_absolute_uri("/openai/v1"),
        "models": [_model_row(item) for item in MODELS.values()],
        "faults": [*FAULTS.values(), *KEY_FAULTS.values()],
        "jobs": [_job_row(job, now=store.now()) for job in store.newest(None, 12)],
    }
    return render(request, "sandbox/index.html", context)


def _job_row(job: Job, *, now: float) -> dict[str, Any]:
    is_charged = job.outcome == "completed"
    return {
        "fault": job.fault,
        "model": job.model,
        "size": job.pixels,
        "seconds": job.seconds,
        "status": job.status(now),
        "created_at": datetime.fromtimestamp(int(job.created_at), UTC),
        "cost": dollars(job.final_micros if is_charged else job.estimate_micros),
    }


def _model_row(item: SandboxModel) -> dict[str, Any]:
    return {
        "item": item,
        "lengths": item.capabilities.lengths,
        "shapes": ", ".join(item.capabilities.shapes),
        "qualities": ", ".join(item.capabilities.qualities),
        "prices": [(unit_dollars(price.micros) if price.micros else "", price) for price in item.prices],
    }
