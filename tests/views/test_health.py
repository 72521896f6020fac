"""What a load balancer and an operator are told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from playground.models import Heartbeat


def test_readyz_says_how_long_orders_have_waited_as_the_worker_last_saw_it(db, client):
    overdue = {"to_send": 0.0, "to_ask": 72.5, "to_save": 1.0}
    Heartbeat.objects.create(name="worker", at=timezone.now(), detail={"overdue_s": overdue})
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["overdue_seconds"] == overdue


@pytest.mark.parametrize(("seconds", "status", "worker"), [(55, 200, "ok"), (60, 503, "silent")])
def test_readyz_is_503_once_the_worker_was_silent_for_a_minute(db, client, seconds, status, worker):
    Heartbeat.objects.create(name="worker", at=timezone.now() - timedelta(seconds=seconds))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (status, worker)


def test_readyz_without_a_worker_says_so(db, client):
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["worker"]) == (503, "never seen")
