"""`/hooks/<gateway>/<hook_token>/`: where gateways say that something happened to an order.

No session and no form token: a signature is what lets in. Answers are short and come fast, and a sender of nonsense is
not heard for a while. Nothing here is logged but what the server logs of every request, without the address's secret.
"""

import re

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from playground.clients import address_of
from playground.services import hooks, rates
from playground.services.hooks import Verdict

MAX_BODY = 64 * 1024
AGAIN_S = 5
STATUS = {
    Verdict.TAKEN: 204,
    Verdict.UNKNOWN: 404,
    Verdict.MALFORMED: 400,
    Verdict.OUT_OF_TIME: 400,
    Verdict.FORGED: 401,
    Verdict.NOT_READY: 503,
}


@csrf_exempt
@login_not_required
@never_cache
@require_POST
def receive(request: HttpRequest, gateway: str, hook_token: str) -> HttpResponse:
    sender = address_of(request)
    try:
        if wait_s := rates.wait("webhook", sender):
            return _said(429, "too many bad requests", retry_after=wait_s)
        status, words = _received(request, gateway, hook_token)
        if 400 <= status < 500:  # only refused ones are counted; beyond the limit nothing is looked up
            rates.take("webhook", sender)
    except DatabaseError:
        return _said(503, "try again", retry_after=AGAIN_S)
    return _said(status, words, retry_after=AGAIN_S if status == 503 else None)


def _received(request: HttpRequest, gateway: str, hook_token: str) -> tuple[int, str]:
    if "Transfer-Encoding" in request.headers:  # the server gives no body of unknown length
        return 411, "send a Content-Length"
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > MAX_BODY:
        return 413, "too large"
    try:
        body = request.body
    except (RawPostDataException, UnreadablePostError):  # a form, which was read already; a sender that went away
        return 400, Verdict.MALFORMED
    verdict = hooks.receive(gateway_slug=gateway, hook_token=hook_token, headers=request.headers, body=body)
    return STATUS[verdict], verdict


def _said(status: int, words: str, *, retry_after: int | None = None) -> HttpResponse:
    content = b"" if status == 204 else f"{words}\n"
    answer = HttpResponse(content, status=status, content_type="text/plain")
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer
