"""What the worker says of itself while it watches over its cluster."""

from datetime import timedelta

import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from playground.domain.status import Status
from playground.models import Heartbeat
from playground.services.worker import Watcher
from tests.factories import make_generation, make_member, make_model, make_run

pytestmark = pytest.mark.django_db


def due_since(seconds: float, status: Status) -> None:
    run = make_run(by=make_member(), model=make_model())
    make_generation(run=run, status=status, next_check_at=timezone.now() - timedelta(seconds=seconds))


def test_heartbeat_says_how_long_orders_wait_to_be_sent_asked_for_and_saved() -> None:
    for seconds, status in ((30, Status.QUEUED), (4, Status.RUNNING), (12, Status.SUBMITTED), (-60, Status.COMPLETED)):
        due_since(seconds, status)
    Watcher(["true"])._beat()
    overdue = Heartbeat.objects.get(name="worker").detail["overdue_s"]
    assert overdue == {"to_send": pytest.approx(30, abs=3), "to_ask": pytest.approx(12, abs=3), "to_save": 0.0}


def test_sweep_that_is_behind_is_logged_once_a_minute_and_a_long_line_to_be_sent_is_not() -> None:
    due_since(900, Status.QUEUED)
    watcher = Watcher(["true"])
    with capture_logs() as lines:
        watcher._beat()
        assert lines == []
        due_since(90, Status.RUNNING)
        watcher._beat()
        watcher._beat()
    (line,) = lines
    assert line["event"] == "sweep_behind"
    assert line["to_ask"] == pytest.approx(90, abs=3)
