"""Real processes in tests: free ports, waiting for a condition, and knowing that none is left."""

import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from playground.supervisor.tree import descendants


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], *, within: float = 60.0, what: str = "") -> None:
    """Looks again and again, and fails when `within` seconds have gone by."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what or condition}"
        time.sleep(0.05)


def marked(mark: str) -> set[int]:
    """Every living process whose environment holds `mark`, whoever its parent is now."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes() and not _is_zombie(entry):
                found.add(int(entry.name))
        except OSError:
            continue
    return found


def _is_zombie(entry: Path) -> bool:
    return (entry / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"


def below(roots: set[int]) -> set[int]:
    """The living descendants of these processes. Some overwrite their environment with their title and lose a mark."""
    return {pid for root in roots for pid in descendants(root)}


def started_at(pid: int) -> str:
    """Tells a process from a later one with the same number; empty when it has ended."""
    entry = Path("/proc") / str(pid)
    try:
        return "" if _is_zombie(entry) else (entry / "stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def command_line(pid: int) -> str:
    """The words a process was started with, or its title; empty when it has ended meanwhile."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""
