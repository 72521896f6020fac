"""Threads that requests run in: made when there is work for them, and ended when there has been none for a while.

Each thread has database connections of its own, which `at_end` closes; those of `concurrent.futures` stay for ever.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from playground.front.bodies import Refused

IDLE_S = 30.0

Job = tuple[Future[Any], Callable[[], Any]]


class NoThread(Refused):
    """This process may start no thread, and has none."""


class Threads:
    """Runs calls, `most` at once; what comes beyond that waits for its turn."""

    def __init__(self, most: int, *, idle_s: float = IDLE_S, at_end: Callable[[], None] = lambda: None) -> None:
        """`at_end` is called in each thread before it ends."""
        self._most = most
        self._idle_s = idle_s
        self._at_end = at_end
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0
        self._free = 0
        """Threads that wait, less the calls that are on their way to them; below 0: calls that wait for a thread."""

    @property
    def count(self) -> int:
        return self._count

    @property
    def free(self) -> int:
        return max(0, self._free)

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Raises NoThread."""
        future: Future[Any] = Future()
        with self._lock:
            if self._free <= 0 and self._count < self._most:
                self._start_one()
            self._jobs.put((future, call))
            self._free -= 1
        return future

    def _start_one(self) -> None:
        """Where the system gives no further thread, those that are there have to do."""
        try:
            threading.Thread(target=self._work, name="request", daemon=True).start()
        except RuntimeError as error:
            if not self._count:
                raise NoThread(str(error)) from error
            return
        self._count += 1
        self._free += 1

    def _work(self) -> None:
        try:
            while job := self._next():
                _run(*job)
                del job
                with self._lock:
                    self._free += 1
        finally:
            self._at_end()

    def _next(self) -> Job | None:
        """None when there was nothing to do for so long that this thread may end."""
        while True:
            try:
                return self._jobs.get(timeout=self._idle_s)
            except queue.Empty:
                with self._lock:
                    if self._free > 0:
                        self._free -= 1
                        self._count -= 1
                        return None


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001  whoever waits for the result gets it
        future.set_exception(error)
