"""The bench's process factory: loads Django once, with fault points and short times, and forks every process from it.

Reads one JSON command a line and answers each with one line. It has neither thread nor connection of its own, so what
it forks starts clean; a fork costs milliseconds where a fresh interpreter costs a second. All its children die with it.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import time_machine

from tests.faults.stage import points


def main() -> None:
    points.install()
    import django

    django.setup()
    from playground.services import warmup
    from tests.faults.stage import broken, scaled

    warmup.preload()
    scaled.apply()
    broken.VARIANTS[os.environ.get("FAULTS_VARIANT", "")]()
    _say({"ready": os.getpid()})
    ended: dict[int, int] = {}
    for line in sys.stdin:
        command = json.loads(line)
        answer = _spawn(command) if command["do"] == "spawn" else {}
        _reap(ended)
        _say(answer | {"ended": ended})
        ended = {}


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _reap(ended: dict[int, int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        ended[pid] = os.waitstatus_to_exitcode(status)


def _spawn(command: dict[str, Any]) -> dict[str, int]:
    """Fork a process for a role. `group` 0: it leads a process group of its own; else it joins that one.

    Every clock that it reads is wrong by `clock_s`.
    """
    pid = os.fork()
    if pid:
        _own_group(pid, command["group"])
        return {"pid": pid}
    _own_group(0, command["group"])
    code = 1
    try:
        code = _child(command)
    except BaseException:  # a child must never return into the host's loop
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _own_group(pid: int, group: int) -> None:
    """Done on both sides of the fork, so that neither can be too early; the later one may find it done."""
    try:
        os.setpgid(pid, group)
    except (PermissionError, ProcessLookupError):
        return


def _child(command: dict[str, Any]) -> int:
    from playground.services.worker import die_with_parent
    from tests.faults.stage import roles

    die_with_parent()
    if command["clock_s"]:
        time_machine.travel(time.time() + command["clock_s"], tick=True).start()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    plans = [points.Plan(**plan) for plan in command["plans"]]
    points.arm(plans, log=Path(command["hits"]))
    roles.ROLES[command["role"]](**command["arguments"])
    return 0


if __name__ == "__main__":
    main()
