"""A whole installation in a folder of its own: real web, worker and sandbox processes on free ports."""

import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

from tests.environment import CLOSED
from tests.support.processes import below, free_port, marked, started_at, wait_until

ROOT = Path(__file__).resolve().parents[2]
MARK = "PLAYGROUND_MARK"
FOREIGN = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PUBLIC_URL", "SANDBOX_JOB_SECONDS")


class Installation:
    """`up` on `folder`. Every process of it carries `mark` in its environment, whoever its parent becomes."""

    def __init__(self, folder: Path, **variables: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        own = {
            "PORT": str(free_port()),
            "SANDBOX_PORT": str(free_port()),
            "PLAYGROUND_DATA": str(folder / "data"),
            "SECRET_KEY": secrets.token_urlsafe(48),
            # Else the titles that the cluster gives its processes overwrite their environment, and with it the mark.
            "SPT_NOENV": "1",
            MARK: str(uuid.uuid4()),
        }
        self.variables = own | variables
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        self.environment = inherited | self.variables
        self.mark = f"{MARK}={self.variables[MARK]}"
        self.out = folder / f"out-{uuid.uuid4()}"
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[tuple[int, str]] = set()

    def start(self, *command: str) -> "Installation":
        """Starts it and returns at once. The default command is the one that scripts/up ends in."""
        self.out = self.folder / f"out-{uuid.uuid4()}"
        with self.out.open("wb") as stream:
            self.process = subprocess.Popen(
                command or (sys.executable, "-m", "playground.supervisor"),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        return self

    def prepared(self) -> "Installation":
        """As after an earlier start: tables and static files are there, nobody has an account."""
        shutil.copytree(prepared_data(), self.environment["PLAYGROUND_DATA"])
        return self

    @property
    def port(self) -> int:
        return int(self.variables["PORT"])

    @property
    def sandbox_port(self) -> int:
        return int(self.variables["SANDBOX_PORT"])

    @property
    def text(self) -> str:
        return self.out.read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def processes(self) -> set[int]:
        """Every living process of it that was seen once, now or at an earlier call."""
        self._seen = {(pid, began) for pid, began in self._seen if started_at(pid) == began}
        roots = marked(self.mark) | {pid for pid, _ in self._seen}
        self._seen |= {(pid, began) for pid in roots | below(roots) if (began := started_at(pid))}
        return {pid for pid, _ in self._seen}

    def ready(self) -> "Installation":
        assert self.process is not None
        process = self.process
        wait_until(lambda: "Playground ready" in self.text or process.poll() is not None, within=100, what="ready")
        assert "Playground ready" in self.text, self.text
        return self

    def exit_code(self, within: float = 10) -> int:
        assert self.process is not None
        return self.process.wait(within)

    def stop(self) -> int:
        assert self.process is not None
        self.processes()  # those that live now must be gone afterwards
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code()

    def remove(self) -> None:
        """Ends whatever is left, for the end of a test that failed too."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.process is not None:
            self.process.wait(10)


def prepared_data() -> Path:
    """A data folder that `manage.py prepare` has filled, once for all lanes. To be copied, never used."""
    shared = Path(os.environ.get("PLAYGROUND_TEST_SHARED") or os.environ["PLAYGROUND_TEST_DATA"])
    shared.mkdir(parents=True, exist_ok=True)
    folder = shared / "prepared"
    with (shared / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = shared / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            own = CLOSED | {"PLAYGROUND_DATA": str(unfinished), "SECRET_KEY": secrets.token_urlsafe(48)}
            inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
            subprocess.run([sys.executable, "manage.py", "prepare"], cwd=ROOT, env=inherited | own, check=True)
            unfinished.rename(folder)
    return folder
