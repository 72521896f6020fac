"""A broken value in the environment or an odd argument is one line that names it, and an exit code that is not 0."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError

from playground.models import User
from tests.management.test_commands import link_for
from tests.support.installation import ROOT

SECRET = "hunter2-hunter2"
BROKEN = [
    ("PORT", "abc"),
    ("PORT", "99999"),
    ("PORT", "0"),
    ("PUBLIC_URL", "videos.example"),
    ("PUBLIC_URL", "http://[x"),
    ("EMAIL_URL", "garbage"),
    ("EMAIL_URL", f"smtp://me:{SECRET}@mail.example:port"),
    ("EMAIL_URL", f"pigeon://me:{SECRET}@mail.example"),
    ("EMAIL_URL", "file:"),
    ("EMAIL_URL", f"smtp://me:{SECRET}/x@mail.example"),
    ("MAIL_FROM", "nobody"),
    ("GATEWAY_BASE_URL", "gateway.example"),
    ("WEB_WORKERS", "abc"),
    ("WEB_THREADS", "0"),
    ("DATABASE_URL", f"mongo://me:{SECRET}@db.example/x"),
    ("TIME_ZONE", "Mars/Base"),
]


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SECRET_KEY": "x" * 40} | variables
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.journey
@pytest.mark.parametrize(("name", "value"), BROKEN)
def test_broken_value_is_one_line_that_names_it_and_no_secret(tmp_path: Path, name: str, value: str) -> None:
    done = run("manage.py", "check", **{"PLAYGROUND_DATA": str(tmp_path), name: value})
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("\n") == 1, said
    assert name.replace("TIME_ZONE", "timezone") in said
    assert SECRET not in said


@pytest.mark.journey
@pytest.mark.parametrize("dialect", ["", "openai"])
def test_log_of_requests_that_no_such_gateway_has_is_refused_at_the_start_in_one_line(
    tmp_path: Path, dialect: str
) -> None:
    values = {"GATEWAY_HONOURS": "idempotency-key,request-log", "GATEWAY_DIALECT": dialect}
    values |= {"GATEWAY_BASE_URL": "https://gw.example/v1", "GATEWAY_API_KEY": SECRET}
    done = run("manage.py", "check", PLAYGROUND_DATA=str(tmp_path), **values)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("\n") == 1, said
    assert "GATEWAY_HONOURS: request-log can only be read in the lumenfall dialect" in said
    assert SECRET not in said
    fine = run("manage.py", "check", PLAYGROUND_DATA=str(tmp_path), **values | {"GATEWAY_DIALECT": "lumenfall"})
    assert fine.returncode == 0, fine.stderr


@pytest.mark.journey
def test_broken_time_of_sandbox_jobs_is_one_line(tmp_path: Path) -> None:
    done = run("-m", "playground.sandbox", "--port", "0", "--data", str(tmp_path), "--job-seconds", "abc")
    assert done.returncode == 2
    assert done.stderr.startswith("Sandbox cannot start: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.journey
def test_database_that_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    url = f"postgres://me:{SECRET}@127.0.0.1:1/playground"
    for command in (["prepare"], ["signin_link", "a@example.com"]):
        done = run("manage.py", *command, PLAYGROUND_DATA=str(tmp_path), DATABASE_URL=url)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "database" in done.stderr.splitlines()[0]
        assert SECRET not in done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("team", ["", "!!!", "x" * 61, "two words", "Été"])
def test_team_of_an_odd_name_is_not_made(team: str) -> None:
    with pytest.raises(CommandError, match="--team"):
        link_for("a@example.com", "--team", team)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_address_that_no_row_can_hold_is_refused() -> None:
    with pytest.raises(CommandError, match="too long"):
        link_for("a@" + "x" * 300 + ".example")
