"""The process tree as the kernel tells it, and ending all of it."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Looked up here, not between fork and exec, where only async-signal-safe work is allowed.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def adopt_orphans() -> None:
    """Makes orphaned descendants children of this process instead of init's. Linux only; elsewhere nothing happens."""
    if _libc is not None and _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def end_with_parent(parent: int) -> None:
    """Runs in a new child before exec: it gets SIGTERM when the process `parent` ends. SIGTERM, so that it can stop
    children of its own. The parent may have ended before the call, hence the look afterwards."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def parents() -> dict[int, int]:
    """Parent by process id, of all living processes that may be seen (zombies left out)."""
    if not Path("/proc/self/stat").exists():
        return _parents_by_ps()
    found: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # The name in brackets may hold spaces and brackets itself; the fields start after the last one.
            state, parent = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found[int(entry.name)] = int(parent)
    return found


def _parents_by_ps() -> dict[int, int]:
    rows = subprocess.run(["ps", "-axo", "pid=,ppid=,state="], capture_output=True, text=True, check=True).stdout
    split = (row.split() for row in rows.splitlines())
    return {int(pid): int(parent) for pid, parent, state in split if not state.startswith("Z")}


def descendants(root: int) -> list[int]:
    """Every living process below `root`, the nearest first."""
    by_parent: defaultdict[int, list[int]] = defaultdict(list)
    for pid, parent in parents().items():
        by_parent[parent].append(pid)
    found: list[int] = []
    todo = list(by_parent[root])
    while todo:
        pid = todo.pop(0)
        found.append(pid)
        todo.extend(by_parent[pid])
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def reap() -> None:
    """Collects children that have ended, adopted ones among them, so that no zombie stays."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def kill_descendants(*, within: float = 2.0) -> list[int]:
    """Ends everything below this process. Returns what still lives after `within` seconds (normally nothing)."""
    deadline = time.monotonic() + within
    while left := descendants(os.getpid()):
        kill(left)
        reap()
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    reap()
    return left
