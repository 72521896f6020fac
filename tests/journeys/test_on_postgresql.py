"""The main job through real processes on PostgreSQL."""

from pathlib import Path

import pytest

from tests.journeys.test_main_job import someone, whole_job
from tests.support import postgres
from tests.support.processes import wait_until
from tests.support.running import Running

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]


def test_whole_job_on_postgresql(tmp_path: Path) -> None:
    with postgres.server() as (url, _):
        running = Running(tmp_path / "pg", SANDBOX_JOB_SECONDS="1-2")
        running.environment["DATABASE_URL"] = url
        try:
            running.start().ready()
            bo = someone(running, "bo", "studio", "admin")
            wait_until(lambda: 'name="quoted_micros"' in bo.ask("/create/").text, what="models")
            whole_job(running, bo)
        finally:
            running.remove()
