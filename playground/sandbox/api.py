"""The video endpoints, in the running profile's dialect."""

import hashlib
import time
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from . import answers, files, settings
from .body import BAD_IMAGE, read_body
from .faults import FAULTS, IN_FLIGHT_TRIES, REFUSED_TRIES
from .http import ApiError, allow, is_openai, new_id
from .job import Job
from .orders import Order, read_order
from .requests import trace_of
from .server import Connection
from .state import jobs

HTML_ERROR = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
)
BALANCE_TEXT = "Insufficient balance: $0.05 required, $0.02 available"


def _account(request: HttpRequest) -> str:
    account: str = request.account  # type: ignore[attr-defined]
    return account


def _note(request: HttpRequest, job: Job) -> None:
    """Remember which job this request was about, for the headers and the request log."""
    request.sandbox_job, request.sandbox_request_id = job.id, job.request_id  # type: ignore[attr-defined]
    request.sandbox_route = (job.provider, job.slug)  # type: ignore[attr-defined]


def _own(request: HttpRequest, video_id: str) -> Job:
    job = jobs().get(video_id)
    if job is None or job.account != _account(request):
        raise ApiError(404, "NOT_FOUND", f"Video '{video_id}' not found")
    _note(request, job)
    return job


def videos(request: HttpRequest) -> HttpResponseBase:
    """POST creates (or prices); GET lists, in the openai profile only."""
    if request.method == "GET":
        return _list(request)
    allow(request, "GET", "POST")
    return _create(request)


def _is_dry_run(request: HttpRequest) -> bool:
    """Exactly `dryRun=true`. Any other value is refused, since a mistake costs money. openai ignores the flag."""
    value = request.GET.get("dryRun")
    if is_openai() or value is None:
        return False
    if value != "true":
        raise ApiError(400, "INVALID_REQUEST", "dryRun must be 'true' or absent")
    return True


def _create(request: HttpRequest) -> HttpResponseBase:
    dry_run = _is_dry_run(request)
    order = read_order(read_body(request))
    if dry_run:
        request.sandbox_route = (order.provider, order.model.slug)  # type: ignore[attr-defined]
        return JsonResponse(order.estimate())
    job, replayed = jobs().replay(_account(request), order.idempotency_key), True
    if job is not None:
        _refuse_repeat(order, job)
    else:
        if (refusal := _refuse(order, _account(request))) is not None:
            return refusal
        job, replayed = jobs().accept(order, _account(request), new_id("req_"), trace_of(request))
    _note(request, job)
    answer = answers.video(job, request)
    if not replayed:
        answer["status"] = "queued"  # as real gateways do, however short the job
    if not replayed and (fault := _spoil(request, order, answer)) is not None:
        return fault
    return JsonResponse(answer, status=200 if replayed or is_openai() else 202)


def _refuse(order: Order, account: str) -> HttpResponse | None:
    """The faults that hit before anything is accepted; None when the order may go on."""
    fault = order.fault
    if fault not in FAULTS or FAULTS[fault].when != "order":
        return None
    if fault in REFUSED_TRIES:
        identity = order.idempotency_key or hashlib.sha256(order.prompt.encode()).hexdigest()
        if jobs().store.count_try(f"{fault}:{account}:{identity}") > REFUSED_TRIES[fault]:
            return None
    if fault == "html":
        return HttpResponse(HTML_ERROR, status=502, content_type="text/html")
    status, code, message = {
        "moderation": (400, "CONTENT_POLICY_VIOLATION", "The prompt was rejected by content moderation"),
        "bad-image": (400, "INVALID_REQUEST", BAD_IMAGE),
        "402": (402, "INSUFFICIENT_BALANCE", BALANCE_TEXT),
        "429": (429, "RATE_LIMITED", "Too many requests"),
        "429-bare": (429, "RATE_LIMITED", "Too many requests"),
        "500": (500, "INTERNAL_ERROR", "Internal error"),
        "502": (502, "ALL_PROVIDERS_EXHAUSTED", "All providers failed"),
    }[fault]
    raise ApiError(status, code, message, {"Retry-After": "1"} if fault == "429" else None)


def _refuse_repeat(order: Order, job: Job) -> None:
    """What a key that named `job` before meets: 409 or 422 (ApiError). Without a fault a known key gives its job."""
    if job.fault == "in-flight" and jobs().store.count_try(f"in-flight:{job.id}") <= IN_FLIGHT_TRIES:
        message = "A request with this idempotency key is still being worked on"
        raise ApiError(409, "IDEMPOTENCY_KEY_IN_USE", message, {"Retry-After": "1"})
    if job.fault == "key-reused" and not job.is_what(order):
        message = "This idempotency key was used with another request body"
        raise ApiError(422, "IDEMPOTENCY_KEY_REUSED", message)


def _spoil(request: HttpRequest, order: Order, answer: dict[str, Any]) -> HttpResponse | None:
    """The faults that hit the answer to an accepted order; None when it goes out as it is."""
    if order.fault == "slow-answer":
        time.sleep(settings.SANDBOX_SLOW_ANSWER_SECONDS)
    elif order.fault in ("drop", "in-flight"):
        Connection.of(request.META).cut()
        return HttpResponse(status=500)  # goes nowhere: the connection is closed
    elif order.fault == "500-after":
        raise ApiError(500, "INTERNAL_ERROR", "Internal error")
    elif order.fault == "no-id":
        del answer["id"]
    return None


def _list(request: HttpRequest) -> HttpResponse:
    """Newest first unless `order=asc`; `after` is the last id of the page before."""
    if not is_openai():
        raise ApiError(404, "NOT_FOUND", "No route for GET /videos")
    limit = request.GET.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):
        raise ApiError(400, "INVALID_REQUEST", "limit must be between 1 and 100")
    found = jobs().newest(_account(request), 10_000)
    if request.GET.get("order") == "asc":
        found.reverse()
    if after := request.GET.get("after"):
        ids = [job.id for job in found]
        if after not in ids:
            raise ApiError(404, "NOT_FOUND", f"Video '{after}' not found")
        found = found[ids.index(after) + 1 :]
    page = [answers.video(job, request) for job in found[: int(limit)]]
    return JsonResponse({
        "object": "list", "data": page, "has_more": len(found) > len(page),
        "first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None,
    })  # fmt: skip


def video(request: HttpRequest, video_id: str) -> HttpResponse:
    """GET reads; DELETE cancels (204) in lumenfall and removes (JSON) in openai."""
    allow(request, "GET", "HEAD", "DELETE")
    job = _own(request, video_id)
    if request.method != "DELETE":
        return JsonResponse(answers.video(job, request))
    if is_openai():
        jobs().delete(job)
        return JsonResponse({"id": job.id, "deleted": True, "object": "video.deleted"})
    jobs().cancel(job)
    return HttpResponse(status=204)


def content(request: HttpRequest, video_id: str) -> HttpResponseBase:
    if not is_openai():
        raise ApiError(404, "NOT_FOUND", f"No route for {request.method} {request.path}")
    allow(request, "GET", "HEAD")
    return files.content(request, _own(request, video_id), request.GET.get("variant", "video"))
