"""Models, balance, and the sandbox's own pages of figures for tests."""

from django.http import HttpRequest, HttpResponse, JsonResponse

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
