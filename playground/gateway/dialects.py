"""Jobs, estimates and balances out of JSON, and where the dialects differ.

They differ in little: a Lumenfall job carries its file's link and its cost, an OpenAI-style one keeps the file under
`/videos/{id}/content` and tells no cost. Proxies mix both, so each reader takes either form.
"""

from collections.abc import Mapping
from typing import Any

from playground.domain.money import micros_from_dollars, micros_from_json
from playground.gateway.answers import (
    MAX_ID,
    MAX_MESSAGE,
    complaint,
    identifier,
    kind_of,
    mapping,
    moment,
    number,
    text,
    whole,
)
from playground.gateway.errors import EstimateUnavailable, Unclear
from playground.gateway.types import Balance, Component, Dialect, Estimate, Job, JobError, JobState, Output

_STATES = {
    JobState.QUEUED: ("queued", "pending", "created", "submitted", "accepted", "in_queue", "waiting", "scheduled"),
    JobState.RUNNING: ("in_progress", "processing", "running", "generating", "started", "rendering"),
    JobState.COMPLETED: ("completed", "succeeded", "succeed", "success", "complete", "done", "finished", "ready"),
    JobState.FAILED: ("failed", "error", "failure", "rejected", "upstream_failure", "moderated"),
    JobState.CANCELLED: ("cancelled", "canceled", "aborted"),
    JobState.EXPIRED: ("expired", "timeout", "timed_out"),
}
_STATE_OF = {word: state for state, words in _STATES.items() for word in words}

MAX_URL = 8192


def state_of(word: str) -> JobState:
    return _STATE_OF.get(word.lower().replace("-", "_").replace(" ", "_"), JobState.UNRECOGNISED)


def created_job(data: object, dialect: Dialect, request_id: str, status: int) -> Job:
    """The job of a 2xx answer to an order. Raises Unclear when it names none: money may be spent all the same."""
    found = mapping(data)
    job_id = identifier(found.get("id"))
    if 0 < len(job_id) <= MAX_ID and job_id == str(found.get("id")):
        return job(found, job_id, dialect, request_id, missing=JobState.QUEUED)
    if found.get("error"):
        raise _strange("The gateway answered with an error inside a success.", "error_in_success", status, request_id)
    raise _strange("The gateway took the order but gave no usable id for it.", "no_id", status, request_id)


def retrieved_job(data: object, known_id: str, dialect: Dialect, request_id: str, status: int) -> Job:
    """The job of a 2xx answer to a GET. It keeps the id it was asked by: some proxies answer with another one."""
    found = mapping(data)
    if not found.get("id") and found.get("error"):
        raise _strange("The gateway answered with an error inside a success.", "error_in_success", status, request_id)
    if not found.get("id") and not found.get("status"):
        raise _strange("The gateway's answer is not about an order.", "no_id", status, request_id)
    return job(found, known_id, dialect, request_id, missing=JobState.UNRECOGNISED)


def job(data: Mapping[str, Any], job_id: str, dialect: Dialect, request_id: str, *, missing: JobState) -> Job:
    raw = text(data.get("status"), 40)
    state = state_of(raw) if raw else missing
    meta = mapping(data.get("metadata"))
    paid_in_dollars = text(meta.get("cost_currency") or "USD").upper() == "USD"
    return Job(
        id=job_id,
        state=state,
        raw_status=raw,
        progress=progress(data.get("progress")),
        output=output(data, state, dialect),
        error=job_error(data, state),
        cost_micros=micros_from_dollars(meta.get("cost")) if paid_in_dollars else None,
        cost_estimate_micros=micros_from_dollars(meta.get("cost_estimate")) if paid_in_dollars else None,
        provider=text(meta.get("provider_name"), 100) or text(meta.get("provider"), 100),
        executed_model=text(meta.get("executed_model"), 200),
        model=text(data.get("model"), 200),
        size=text(data.get("size"), 32),
        seconds=seconds_text(data.get("seconds")),
        created_at=moment(data.get("created_at")),
        expires_at=moment(data.get("expires_at")),
        request_id=request_id,
        told_id=identifier(data.get("id")),
    )


def progress(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(min(100.0, max(0.0, found)))


def seconds_text(value: object) -> str:
    found = number(value)
    return f"{found:g}" if found is not None else text(value, 16)


def output(data: Mapping[str, Any], state: JobState, dialect: Dialect) -> Output | None:
    """Where the file is: `output` (object, list, text), else `data[]`, else a top-level `url`, else the dialect's."""
    if state is not JobState.COMPLETED:
        return None
    for place in (data.get("output"), data.get("data"), data):
        first = place[0] if isinstance(place, list) and place else place
        link = text(first, MAX_URL) if isinstance(first, str) else text(mapping(first).get("url"), MAX_URL)
        if link.lower().startswith(("http://", "https://")):
            told = mapping(first)
            return Output(link, text(told.get("content_type"), 100) or None, whole(told.get("size_bytes")))
    return Output(url=None) if dialect is Dialect.OPENAI else None


def job_error(data: Mapping[str, Any], state: JobState) -> JobError | None:
    """Why it failed. A job that failed always has one; others only when the gateway says something went wrong."""
    found = complaint({key: data.get(key) for key in ("error", "error_code", "error_message", "message")})
    if state is not JobState.FAILED and not data.get("error"):
        return None
    return JobError(found.code, found.message[:MAX_MESSAGE], kind_of(found.code, found.message))


def estimate(data: object, request_id: str, status: int) -> Estimate:
    """A price, believed only with `estimated: true`, no id, dollars and a sane total. Else EstimateUnavailable."""
    found = mapping(data)
    if found.get("id"):
        raise EstimateUnavailable(
            "The gateway answered a price check with an order.",
            code="estimate_made_a_job",
            job_id=identifier(found.get("id"))[:MAX_ID],
            status=status,
            request_id=request_id,
        )
    if found.get("estimated") is not True:
        raise _no_price("estimate_not_marked", status, request_id)
    total = micros_from_json(found.get("total_cost_micros"))
    if total is None or text(found.get("currency")).upper() != "USD":
        raise _no_price("estimate_unreadable", status, request_id)
    lines = found.get("components")
    return Estimate(
        total_micros=total,
        provider=text(found.get("provider"), 100),
        model=text(found.get("model"), 200),
        components=tuple(component(line) for line in lines[:50]) if isinstance(lines, list) else (),
    )


def component(data: object) -> Component:
    line = mapping(data)
    quantity = number(line.get("billable_quantity"))
    if quantity is None:
        quantity = number(line.get("quantity")) or 0.0
    return Component(
        metric=text(line.get("metric"), 40),
        quantity=quantity,
        unit_price_micros=micros_from_dollars(line.get("unit_price")),
        total_micros=micros_from_json(line.get("total_cost")),
    )


def balance(data: object) -> Balance | None:
    """What is left at the gateway, or None when the answer is not a balance. A debt counts as nothing left."""
    found = mapping(data)
    available = mapping(found.get("available"))
    billing = text(found.get("billing_type"), 40)
    if not available and not billing:
        return None
    if text(available.get("currency") or "usd").lower() != "usd":
        return Balance(None, billing)
    amount = available.get("amount")
    owed = number(amount)
    if owed is not None and owed < 0:
        return Balance(0, billing)
    if isinstance(amount, str) or owed is not None:
        return Balance(micros_from_dollars(amount), billing)
    return Balance(None, billing)


def _strange(message: str, code: str, status: int, request_id: str) -> Unclear:
    return Unclear(message, code=code, status=status, request_id=request_id)


def _no_price(code: str, status: int, request_id: str) -> EstimateUnavailable:
    return EstimateUnavailable("The gateway gave no price for this.", code=code, status=status, request_id=request_id)
