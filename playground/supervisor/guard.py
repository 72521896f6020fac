"""The process that the person started: forks the keeper, passes signals on, cleans up if the keeper is killed."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from playground.supervisor.output import say
from playground.supervisor.tree import adopt_orphans, kill_descendants

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_guarded(keeper: Callable[[int], int]) -> int:
    """Runs `keeper(alive)` in a forked process of its own session and returns its exit code.

    `alive` is a pipe end that becomes readable when this process has ended, by whatever cause.
    The keeper starts with the stop signals blocked and must unblock them once its own handlers stand.
    """
    adopt_orphans()
    alive, hold = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    pid = os.fork()
    if pid == 0:
        os.close(hold)
        _run_keeper(keeper, alive)
    os.close(alive)

    def forward(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    for number in STOP_SIGNALS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left = kill_descendants()
    if left:
        say(f"These processes could not be ended: {left}", error=True)
    if status < 0:
        say(f"The keeper was ended by {signal.Signals(-status).name}; every process is stopped.", error=True)
    return status if status >= 0 else 1


def _run_keeper(keeper: Callable[[int], int], alive: int) -> None:
    code = 1
    try:
        os.setsid()
        code = keeper(alive)
    except BaseException:  # noqa: BLE001 - printed, and never let through: the frames below belong to the guard
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
