"""Watching over the cluster: the freeze detector.

django-q2's cluster can be alive and do nothing for ever, for instance after one of its idle processes was killed. So
this process runs it as a child of its own group, writes the heartbeat, re-seeds the sweep when nobody holds its
lease, and when that is not taken up kills the group and starts a new one. All processes below die
with it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from uuid import uuid4

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from playground import queue
from playground.services import asking, catalogue, clocks, keys_used, leases, pauses, sweep, warmup

log = structlog.get_logger(__name__)

HEARTBEAT = "worker"
BEAT_EVERY_S = 5.0
BEHIND_S = 60.0
"""An order that should have been asked for so long ago: there are more than the sweep, or a rate cap, can do."""
TELL_EVERY_S = 60.0
TICK_S = 1.0
STALE = timedelta(seconds=1)
FROZEN_AFTER = timedelta(seconds=6)
"""A cluster that takes up no sweep for so long, although one is seeded every second, is frozen."""
STARTS_WITHIN = timedelta(seconds=20)
"""The same for a cluster that was just started and has not taken up any yet."""
ASLEEP_S = 3.0
"""Two looks further apart than this: this process was held up, so it cannot judge the cluster by the clock."""
STOP_GRACE_S = 4.0
CATALOGUE_LOOK_S = 5.0
PROBE_LOOK_S = 5.0
CLOCKS_LOOK_S = 60.0
KEYS_LOOK_S = 60.0
TIDY_EVERY = timedelta(hours=1)
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends. Linux only; elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run_cluster() -> None:
    """The child's side: the cluster, every process of which dies with the one that forked it."""
    os.register_at_fork(after_in_child=die_with_parent)
    warmup.preload()
    queue.run_cluster(in_each_process=warmup.warm_process)


class Watcher:
    """Keeps one cluster alive. `command` starts it; `stop` may be set from a signal handler."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = command
        self.stop = threading.Event()
        self.id = uuid4()
        self.child: subprocess.Popen[bytes] | None = None
        self.swept_at = timezone.now()
        self.has_begun = False
        self.restarts = 0
        self.due: dict[str, float] = {}

    def run(self) -> None:
        """Until `stop` is set. A database that is away is waited for, with the cluster left alone."""
        self._start()
        looked_at, wait_s = time.monotonic(), 0.0  # the first look at once: its heartbeat is what /readyz waits for
        try:
            while not self.stop.wait(wait_s):
                wait_s = TICK_S
                if time.monotonic() - looked_at > ASLEEP_S:
                    self.swept_at = timezone.now()
                looked_at = time.monotonic()
                try:
                    self._look()
                except DatabaseError as error:
                    log.error("worker_database_away", why=type(error).__name__)
                    connection.close()
                    self.swept_at = timezone.now()
        finally:
            self._end()

    def _start(self) -> None:
        self.child = subprocess.Popen(self.command, start_new_session=True, preexec_fn=die_with_parent)
        self.swept_at, self.has_begun = timezone.now(), False
        log.info("cluster_started", pid=self.child.pid, restarts=self.restarts)

    def _look(self) -> None:
        assert self.child is not None
        now = timezone.now()
        self.swept_at = min(self.swept_at, now)  # by a clock that was ahead, it would be judged an hour from now
        if self.child.poll() is not None:
            self._restart(f"it ended with {self.child.returncode}")
            return
        free_for = leases.free_since(sweep.LEASE, now=now)
        if free_for is None:
            self.swept_at, self.has_begun = now, True
        elif now - self.swept_at > (FROZEN_AFTER if self.has_begun else STARTS_WITHIN):
            self._restart("it does not take up work")
            return
        elif free_for > STALE and queue.waiting_for("sweep") == 0:
            sweep.seed()
        self._every("beat", BEAT_EVERY_S, self._beat)
        self._every("clocks", CLOCKS_LOOK_S, self._clocks)
        self._every("catalogue", CATALOGUE_LOOK_S, self._sync)
        self._every("probe", PROBE_LOOK_S, self._probe)
        self._every("keys", KEYS_LOOK_S, self._keys)
        self._every("tidy", TIDY_EVERY.total_seconds(), self._tidy)

    def _every(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        if time.monotonic() >= self.due.get(name, 0.0):
            self.due[name] = time.monotonic() + seconds
            try:
                action()
            except DatabaseError:
                raise
            except Exception:  # whatever one errand cannot cope with, the others and the cluster go on
                log.exception("worker_errand_failed", errand=name)

    def _clocks(self) -> None:
        clocks.set_right(now=timezone.now())

    def _beat(self) -> None:
        now = timezone.now()
        overdue_s = asking.overdue_s(now=now)
        detail = {"version": settings.VERSION, "restarts": self.restarts, "waiting": queue.waiting()}
        leases.beat(HEARTBEAT, now=now, detail=detail | {"overdue_s": overdue_s})
        if overdue_s["to_ask"] > BEHIND_S:
            self._every("tell", TELL_EVERY_S, lambda: log.warning("sweep_behind", **overdue_s))

    def _sync(self) -> None:
        now = timezone.now()
        if catalogue.is_due(now=now):
            queue.enqueue("sync_catalogue", timeout_s=catalogue.SYNC_TIMEOUT_S)
        for gateway_id in catalogue.due_of_teams(now=now):
            queue.enqueue("sync_catalogue", str(gateway_id), timeout_s=catalogue.SYNC_TIMEOUT_S)

    def _probe(self) -> None:
        for gateway_id in pauses.due(now=timezone.now()):
            queue.enqueue("probe_gateways", str(gateway_id), timeout_s=pauses.PROBE_TIMEOUT_S)

    def _keys(self) -> None:
        keys_used.note(now=timezone.now())

    def _tidy(self) -> None:
        queue.enqueue("housekeeping", timeout_s=600, delay_s=60)

    def _restart(self, why: str) -> None:
        log.error("cluster_restarted", why=why)
        self._kill()
        self.restarts += 1
        queue.forget_sweeps()
        self._start()
        sweep.seed()

    def _kill(self) -> None:
        """The whole group, sparing nobody: a frozen cluster does not answer a polite signal."""
        assert self.child is not None
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.info("cluster_group_gone", pid=self.child.pid)
        self.child.wait()

    def _end(self) -> None:
        """Tell the sweep to leave, the cluster to finish what it has begun, and kill what remains."""
        assert self.child is not None
        try:
            leases.revoke(sweep.LEASE, by=self.id, now=timezone.now())
        except DatabaseError as error:
            log.error("worker_database_away", why=type(error).__name__)
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout=STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                log.warning("cluster_killed", after_s=STOP_GRACE_S)
        self._kill()
