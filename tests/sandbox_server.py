"""A sandbox process for tests: `with start_sandbox() as sandbox: ... sandbox.base_url`.

A real server on a free port that it chooses itself, with a data folder of its own, ended with the block.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class SandboxServer:
    """`base_url` is what a client takes as its gateway; `root_url` has no path."""

    profile: str
    data: Path
    port: int
    process: subprocess.Popen[str]
    log: list[str] = field(default_factory=list)

    @property
    def root_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.root_url}/openai/v1"

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "test-key",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request; `path` below the base URL, or a whole URL. A dict body goes as JSON. Errors are answers too."""
        url = path if path.startswith("http") else self.base_url + path
        sent = dict(headers or {})
        if key:
            sent["Authorization"] = f"Bearer {key}"
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(url, data=body, method=method, headers=sent)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answer(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())

    def create(self, **fields: Any) -> Answer:
        return self.request(
            "POST",
            "/videos",
            {"prompt": "A quiet harbour", "model": "mock-video", "size": "640x360", "seconds": 1, **fields},
        )

    def wait(self, video_id: str, *statuses: str, seconds: float = 60) -> Any:
        """Poll until the job has one of `statuses` (completed or failed if none is given) and return it."""
        wanted, deadline = statuses or ("completed", "failed"), time.monotonic() + seconds
        while True:
            video = self.request("GET", f"/videos/{video_id}").json
            if video["status"] in wanted:
                return video
            assert time.monotonic() < deadline, f"still {video['status']}"
            time.sleep(0.05)

    def charges(self) -> list[dict[str, Any]]:
        """The charge log, one entry for each accepted job."""
        data: list[dict[str, Any]] = self.request("GET", f"{self.root_url}/sandbox/charges").json["data"]
        return data

    def requests(self) -> list[dict[str, Any]]:
        """The API requests since the start: method, path, query, status."""
        data: list[dict[str, Any]] = self.request("GET", f"{self.root_url}/sandbox/requests").json["data"]
        return data

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=10)

    def kill(self) -> None:
        """SIGKILL: nothing gets to tidy up."""
        self.process.kill()
        self.process.wait(timeout=10)


def launch(
    profile: str = "lumenfall", job_seconds: str = "0", *, data: Path, port: int = 0, **env: str
) -> SandboxServer:
    """Start a sandbox on `data` and wait until it answers. The caller ends it."""
    settings = {"SANDBOX_DATA": str(data), "SANDBOX_JOB_SECONDS": job_seconds, "PYTHONPATH": str(ROOT), **env}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "playground.sandbox", "--port", str(port), "--profile", profile],
        cwd=ROOT, env=inherited | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    server, ready = SandboxServer(profile, data, 0, process), threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                server.log.append(line.rstrip())
                if match := re.search(r"Sandbox ready: http://127\.0\.0\.1:(\d+)/", line):
                    server.port = int(match[1])
                    ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(START_SECONDS)
    if not server.port:
        process.kill()
        process.wait()
        raise RuntimeError("the sandbox did not start:\n" + "\n".join(server.log))
    return server


@contextmanager
def start_sandbox(profile: str = "lumenfall", job_seconds: str = "0", **env: str) -> Iterator[SandboxServer]:
    """A sandbox for the block. `env` sets its other settings, such as SANDBOX_BALANCE="0.05"."""
    data = Path(tempfile.mkdtemp(prefix="sandbox-"))
    server = None
    try:
        server = launch(profile, job_seconds, data=data, **env)
        yield server
    finally:
        if server is not None and server.process.poll() is None:
            server.kill()
        shutil.rmtree(data, ignore_errors=True)
