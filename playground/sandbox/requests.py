"""The requests log: every order of an account with what it cost, newest first, in pages.

It tells what Lumenfall documents of it and nothing more: neither our video id nor the idempotency key, so that a client
must find its order by the request id or by the trace id that it sent.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime

from .http import ApiError, allow, is_openai
from .state import jobs

TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
STATUSES = ("completed", "pending", "processing", "upstream_failure", "rejected", "cancelled")
STATUS = """CASE
    WHEN job.error_code = 'CONTENT_POLICY_VIOLATION' THEN 'rejected'
    WHEN job.ended_at IS NULL AND job.starts_at > ? THEN 'pending'
    WHEN job.ended_at IS NULL THEN 'processing'
    WHEN job.outcome IN ('completed', 'cancelled') THEN job.outcome
    ELSE 'upstream_failure' END"""
NEWEST = "ORDER BY job.created_at DESC, job.rowid DESC"
OLDEST = "ORDER BY job.created_at, job.rowid"


def trace_of(request: HttpRequest) -> str:
    """The trace id of the W3C `traceparent` header, 32 hex digits, or "" when it is absent or malformed."""
    found = TRACEPARENT.fullmatch(request.headers.get("traceparent", "").strip())
    return found[1] if found else ""


@dataclass
class Filter:
    """Conditions over `job` with their values, both in the same sequence."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def rows(self, tail: str, *values: Any) -> list[Any]:
        sql = (
            f"SELECT job.*, charge.micros, charge.state, {STATUS} AS told FROM job"  # noqa: S608 - own words  # nosec B608
            f" JOIN charge ON charge.job_id = job.id WHERE {' AND '.join(self.conditions)} {tail}"
        )
        return jobs().store.rows(sql, jobs().now(), *self.values, *values)

    def copy(self) -> "Filter":
        return Filter(list(self.conditions), list(self.values))


def index(request: HttpRequest) -> HttpResponse:
    """Orders of this account, newest first, with Lumenfall's filters and cursors."""
    account = _account(request)
    limit = request.GET.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 100):
        raise ApiError(400, "INVALID_REQUEST", "limit must be between 1 and 100")
    jobs().settle_due()
    return JsonResponse(_page(request, _filter(request, account), account, int(limit)))


def entry(request: HttpRequest, request_id: str) -> HttpResponse:
    """One order by its request id or its video id."""
    found = Filter()
    found.add("job.account = ?", _account(request))
    found.add("(job.request_id = ? OR job.id = ?)", request_id, request_id)
    jobs().settle_due()
    rows = found.rows("")
    if not rows:
        raise ApiError(404, "NOT_FOUND", f"Request '{request_id}' not found")
    return JsonResponse(_told(rows[0]))


def _account(request: HttpRequest) -> str:
    if is_openai():
        raise ApiError(404, "NOT_FOUND", f"No route for {request.method} {request.path}")
    allow(request, "GET", "HEAD")
    account: str = request.account  # type: ignore[attr-defined]
    return account


def _filter(request: HttpRequest, account: str) -> Filter:
    found = Filter()
    found.add("job.account = ?", account)
    for name, sign in (("created_after", ">"), ("created_before", "<")):
        if (at := _moment(request, name)) is not None:
            found.add(f"job.created_at {sign} ?", at)
    if (status := request.GET.get("status")) is not None:
        if status not in STATUSES:
            raise ApiError(400, "INVALID_REQUEST", f"status must be one of {', '.join(STATUSES)}")
        found.add(f"{STATUS} = ?", jobs().now(), status)
    if (key_id := request.GET.get("key_id")) is not None:
        found.add("'key_' || job.account = ?", key_id)
    return found


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


def _page(request: HttpRequest, found: Filter, account: str, limit: int) -> dict[str, Any]:
    after, before = request.GET.get("starting_after"), request.GET.get("ending_before")
    if after and before:
        raise ApiError(400, "INVALID_REQUEST", "starting_after and ending_before exclude each other")
    part = found.copy()
    if after or before:
        part.add(
            f"(job.created_at, job.rowid) {'<' if after else '>'} (?, ?)", *_cursor(account, after or before or "")
        )
    rows = part.rows(f"{OLDEST if before else NEWEST} LIMIT ?", limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    if before:
        rows.reverse()
    older, newer = (bool(before) or more), (more if before else bool(after))
    answer: dict[str, Any] = {
        "object": "list",
        "data": [_told(row) for row in rows],
        "next_page_url": _link(request, "starting_after", rows[-1]["request_id"]) if rows and older else None,
        "previous_page_url": _link(request, "ending_before", rows[0]["request_id"]) if rows and newer else None,
    }
    if request.GET.get("summary") == "true":
        answer["summary"] = _summary(found)
    return answer


def _cursor(account: str, request_id: str) -> tuple[float, int]:
    row = jobs().store.row(
        "SELECT created_at, rowid AS place FROM job WHERE account = ? AND request_id = ?", account, request_id
    )
    if row is None:
        raise ApiError(400, "INVALID_REQUEST", "Unknown cursor")
    return row["created_at"], row["place"]


def _summary(found: Filter) -> dict[str, Any]:
    rows = found.rows("")
    micros = sum(row["micros"] for row in rows if row["state"] == "charged")
    return {"count": len(rows), "cost": micros / 1_000_000, "currency": "usd"}


def _link(request: HttpRequest, cursor: str, value: str) -> str:
    query = request.GET.copy()
    query.pop("starting_after", None)
    query.pop("ending_before", None)
    query[cursor] = value
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _told(row: Any) -> dict[str, Any]:
    """One line of the log; its times are ISO text and its currency is lower case, unlike elsewhere.

    `cost` is what was charged, null until then and for an order that ended without a charge.
    """
    ended, created = row["ended_at"], row["created_at"]
    return {
        "id": row["request_id"],
        "object": "request",
        "created_at": datetime.fromtimestamp(created, UTC).isoformat().replace("+00:00", "Z"),
        "model": row["slug"],
        "modality": "video",
        "endpoint": "/openai/v1/videos",
        "status": row["told"],
        "cost": row["micros"] / 1_000_000 if row["state"] == "charged" else None,
        "currency": "usd",
        "duration_ms": int((ended - created) * 1000) if ended is not None else None,
        "key_id": f"key_{row['account']}",
        "error_code": row["error_code"] or None,
        "error_message": row["error_message"] or None,
        "session_id": None,
        "trace_id": row["trace_id"] or None,
        "user": row["user"] or None,
        "request_size_bytes": None,
        "response_size_bytes": None,
    }
