"""The edge of the sandbox: host names, bearer check, size limit, error envelope, headers, request log.

No key is ever logged. A browser on this machine shows what is answered here to a website that has its own name lead to
127.0.0.1 (DNS rebinding). So no name is answered but localhost and the one that the server was started with; plain
addresses always, since they lead nowhere else.
"""

import hashlib
import hmac
import ipaddress
import json
import secrets
import string
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

from . import settings

API_PREFIXES = ("/openai/v1/", "/v1/")
LETTERS = string.ascii_letters + string.digits

TYPES = {
    "AUTHENTICATION_FAILED": "authentication_error",
    "INSUFFICIENT_BALANCE": "insufficient_quota",
    "RATE_LIMITED": "rate_limit_error",
    "INTERNAL_ERROR": "api_error",
    "ALL_PROVIDERS_EXHAUSTED": "api_error",
    "UPSTREAM_ERROR": "api_error",
}
OPENAI_CODES = {
    "AUTHENTICATION_FAILED": "invalid_api_key",
    "CONTENT_POLICY_VIOLATION": "moderation_blocked",
    "INSUFFICIENT_BALANCE": "insufficient_quota",
    "RATE_LIMITED": "rate_limit_exceeded",
    "INTERNAL_ERROR": "server_error",
    "ALL_PROVIDERS_EXHAUSTED": "server_error",
    "UPSTREAM_ERROR": "generation_failed",
}


class ApiError(Exception):
    """An answer in the error envelope. `code` is in Lumenfall's upper case; the openai profile translates it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def is_openai() -> bool:
    return bool(settings.SANDBOX_PROFILE == "openai")


def code_for(code: str) -> str:
    """The code as the running profile spells it."""
    return OPENAI_CODES.get(code, code.lower()) if is_openai() else code


def new_id(prefix: str) -> str:
    """`req_` and 27 letters and digits; no two kinds of id share anything."""
    return prefix + "".join(secrets.choice(LETTERS) for _ in range(27))


def error_answer(error: ApiError) -> JsonResponse:
    body: dict[str, Any] = {
        "message": error.message,
        "type": TYPES.get(error.code, "invalid_request_error"),
        "code": code_for(error.code),
    }
    if is_openai():
        body["param"] = None
    return JsonResponse({"error": body}, status=error.status, headers=error.headers)


def account_of(request: HttpRequest) -> str:
    """The account behind the bearer key; raises ApiError 401. With no keys listed, all keys are the same account."""
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise ApiError(401, "AUTHENTICATION_FAILED", "Invalid API key")
    if not settings.SANDBOX_API_KEYS:
        return "everyone"
    if not any(hmac.compare_digest(key.encode(), known.encode()) for known in settings.SANDBOX_API_KEYS):
        raise ApiError(401, "AUTHENTICATION_FAILED", "Invalid API key")
    return hashlib.sha256(key.encode()).hexdigest()[:16]


class RequestLog:
    """One JSON line per request in `requests.jsonl`, the last thousand in memory. Neither keys nor prompts."""

    def __init__(self) -> None:
        self.recent: deque[dict[str, Any]] = deque(maxlen=1000)
        self.lock = threading.Lock()

    def add(self, request: HttpRequest, response: HttpResponseBase, started: float) -> None:
        entry = {
            "at": round(time.time(), 3),
            "method": request.method,
            "path": request.path,
            "query": {name: request.GET[name] for name in ("dryRun", "variant", "schema") if name in request.GET},
            "status": response.status_code,
            "ms": round((time.monotonic() - started) * 1000, 1),
            "job": getattr(request, "sandbox_job", ""),
        }
        with self.lock:
            self.recent.append(entry)
            with open(settings.SANDBOX_DATA / "requests.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")


REQUEST_LOG = RequestLog()


class SandboxMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.monotonic()
        is_api = request.path.startswith(API_PREFIXES)
        try:
            _check_host(request)
            if is_api:
                request.account = account_of(request)  # type: ignore[attr-defined]
                _check_size(request)
            response = self.get_response(request)
        except ApiError as error:
            response = error_answer(error)
        if is_api:
            self._add_headers(request, response)
        if not response.streaming and "Content-Length" not in response:
            response["Content-Length"] = str(len(response.content))  # without it the connection could not be kept
        if is_api or request.path.startswith("/media/"):
            REQUEST_LOG.add(request, response, started)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Errors of our own and of the body parser as the envelope; anything else is a fault in the sandbox (500)."""
        if isinstance(error, ApiError):
            return error_answer(error)
        if isinstance(error, RequestDataTooBig):
            return error_answer(_too_large())
        if isinstance(error, MultiPartParserError | TooManyFieldsSent | BadRequest):
            return error_answer(ApiError(400, "INVALID_REQUEST", f"Invalid request body: {error}"))
        return None

    def _add_headers(self, request: HttpRequest, response: HttpResponse) -> None:
        request_id = getattr(request, "sandbox_request_id", "") or new_id("req_")
        if is_openai():
            response["x-request-id"] = request_id
            return
        provider, model = getattr(request, "sandbox_route", ("lumenfall", "none"))
        response["X-Lumenfall-Provider"], response["X-Lumenfall-Model"] = provider, model
        response["X-Lumenfall-Request-Id"] = request_id


def _check_host(request: HttpRequest) -> None:
    try:
        name, _port = split_domain_port(request.get_host())
        is_own = name in settings.OWN_NAMES or _is_address(name)
    except DisallowedHost:
        is_own = False
    if not is_own:
        raise ApiError(403, "INVALID_REQUEST", "The sandbox does not answer to this host name")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _too_large() -> ApiError:
    return ApiError(413, "INVALID_REQUEST", f"Request body is larger than {settings.SANDBOX_MAX_BODY_MB:g} MB")


def _check_size(request: HttpRequest) -> None:
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise _too_large()


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(ApiError(404, "NOT_FOUND", f"No route for {request.method} {request.path}"))


def server_error(request: HttpRequest) -> HttpResponse:
    return error_answer(ApiError(500, "INTERNAL_ERROR", "Internal error"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return error_answer(ApiError(400, "INVALID_REQUEST", "Invalid request"))


def allow(request: HttpRequest, *methods: str) -> None:
    """Raise ApiError 405 unless the request uses one of `methods`."""
    if request.method not in methods:
        raise ApiError(405, "INVALID_REQUEST", f"Method {request.method} not allowed", {"Allow": ", ".join(methods)})
