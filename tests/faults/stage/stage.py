"""One installation under fire: a real sandbox, a relay before it, a database, and engine processes that may be killed.

The driver here holds no Django; it starts processes through the host (host.py), kills them, starts others in their
place as the worker's watcher would, and reads the outcome from outside.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.stage.database import Database
from tests.faults.stage.points import ROOT, Plan
from tests.faults.stage.relay import Relay, relayed
from tests.sandbox_server import SandboxServer, launch

ACTIVE = "('queued', 'submitting', 'submitted', 'running', 'completed', 'storing')"
ENGINES = 3
Verdict = dict[str, Any]


class Host:
    """The process that all others are forked from."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.stage.host"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.ended: dict[int, int] = {}
        assert self.process.stdout is not None
        if not self.process.stdout.readline():
            raise RuntimeError(f"the host did not start:\n{log.read_text()[-2000:]}")

    def ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.ended.pop(answer.get("pid", 0), None)  # numbers of processes come again
        self.ended |= {int(pid): code for pid, code in answer.pop("ended").items()}
        return answer

    def has_ended(self, pid: int) -> bool:
        if pid not in self.ended:
            self.ask({"do": "look"})
        return pid in self.ended

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


class Stage:
    """See the module. Made by `staged`."""

    def __init__(self, folder: Path, database: Database, sandbox: SandboxServer, relay: Relay, host: Host) -> None:
        self.folder, self.database, self.sandbox, self.relay, self.host = folder, database, sandbox, relay, host
        self.hits_file, self.acks_file = folder / "hits", folder / "acks"
        self.acks_file.touch()
        self.hits_file.touch()
        self.engines: list[int] = []
        self.group = 0
        self.kills = self.freezes = self.rounds = 0
        self.number = 0
        self.clock_s = 0.0
        """By how much the clock of every process that is spawned from now on is wrong."""

    # Processes

    def spawn(self, role: str, *, group: int = 0, plans: Sequence[Plan] = (), **arguments: Any) -> int:
        command = {
            "do": "spawn",
            "role": role,
            "group": group,
            "plans": [asdict(plan) for plan in plans],
            "hits": str(self.hits_file),
            "clock_s": self.clock_s,
            "arguments": arguments,
        }
        return int(self.host.ask(command)["pid"])

    def run(self, role: str, *, within: float = 120, plans: Sequence[Plan] = (), **arguments: Any) -> int:
        """Spawn, wait, and give the exit code (negative: the signal that killed it)."""
        pid = self.spawn(role, plans=plans, **arguments)
        self.wait(lambda: self.host.has_ended(pid), within=within, what=role)
        return self.host.ended[pid]

    def wait(self, condition: Any, *, within: float, what: str) -> None:
        deadline, pause = time.monotonic() + within, 0.005
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {within:.0f} s: {what}\n{self.log()}")
            time.sleep(pause)
            pause = min(0.05, pause * 1.5)

    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def plan(self, point: str, nth: int = 1, how: str = "kill") -> Plan:
        """A plan that strikes one process only, whoever comes first."""
        self.number += 1
        return Plan(point, nth, how, str(self.folder / f"struck-{self.number}-{uuid.uuid4().hex[:8]}"))

    def struck(self, plan: Plan) -> bool:
        return Path(plan.token).exists()

    def keep_engines(self, plans: Sequence[Plan] = (), *, count: int = ENGINES, **arguments: Any) -> None:
        """See that `count` processes live, as one process group. The dead are counted and replaced."""
        for pid in [pid for pid in self.engines if self.host.has_ended(pid)]:
            self.engines.remove(pid)
            self.kills += self.host.ended[pid] == -signal.SIGKILL
        if not self.engines:
            self.group = 0
        while len(self.engines) < count:
            self.number += 1
            seed = f"{self.number}"
            pid = self.spawn("engine", group=self.group, plans=plans, seed=seed, **arguments)
            self.group = self.group or pid
            self.engines.append(pid)

    def kill_engines(self) -> None:
        """The whole group at once; counts as one kill."""
        if not self.engines:
            return
        self.signal_engines(signal.SIGKILL)
        self.wait(lambda: all(self.host.has_ended(pid) for pid in self.engines), within=10, what="the engines' end")
        self.engines.clear()
        self.group = 0
        self.kills += 1

    def signal_engines(self, number: int) -> None:
        for pid in self.engines:
            if not self.host.has_ended(pid):
                os.kill(pid, number)

    def restart_sandbox(self) -> None:
        """kill -9 of the charging side, and the same one again on its data and port."""
        old = self.sandbox
        old.kill()
        self.sandbox = launch(old.profile, data=old.data, port=old.port, **_sandbox_settings(self.folder))
        self.kills += 1

    # Orders

    def order(self, prompt: str) -> dict[str, str]:
        """What a form holds: a token that stays the same however often it is sent, and a prompt like no other."""
        return {"token": secrets.token_urlsafe(12), "prompt": f"{prompt} {uuid.uuid4().hex}"}

    def acknowledged(self) -> set[str]:
        return {line.split()[0] for line in self.acks_file.read_text().splitlines() if line.split()[1] != "-"}

    def place(self, orders: Sequence[dict[str, str]], plans: Sequence[Plan] = ()) -> None:
        """Press until each form has its answer, with the same token, as somebody who reloads does."""
        for attempt in range(12):
            done = self.acknowledged()
            left = [order for order in orders if order["token"] not in done]
            if not left:
                return
            time.sleep(min(2.0, 0.2 * attempt))  # a price that could not be had is not asked for again at once
            code = self.run("place", orders=left, acks=str(self.acks_file), plans=plans if not attempt else ())
            self.kills += code == -signal.SIGKILL
        raise AssertionError(f"could not be ordered: {self.acks_file.read_text()[-500:]}\n{self.log()}")

    def active(self) -> int:
        return int(self.database.rows(f"SELECT count(*) FROM playground_generation WHERE status IN {ACTIVE}")[0][0])

    def settle(self, *, within: float = 60) -> None:
        """Nobody is killed any more: wait until nothing is on its way. What is not in time is the checker's to name."""
        deadline = time.monotonic() + within
        while self.active() and time.monotonic() < deadline:
            self.keep_engines()
            time.sleep(0.08)

    # Judgement

    def hits(self) -> list[list[str]]:
        """(pid, point, passed | kill | freeze), oldest first."""
        return [line.split() for line in self.hits_file.read_text().splitlines()]

    def judge(self) -> Verdict:
        """The checker's word over everything so far."""
        charges, answer = self.folder / "charges.json", self.folder / "verdict.json"
        charges.write_text(json.dumps(self.sandbox.charges()))
        answer.unlink(missing_ok=True)
        code = self.run("judge", charges=str(charges), acks=str(self.acks_file), answer=str(answer))
        assert code == 0, self.log()
        verdict: Verdict = json.loads(answer.read_text())
        return verdict

    def assert_sound(self) -> Verdict:
        verdict = self.judge()
        assert not verdict["problems"], json.dumps(verdict, indent=1)
        return verdict


def _sandbox_settings(folder: Path) -> dict[str, str]:
    path = folder / "sandbox.json"
    settings: dict[str, str] = json.loads(path.read_text())
    return settings


@contextmanager
def staged(
    folder: Path,
    database: Database,
    *,
    variant: str = "",
    honours_keys: bool = True,
    has_log: bool = True,
    cap_micros: int | None = None,
    environment: dict[str, str] | None = None,
) -> Iterator[Stage]:
    """A stage on `folder`; one that was staged there before goes on where it was."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"SANDBOX_SLOW_ANSWER_SECONDS": "0.6", "SANDBOX_BALANCE": "1000000"}
    settings |= {} if honours_keys else {"SANDBOX_IGNORES_KEYS": "true"}
    (folder / "sandbox.json").write_text(json.dumps(settings))
    made = folder / "made"
    ports = json.loads(made.read_text()) if made.exists() else [0, 0]  # the gateway's row names its address
    with ExitStack() as stack:
        sandbox = launch(data=folder / "sandbox", port=ports[0], **settings)
        relay = stack.enter_context(relayed(sandbox.port, port=ports[1]))
        host = Host(_environment(folder, database, relay.port, variant) | (environment or {}), folder / "log")
        stack.callback(host.close)
        stage = Stage(folder, database, sandbox, relay, host)
        stack.callback(lambda: stage.sandbox.kill())
        if not made.exists():
            code = stage.run("setup", honours_keys=honours_keys, has_log=has_log, cap_micros=cap_micros)
            assert code == 0, stage.log()
            made.write_text(json.dumps([sandbox.port, relay.port]))
        yield stage


def _environment(folder: Path, database: Database, port: int, variant: str) -> dict[str, str]:
    for name in ("data/media", "data/tmp", "data/static"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    key = folder / "secret"
    if not key.exists():
        key.write_text(secrets.token_urlsafe(48))
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "DJANGO_SETTINGS_MODULE": "playground.settings",
        "PLAYGROUND_DATA": str(folder / "data"),
        "DATABASE_URL": database.url,
        "SECRET_KEY": key.read_text(),
        "PUBLIC_URL": "http://localhost:8000",
        # A gateway with real money, as far as the playground knows: its budgets count.
        "GATEWAY_BASE_URL": f"http://127.0.0.1:{port}/openai/v1",
        "GATEWAY_API_KEY": "bench-key",
        "GATEWAY_DIALECT": "lumenfall",
        "LUMENFALL_API_KEY": "",
        "MEDIA_STORAGE_URL": "",
        "LOG_LEVEL": "ERROR",
        "FAULTS_VARIANT": variant,
    }
