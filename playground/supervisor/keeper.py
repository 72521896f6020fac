"""The loop that starts the services, prints their lines, starts again what died, and stops all of it.

One thread: it waits on the services' pipes, on the pipe from the guard, and on signals (through a wake-up descriptor).
"""

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from playground.supervisor.guard import STOP_SIGNALS
from playground.supervisor.output import Output, say
from playground.supervisor.ready import ask
from playground.supervisor.service import Service, describe_exit
from playground.supervisor.tree import adopt_orphans, descendants, kill, kill_descendants, parents, reap

STOP_BY = (("release", 3.0), ("web", 2.8), ("worker", 5.5), ("sandbox", 7.0))
"""Stopped in this order; seconds after the stop signal at which the patience with each one ends."""
READY_WITHIN = 90.0


@dataclass(frozen=True)
class Plan:
    """What to run and where."""

    commands: dict[str, str]
    cwd: Path
    logs: Path
    environment: dict[str, str]
    host: str
    port: int
    sandbox_port: int | None
    """None: another gateway is in use and no sandbox is started."""
    announce: Callable[[], list[str]]
    """The lines to print once all is ready."""


class Stop(Exception):
    """The way out of every wait: leave the loop with this exit code."""

    def __init__(self, code: int, line: str = "") -> None:
        self.code = code
        self.line = line


class Keeper:
    def __init__(self, plan: Plan, alive: int) -> None:
        self.plan = plan
        self.selector = selectors.DefaultSelector()
        self.stop_signals = 0
        self.alive = alive
        self.wake_up, write = socket.socketpair()
        for end in (self.wake_up, write):
            end.setblocking(False)
        self._wake_up_write = write  # kept: closing it would end the wake-ups
        signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
        self.selector.register(self.wake_up, selectors.EVENT_READ)
        self.selector.register(alive, selectors.EVENT_READ)
        names = [name for name in ("sandbox", "worker", "web") if name in plan.commands]
        if plan.sandbox_port is None and "sandbox" in names:
            names.remove("sandbox")
        self.services = [self._service(name, plan.commands[name]) for name in names]
        self.one_off: list[Service] = []

    def _service(self, name: str, command: str) -> Service:
        one_process = command if name == "release" else f"exec {command}"
        return Service(name, one_process, self.plan.cwd, self.plan.environment, Output(name, self.plan.logs))

    # --- the life of the installation -----------------------------------------------------------------------------

    def run(self) -> int:
        """Until stopped. The exit code is 0 after a stop signal."""
        try:
            self._prepare()
            for service in self.services:
                self._start(service)
            self._wait_until_ready()
            for line in self.plan.announce():
                say(line)
            while True:
                self._turn(1.0)
        except Stop as stop:
            if stop.line:
                say(stop.line, error=True)
            return self._stop_all(stop.code)

    def _prepare(self) -> None:
        if "release" not in self.plan.commands:
            return
        release = self._service("release", self.plan.commands["release"])
        self.one_off.append(release)
        self._start(release)
        while (code := release.ended()) is None:
            self._turn(0.5)
        if code != 0:
            raise Stop(1, f"Preparing failed ({describe_exit(code)}); the reason is above and in {release.output.path}")

    def _wait_until_ready(self) -> None:
        waiting = {"web": (self.plan.port, "/readyz"), "sandbox": (self.plan.sandbox_port, "/healthz")}
        running = {service.name for service in self.services}
        deadline = time.monotonic() + READY_WITHIN
        for name, (port, path) in waiting.items():
            if name not in running or port is None:
                continue
            host = self.plan.host if name == "web" else "127.0.0.1"
            while problem := ask(host, port, path, timeout=3.0):  # the first answer waits for its imports
                if time.monotonic() > deadline:
                    raise Stop(1, f"{name} is not ready after {READY_WITHIN:.0f} s: {path} says {problem}")
                self._turn(0.05)

    # --- one turn of the loop -------------------------------------------------------------------------------------

    def _turn(self, seconds: float) -> None:
        """Waits for something to happen, `seconds` at most, and does what follows from it."""
        self._pump(seconds)
        if self.stop_signals:
            raise Stop(0, "Stopping; once more to stop at once")
        self._reap_adopted()
        now = time.monotonic()
        for service in self.services:
            if service.start_at is not None and now >= service.start_at:
                self._start(service)
            elif (code := service.ended()) is not None and service.start_at is None:
                self._mend(service, code)

    def _pump(self, seconds: float) -> None:
        waits = [service.start_at - time.monotonic() for service in self.services if service.start_at is not None]
        for key, _ in self.selector.select(max(0.0, min([seconds, *waits]))):
            if key.fileobj is self.wake_up:
                with contextlib.suppress(BlockingIOError):
                    self.wake_up.recv(4096)
            elif key.fileobj == self.alive:
                self.selector.unregister(self.alive)
                self.stop_signals += 1
            else:
                self._read(key.data)

    def _read(self, service: Service) -> bool:
        """Takes what the service has written. False when there is nothing (more)."""
        assert service.process is not None
        assert service.process.stdout is not None
        descriptor = service.process.stdout.fileno()
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        if not data:
            self.selector.unregister(descriptor)
            service.process.stdout.close()
            return False
        service.output.feed(data)
        return True

    def _drain(self, service: Service) -> None:
        """Reads the last words of a service that has ended."""
        process = service.process
        if process is None or process.stdout is None:
            return
        while not process.stdout.closed and self._read(service):
            pass
        if not process.stdout.closed:
            self.selector.unregister(process.stdout.fileno())
            process.stdout.close()

    def _start(self, service: Service) -> None:
        self.selector.register(service.start(), selectors.EVENT_READ, service)

    def _mend(self, service: Service, code: int) -> None:
        """A service ended by itself: ends what it left behind, which may hold its port, and plans the next start."""
        self._kill_left_behind()
        self._drain(service)
        how = describe_exit(code)
        pause = service.next_start()
        if pause is None:
            times = len(service.deaths)
            line = f"{service.name} ended {times} times within a minute, the last time with {how}. Stopping; "
            raise Stop(1, line + f"its log is {service.output.path}")
        say(f"{service.name} ended with {how}; starting it again in {pause:g} s", error=True)

    def _kill_left_behind(self) -> None:
        """Ends adopted processes that belong to no living service."""
        leaders = {service.pid for service in self.services if service.ended() is None}
        me = os.getpid()
        for pid, parent in parents().items():
            if parent == me and pid not in leaders and self._session(pid) not in leaders:
                kill([*descendants(pid), pid])
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _reap_adopted(self) -> None:
        """Collects adopted processes that have ended; a service's own end is left for `Service.ended`."""
        own = {service.pid for service in [*self.services, *self.one_off]}
        with contextlib.suppress(ChildProcessError):
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid in own:
                    return
                os.waitpid(dead.si_pid, os.WNOHANG)

    @staticmethod
    def _session(pid: int) -> int:
        try:
            return os.getsid(pid)
        except ProcessLookupError:
            return 0

    # --- the end --------------------------------------------------------------------------------------------------

    def _stop_all(self, code: int) -> int:
        """Each gets SIGTERM when the one before it is gone. A second stop signal ends the patience."""
        begin = time.monotonic()
        impatient = self.stop_signals
        by_name = {service.name: service for service in [*self.services, *self.one_off]}
        for name, patience in STOP_BY:
            service = by_name.get(name)
            if service is None:
                continue
            service.start_at = None
            service.terminate()
            while service.process is not None and service.ended() is None:
                if self.stop_signals > max(impatient, 1) or time.monotonic() > begin + patience:
                    say(f"{name} did not stop in time and is killed", error=True)
                    break
                self._pump(0.1)
        left = kill_descendants(within=1.5)
        for service in by_name.values():
            self._drain(service)
            service.output.close()
        reap()
        if left:
            say(f"These processes could not be ended: {left}", error=True)
            return 1
        return code


def keep(plan: Plan, alive: int) -> int:
    """The keeper's whole life; see `guard.run_guarded`."""
    adopt_orphans()
    keeper = Keeper(plan, alive)

    def stop(number: int, frame: FrameType | None) -> None:
        keeper.stop_signals += 1

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)  # wakes the loop
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    return keeper.run()
