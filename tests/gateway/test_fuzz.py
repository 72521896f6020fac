"""Whatever a gateway says, a call ends in a value or in a GatewayError, and what it gives can be stored."""

import contextlib
import json
import math
from typing import Any

import httpx  # noqa: TID251
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.gateway import catalogue, dialects
from playground.gateway.answers import Scrubber, complaint, refusal, retry_after
from playground.gateway.errors import GatewayError
from playground.gateway.types import Dialect, Job
from playground.gateway.wire import Answer
from tests.gateway.fake import KEY

pytestmark = pytest.mark.slow

NAMES = st.sampled_from(
    [
        "id",
        "status",
        "error",
        "code",
        "message",
        "error_code",
        "output",
        "url",
        "data",
        "content_type",
        "size_bytes",
        "metadata",
        "cost",
        "cost_estimate",
        "cost_currency",
        "provider",
        "progress",
        "seconds",
        "size",
        "created_at",
        "expires_at",
        "estimated",
        "total_cost_micros",
        "currency",
        "components",
        "quantity",
        "billable_quantity",
        "unit_price",
        "total_cost",
        "metric",
        "available",
        "amount",
        "billing_type",
        "modes",
        "tags",
        "capabilities",
        "parameters",
        "properties",
        "enum",
        "anyOf",
        "minimum",
        "maximum",
        "maxLength",
        "maxItems",
        "starting_price",
        "aliases",
        "modalities",
        "name",
        "duration",
        "sizes",
        "input_reference",
        "prompt",
        "creator_organization",
        "model_status",
        "detail",
        "type",
    ]
)
WORDS = st.sampled_from(
    [
        "completed",
        "failed",
        "queued",
        "sora-2",
        "USD",
        "text-to-video",
        "https://x.example/v",
        "1280x720",
        "8",
        "\x00",
        "\ud800",
    ]
)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.integers(min_value=10**300, max_value=10**320),
    WORDS,
    st.text(st.characters(), max_size=20),
)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=8)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=14)
MANY = settings(suppress_health_check=[HealthCheck.too_slow])
SCRUBBER = Scrubber(KEY)


def storable(job: Job) -> None:
    for name in ("id", "raw_status", "provider", "executed_model", "size", "seconds"):
        value = getattr(job, name)
        value.encode()
        assert "\x00" not in value
    for micros in (job.cost_micros, job.cost_estimate_micros):
        assert micros is None or 0 <= micros <= 10**15
    assert job.progress is None or 0 <= job.progress <= 100
    for moment in (job.created_at, job.expires_at):
        assert moment is None or moment.utcoffset() is not None
    if job.error is not None:
        (job.error.message + job.error.code).encode()
    if job.output is not None and job.output.url is not None:
        job.output.url.encode()


def loaded(data: Any) -> Any:
    """As it arrives: through bytes, lone surrogates and NaN included."""
    return SCRUBBER.load(json.dumps(data).encode())


@MANY
@given(OBJECTS | JSON, st.sampled_from(Dialect))
def test_any_answer_is_a_job_or_an_error(data: Any, dialect: Dialect) -> None:
    for read in (
        lambda: dialects.created_job(loaded(data), dialect, "r", 202),
        lambda: dialects.retrieved_job(loaded(data), "known", dialect, "r", 200),
    ):
        with contextlib.suppress(GatewayError):
            storable(read())


@MANY
@given(OBJECTS)
def test_any_price_is_sane_or_refused(data: Any) -> None:
    try:
        price = dialects.estimate(loaded(data | {"estimated": True, "id": None}), "r", 200)
    except GatewayError:
        return
    assert 0 <= price.total_micros <= 10**15
    assert all(math.isfinite(line.quantity) for line in price.components)


@MANY
@given(OBJECTS)
def test_any_balance_is_sane_or_none(data: Any) -> None:
    balance = dialects.balance(loaded(data))
    assert balance is None or balance.available_micros is None or balance.available_micros >= 0


@MANY
@given(st.lists(OBJECTS | JSON, max_size=4), JSON, st.sampled_from(Dialect))
def test_any_list_of_models_is_read(entries: Any, schema: Any, dialect: Dialect) -> None:
    for entry in catalogue.videos(catalogue.items(loaded({"data": entries})), dialect):
        info = catalogue.model(entry, loaded(schema))
        info.slug.encode()
        if info.capabilities is not None:
            caps = info.capabilities
            assert caps.from_json(caps.to_json()) == caps
            assert caps.sizes
            assert caps.lengths.shortest >= 1


@MANY
@given(st.binary(max_size=300) | JSON.map(lambda data: json.dumps(data).encode()), st.integers(100, 599), st.text())
def test_any_refusal_is_an_error_that_can_be_shown(body: bytes, status: int, wait: str) -> None:
    header = wait.encode("utf-8", "replace")
    error = refusal(Answer(status, httpx.Headers([(b"retry-after", header)]), body), SCRUBBER)
    str(error).encode()
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 3600


@MANY
@given(st.text(max_size=40))
def test_any_retry_after_is_sane(header: str) -> None:
    seconds = retry_after(header)
    assert seconds is None or 0 <= seconds <= 3600


@MANY
@given(JSON)
def test_any_complaint_is_text(data: Any) -> None:
    found = complaint(loaded(data))
    assert len(found.code) <= 100
    assert len(found.message) <= 500
