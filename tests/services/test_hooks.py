"""What a gateway's webhook may do: bring one question forward, and nothing else."""

from datetime import timedelta

import pytest
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.types import Job, JobState
from playground.services import outcomes
from tests.factories import make_generation

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
def test_due_time_set_while_the_gateway_was_asked_outlives_its_answer(state: JobState) -> None:
    asked_at = timezone.now()
    generation = make_generation(status=Status.SUBMITTED, upstream_id="video_1", next_check_at=asked_at)
    told_at = asked_at + timedelta(milliseconds=5)
    type(generation).objects.filter(id=generation.id).update(next_check_at=told_at)

    answer = Job(id="video_1", state=state)
    now = asked_at + timedelta(milliseconds=20)
    outcomes.record(gateway=generation.gateway, answers=[(generation, answer)], now=now, asked_at=asked_at)

    generation.refresh_from_db()
    assert generation.next_check_at == told_at
