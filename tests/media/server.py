"""Starts tests/media/app.py under granian on a free port, and ends it by its process id."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(data: Path, *, threads: int = 64, workers: int = 1, streams: int = 32, log=subprocess.DEVNULL):
    """Yields the port once the server answers. Raises RuntimeError when it does not within 20 s."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--no-ws", "tests.media.app:application"]
    environment = {**os.environ, "APP_DATA": str(data), "MEDIA_STREAMS": str(streams), "WEB_THREADS": str(threads)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), "the server did not start")
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def wait_until(condition, words: str, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(words)
        time.sleep(0.02)
