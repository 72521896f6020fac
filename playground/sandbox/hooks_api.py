"""The secret that webhooks are signed with, and the sandbox's own figures about them."""

from django.http import HttpRequest, HttpResponse, JsonResponse

from .hooks import renew_secret, secret_of
from .http import ApiError, allow, is_openai
from .state import jobs


def secret(request: HttpRequest) -> HttpResponse:
    """`{"key": "whsec_..."}`, one for each account."""
    if is_openai():
        raise ApiError(404, "NOT_FOUND", f"No route for {request.method} {request.path}")
    allow(request, "GET", "HEAD")
    account: str = request.account  # type: ignore[attr-defined]
    return JsonResponse({"key": secret_of(jobs().store, account)})


def hook_log(request: HttpRequest) -> HttpResponse:
    """Every hook, oldest first, without its address: message id, tries, last answer. Sandbox only, no key needed."""
    allow(request, "GET", "HEAD")
    rows = jobs().store.rows(
        "SELECT hook.job_id, job.hook_id AS message_id, job.outcome, hook.tries, hook.answer, hook.delivered_at,"
        " hook.next_at FROM hook JOIN job ON job.id = hook.job_id ORDER BY hook.rowid"
    )
    return JsonResponse({"data": [dict(row) for row in rows]})


def new_secret(request: HttpRequest) -> HttpResponse:
    """POST with `account` (default: everyone) makes its next hooks be signed with a new secret. Sandbox only."""
    allow(request, "POST")
    renew_secret(jobs().store, request.POST.get("account", "everyone"))
    return HttpResponse(status=204)
