"""Models, balance, the requests log, and the sandbox's own pages of figures for tests."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime

from . import answers
from .catalogue import MODELS, find_model, suggestion
from .http import REQUEST_LOG, ApiError, allow, is_openai
from .state import jobs


def models(request: HttpRequest) -> HttpResponse:
    allow(request, "GET", "HEAD")
    return JsonResponse({"object": "list", "data": [answers.model(item) for item in MODELS.values()]})


def model(request: HttpRequest, slug: str) -> HttpResponse:
    allow(request, "GET", "HEAD")
    found = find_model(slug)
    if found is None:
        near = suggestion(slug)
        hint = f". Did you mean '{near}'?" if near else ""
        raise ApiError(404, "MODEL_NOT_FOUND", f"Model '{slug}' not found{hint}")
    if not is_openai() and request.GET.get("schema") == "true":
        return JsonResponse(answers.schema(found[0]))
    return JsonResponse(answers.model(found[0]))


def _lumenfall_only(request: HttpRequest) -> str:
    if is_openai():
        raise ApiError(404, "NOT_FOUND", f"No route for {request.method} {request.path}")
    allow(request, "GET", "HEAD")
    account: str = request.account  # type: ignore[attr-defined]
    return account


def balance(request: HttpRequest) -> HttpResponse:
    left = jobs().balance_micros - jobs().spent_micros(_lumenfall_only(request))
    return JsonResponse({
        "object": "balance", "billing_type": "prepaid", "available": {"amount": left / 1_000_000, "currency": "usd"}
    })  # fmt: skip


def _moment(request: HttpRequest, name: str) -> float | None:
    text = request.GET.get(name)
    if text is None:
        return None
    try:
        found: datetime | None = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ApiError(400, "INVALID_REQUEST", f"{name} must be an ISO 8601 time with a zone")
    return found.timestamp()


def requests(request: HttpRequest) -> HttpResponse:
    """Orders of this account, newest first, with Lumenfall's filters and cursors."""
    account = _lumenfall_only(request)
    limit = request.GET.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):
        raise ApiError(400, "INVALID_REQUEST", "limit must be between 1 and 100")
    after, before = _moment(request, "created_after"), _moment(request, "created_before")
    found = [
        answers.request_entry(job)
        for job in jobs().newest(account, 10_000)
        if (after is None or job.created_at > after) and (before is None or job.created_at < before)
    ]
    if status := request.GET.get("status"):
        found = [entry for entry in found if entry["status"] == status]
    return JsonResponse(_page(request, found, int(limit)))


def _page(request: HttpRequest, found: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    ids = [entry["id"] for entry in found]
    start, end = request.GET.get("starting_after"), request.GET.get("ending_before")
    if start and end:
        raise ApiError(400, "INVALID_REQUEST", "starting_after and ending_before exclude each other")
    if (start and start not in ids) or (end and end not in ids):
        raise ApiError(400, "INVALID_REQUEST", "Unknown cursor")
    first = ids.index(start) + 1 if start else max(0, ids.index(end) - limit) if end else 0
    data = found[first : ids.index(end) if end else first + limit]
    more = first + len(data) < len(found)
    answer: dict[str, Any] = {
        "object": "list",
        "data": data,
        "next_page_url": _link(request, "starting_after", data[-1]["id"]) if more and data else None,
        "previous_page_url": _link(request, "ending_before", data[0]["id"]) if first and data else None,
    }
    if request.GET.get("summary") == "true":
        answer["summary"] = {"count": len(found), "cost": sum(entry["cost"] or 0 for entry in found), "currency": "usd"}
    return answer


def _link(request: HttpRequest, cursor: str, value: str) -> str:
    query = request.GET.copy()
    query.pop("starting_after", None)
    query.pop("ending_before", None)
    query[cursor] = value
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def request_entry(request: HttpRequest, request_id: str) -> HttpResponse:
    account = _lumenfall_only(request)
    job = jobs().get(request_id)
    if job is None or job.account != account:
        raise ApiError(404, "NOT_FOUND", f"Request '{request_id}' not found")
    return JsonResponse(answers.request_entry(job))


def charges(request: HttpRequest) -> HttpResponse:
    """Every accepted order with what it costs: `{"data": [...], "total_micros": n}`. Sandbox only, no key needed."""
    allow(request, "GET", "HEAD")
    rows = jobs().charges()
    return JsonResponse({"data": rows, "total_micros": sum(row["micros"] for row in rows)})


def request_log(request: HttpRequest) -> HttpResponse:
    """The last thousand API requests since the start, oldest first. Sandbox only, no key needed."""
    allow(request, "GET", "HEAD")
    with REQUEST_LOG.lock:
        return JsonResponse({"data": list(REQUEST_LOG.recent)})
