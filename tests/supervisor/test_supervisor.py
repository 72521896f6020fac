"""The supervisor over small real processes; tests/test_up.py does the same with the product's own."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.processes import command_line, free_port, marked, wait_until

pytestmark = pytest.mark.journey

ROOT = Path(__file__).resolve().parents[2]
STANDIN = "python -m tests.supervisor.standin"
PROCFILE = f"""
# a comment
release: echo prepared && true
web: {STANDIN} ${{PORT:-1}}
worker: {STANDIN} 0
sandbox: {STANDIN} ${{SANDBOX_PORT:-1}} --detach
"""
IGNORING = "\n".join(f"{line} --ignore-term" if "standin" in line else line for line in PROCFILE.splitlines())


class Up:
    """One run of the supervisor. Its processes are known by a mark in their environment."""

    def __init__(self, folder: Path, procfile: str = PROCFILE, port: int | None = None) -> None:
        self.mark = f"MARK={uuid.uuid4()}"
        self.port = port or free_port()
        self.sandbox_port = free_port()
        self.data = folder / "data"
        path = folder / "Procfile"
        path.write_text(procfile)
        self.out = folder / f"out-{uuid.uuid4()}"
        arguments = [path, self.data, self.port, self.sandbox_port]
        with self.out.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.run", *map(str, arguments)],
                cwd=ROOT,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | dict([self.mark.split("=")]),
            )

    @property
    def text(self) -> str:
        return self.out.read_text()

    def ready(self) -> "Up":
        wait_until(lambda: "Playground ready" in self.text or self.process.poll() is not None, what="ready")
        assert "Playground ready" in self.text, self.text
        # guard and keeper; each service with its child
        wait_until(lambda: len(marked(self.mark)) == 2 + 3 * 2, what="all processes")
        return self

    def leader(self, service: str) -> int:
        """The first process of a service, by the first argument of its stand-in."""
        port = {"web": self.port, "worker": 0, "sandbox": self.sandbox_port}[service]
        return next(p for p in marked(self.mark) if re.search(rf"standin {port}\b", command_line(p)))

    def wait_gone(self) -> None:
        wait_until(lambda: not marked(self.mark), within=15, what="every process gone")

    def clean_up(self) -> None:
        for pid in marked(self.mark):
            with suppress(ProcessLookupError):  # it may end by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def runs() -> Iterator[list[Up]]:
    made: list[Up] = []
    yield made
    for run in made:
        run.clean_up()


def start(runs: list[Up], folder: Path, **options: object) -> Up:
    runs.append(Up(folder, **options))  # type: ignore[arg-type]
    return runs[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_every_process_with_exit_code_0(number: int, tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    up.process.send_signal(number)
    assert up.process.wait(10) == 0, up.text
    assert not marked(up.mark)


@pytest.mark.parametrize("victim", ["guard", "keeper"])
def test_killing_either_guardian_leaves_nothing_running(victim: str, tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    guard = up.process.pid
    keeper = next(p for p in marked(up.mark) if "tests.supervisor.run" in command_line(p) and p != guard)
    os.kill(guard if victim == "guard" else keeper, signal.SIGKILL)
    up.process.wait(10)
    up.wait_gone()


def test_killing_both_guardians_ends_the_services_through_the_kernel(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    for pid in [p for p in marked(up.mark) if "tests.supervisor.run" in command_line(p)]:
        os.kill(pid, signal.SIGKILL)
    up.process.wait(10)
    up.wait_gone()


def test_a_service_that_ignores_sigterm_is_killed_within_ten_seconds(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path, procfile=IGNORING).ready()
    up.process.terminate()
    assert up.process.wait(10) == 0
    assert not marked(up.mark)
    assert "web did not stop in time and is killed" in up.text


def test_a_second_ctrl_c_ends_the_patience(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path, procfile=IGNORING).ready()
    up.process.send_signal(signal.SIGINT)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(10) == 0
    assert not marked(up.mark)


@pytest.mark.parametrize("service", ["web", "worker", "sandbox"])
def test_a_killed_service_is_started_again_and_its_children_are_gone(
    service: str, tmp_path: Path, runs: list[Up]
) -> None:
    up = start(runs, tmp_path).ready()
    number = len(marked(up.mark))
    old = up.leader(service)
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: f"{service} ended with SIGKILL; starting it again in 0.5 s" in up.text, what="the line")
    wait_until(lambda: len(marked(up.mark)) == number and old not in marked(up.mark), what="started again")


def test_a_service_that_cannot_live_stops_everything_with_exit_code_1(tmp_path: Path, runs: list[Up]) -> None:
    sick = tmp_path / "sick"
    up = start(runs, tmp_path, procfile=PROCFILE.replace("standin 0", f"standin 0 --die-while {sick}")).ready()
    sick.touch()
    os.kill(up.leader("worker"), signal.SIGKILL)
    assert up.process.wait(30) == 1
    assert not marked(up.mark)
    assert "worker ended 4 times within a minute, the last time with exit code 7" in up.text
    assert "cannot live" in (up.data / "logs" / "worker.log").read_text()


def test_a_failing_release_line_starts_nothing(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path, procfile=PROCFILE.replace("&& true", "&& exit 3"))
    assert up.process.wait(10) == 1
    assert "Preparing failed (exit code 3)" in up.text
    assert "listens" not in up.text


def test_lines_carry_the_name_of_the_service_and_are_kept_in_its_log(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    assert "release | prepared\n" in up.text
    assert "web     | stand-in " in up.text
    assert "listens" in (up.data / "logs" / "web.log").read_text()


def test_a_second_start_on_the_same_data_is_refused(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    second = start(runs, tmp_path)
    assert second.process.wait(10) == 1
    named = f"{up.data} already (process {up.process.pid})"
    assert second.text == f"up: PLAYGROUND_DATA: a playground is running on {named}. Stop it first.\n"


def test_a_start_right_after_a_kill_waits_for_the_rest_to_end(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    up.process.kill()
    up.process.wait(10)
    second = start(runs, tmp_path, port=up.port).ready()
    assert not marked(up.mark)
    assert marked(second.mark)


def test_a_port_in_use_is_one_line(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path).ready()
    other = tmp_path / "other"
    other.mkdir()
    second = start(runs, other, port=up.port)
    assert second.process.wait(10) == 1
    assert second.text.startswith(f"up: PORT: port {up.port} is in use.")
    assert second.text.count("\n") == 1


def test_an_unwritable_data_folder_is_one_line(tmp_path: Path, runs: list[Up]) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    up = start(runs, tmp_path)
    assert up.process.wait(10) == 1
    assert up.text.startswith(f"up: PLAYGROUND_DATA: cannot write to {up.data}")
    assert up.text.count("\n") == 1


def test_a_broken_procfile_names_its_line(tmp_path: Path, runs: list[Up]) -> None:
    up = start(runs, tmp_path, procfile="web granian\n")
    assert up.process.wait(10) == 1
    assert "line 1: expected `name: command`" in up.text
