"""One running installation for a test, with an account, driven from outside only."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import ROOT, Installation
from tests.support.processes import command_line, wait_until


class Running(Installation):
    """An installation that can be ordered from and looked into. Its database is SQLite."""

    def manage(self, *arguments: str) -> str:
        """A management command with the installation's environment; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        path = Path(self.environment["PLAYGROUND_DATA"]) / "playground.sqlite3"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def statuses(self) -> list[str]:
        return [row[0] for row in self.query("SELECT status FROM playground_generation ORDER BY id")]

    def all_done(self) -> bool:
        statuses = self.statuses()
        return bool(statuses) and set(statuses) == {"done"}

    def cluster(self) -> list[int]:
        """The cluster's processes, oldest first: its main one, the sentinel, then the rest. Waits out a new start."""
        wait_until(self._cluster, what="a running cluster")
        return self._cluster()

    def _cluster(self) -> list[int]:
        return [pid for pid in sorted(self.processes()) if "qcluster" in command_line(pid)]

    def ready_to_order(self) -> "Running":
        """Up, with an admin and the sandbox's models read."""
        self.start().ready()
        self.manage("signin_link", "ana@example.com", "--team", "studio", "--role", "admin")
        wait_until(lambda: self.query("SELECT count(*) FROM playground_videomodel") != [(0,)], what="models")
        return self


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(**variables: str) -> Running:
        made.append(Running(tmp_path / str(len(made)), **({"SANDBOX_JOB_SECONDS": "0"} | variables)))
        if "DATABASE_URL" not in variables:
            made[-1].prepared()
        return made[-1]

    yield make
    for installation in made:
        installation.remove()
