"""Whatever a gateway says of an order can be written down, and leaves it in a state that goes on or has ended."""

from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.domain.status import Status
from playground.gateway import dialects
from playground.gateway.errors import GatewayError
from playground.gateway.types import Dialect
from playground.models import Generation
from playground.services import outcomes
from tests import factories
from tests.gateway.test_fuzz import JSON, PLAIN, loaded
from tests.services.upstream import running

NUMBERS = st.sampled_from([-1, 900, 1e300, 2**31, 2**63, 10**20]) | PLAIN
TOLD = {
    "progress": NUMBERS,
    "output": st.fixed_dictionaries({"url": st.just("https://x.example/v"), "size_bytes": NUMBERS}),
    "metadata": st.dictionaries(st.sampled_from(["cost", "cost_estimate", "provider", "executed_model"]), NUMBERS),
    "expires_at": NUMBERS,
    "error": JSON,
}
WORDS = st.sampled_from(["in_progress", "completed"] * 3 + ["failed", "cancelled", "expired", "dreaming"])
ANSWERS = st.fixed_dictionaries({"id": st.just("job_0"), "status": WORDS}, optional=TOLD)
MANY = settings(suppress_health_check=list(HealthCheck))
GOES_ON = {Status.RUNNING, Status.COMPLETED}
ENDS = {Status.FAILED, Status.CANCELLED, Status.EXPIRED}


@pytest.fixture
def order(db: None) -> Generation:
    model = factories.make_model(gateway=factories.make_gateway(is_sandbox=False))
    return running(by=factories.make_member(), model=model, upstream_id="job_0")


@MANY
@given(data=ANSWERS)
def test_any_answer_about_an_order_is_written_down(order: Generation, data: Any) -> None:
    answer: outcomes.Answer
    try:
        answer = dialects.retrieved_job(loaded(data), "job_0", Dialect.LUMENFALL, "r", 200)
    except GatewayError as error:
        answer = error
    with transaction.atomic():
        outcomes.record(gateway=order.gateway, answers=[(order, answer)], now=timezone.now())
        row = Generation.objects.get(id=order.id)
        refused = row.events.filter(kind="not_written").exists()
        transaction.set_rollback(True)

    assert row.state in GOES_ON | ENDS
    assert not refused
    assert row.state is Status.RUNNING or not isinstance(answer, GatewayError)
    assert row.next_check_at is not None or row.state in ENDS
