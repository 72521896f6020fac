"""One service: its command, its process, and the rule for starting it again."""

import os
import signal
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from playground.supervisor.output import Output
from playground.supervisor.tree import end_with_parent

RESTARTS = 3
"""So many deaths within `RESTART_WINDOW` seconds are mended; the next one stops everything."""
RESTART_WINDOW = 60.0


@dataclass
class Service:
    name: str
    command: str
    cwd: Path
    environment: dict[str, str]
    output: Output
    deaths: deque[float] = field(default_factory=deque)
    start_at: float | None = None
    """Monotonic time of the next start, while none is running."""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Starts the command as the leader of its own session and returns the file descriptor of its output.

        `exec` makes the server itself that leader, so that signals meet it and not a shell.
        """
        self.start_at = None
        parent = os.getpid()
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", self.command],
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: end_with_parent(parent),  # this process has one thread, so it is safe
        )
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        return self.process.stdout.fileno()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def ended(self) -> int | None:
        """The exit code, once the leader has ended; None while it runs or when none was started."""
        return self.process.poll() if self.process else None

    def terminate(self) -> None:
        """SIGTERM to the leader alone: django-q2's cluster hangs when its whole group gets it."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def next_start(self) -> float | None:
        """Notes a death. Returns the seconds to wait before the next start, or None when there were too many."""
        now = time.monotonic()
        self.deaths.append(now)
        while self.deaths[0] < now - RESTART_WINDOW:
            self.deaths.popleft()
        if len(self.deaths) > RESTARTS:
            return None
        pause = 0.5 * 2.0 ** (len(self.deaths) - 1)
        self.start_at = now + pause
        return pause


def describe_exit(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
