"""A PostgreSQL server that may forget what it said it had written is named before that costs an order."""

import pytest
import structlog
from django.core.checks import run_checks
from django.db import connection

from playground.services import durability

pytestmark = pytest.mark.django_db


def told() -> tuple[str, list[str], list[str]]:
    """What the service says, the checks' ids, and the worker's log."""
    with structlog.testing.capture_logs() as logs:
        durability.warn()
    checks = [one.id for one in run_checks(tags=["database"], databases=["default"]) if one.id == "playground.W001"]
    return durability.doubts(), checks, [line["event"] for line in logs]


@pytest.mark.parametrize("commit", ["off", "local", "on", "remote_write"])
def test_server_that_answers_before_it_has_written_is_named_in_one_line(commit: str) -> None:
    if connection.vendor != "postgresql":
        assert told() == ("", [], [])
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL synchronous_commit = {commit}")
        cursor.execute("SHOW fsync")
        fsync = cursor.fetchone()[0]

    why, checks, logged = told()

    assert (f"synchronous_commit is {commit}" in why) is (commit in ("off", "local"))
    assert ("fsync is off" in why) is (fsync == "off")
    assert bool(why) is bool(checks) is bool(logged)
    assert "\n" not in why
