"""A running installation that is driven and looked into from outside."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.environment import CLOSED
from tests.support import commands
from tests.support.installation import ROOT, Installation
from tests.support.processes import command_line, wait_until


class Running(Installation):
    """An installation that can be ordered from and looked into. Its database is SQLite."""

    _commands: subprocess.Popen[bytes] | None = None

    def told(self) -> str:
        """What another process needs to use it too; `Running.known` takes it."""
        return json.dumps({"folder": str(self.folder), "variables": self.variables})

    @classmethod
    def known(cls, told: str) -> "Running":
        """An installation that another process has made ready and will remove."""
        facts = json.loads(told)
        return cls(Path(facts["folder"]), **facts["variables"])

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

    def command(self, *arguments: str) -> str:
        """As `manage`, by a process that stays: for the many."""
        listens = self.folder / "commands"
        if not listens.exists():
            self._commands = subprocess.Popen(
                [sys.executable, "-m", "tests.support.commands", str(listens)],
                cwd=ROOT,
                env=self.environment | {"DJANGO_SETTINGS_MODULE": "playground.settings"},
                stdin=subprocess.PIPE,
            )
            wait_until(listens.exists, what="the process for commands")
        return commands.ask(listens, *arguments)

    def remove(self) -> None:
        super().remove()
        if self._commands is not None:
            self._commands.kill()
            self._commands.communicate()

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

    def with_models(self) -> "Running":
        """Up, with the sandbox's models read. Nobody has an account."""
        self.start().ready()
        wait_until(lambda: self.query("SELECT count(*) FROM playground_videomodel") != [(0,)], what="models")
        return self

    def ready_to_order(self) -> "Running":
        """Up, with an admin and the sandbox's models read."""
        self.with_models().command("signin_link", "ana@example.com", "--team", "studio", "--role", "admin")
        return self


def for_browsers(folder: Path) -> Running:
    """The installation that browsers visit, not started. Nothing of this machine's settings reaches it."""
    return Running(folder, **CLOSED, SANDBOX_JOB_SECONDS="2-3")
