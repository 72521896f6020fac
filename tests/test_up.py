"""`up` with the product's own processes. What needs no product is tested faster in tests/supervisor."""

import os
import re
import runpy
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import django
import pytest

from tests.support.installation import Installation
from tests.support.processes import command_line, wait_until

pytestmark = pytest.mark.journey


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    made: list[Installation] = []

    def make(name: str = "one", **variables: str) -> Installation:
        made.append(Installation(tmp_path / name, **variables))
        return made[-1]

    yield make
    for installation in made:
        installation.remove()


def leader(up: Installation, words: str) -> int:
    """The oldest process of the installation whose command line holds these words."""
    return min(pid for pid in up.processes() if words in command_line(pid))


def status(url: str) -> int:
    with urlopen(url, timeout=10) as answer:
        return int(answer.status)


def test_up_leads_to_a_ready_page_and_sigterm_ends_every_process(install: Callable[..., Installation]) -> None:
    up = install().start().ready()
    assert f"Playground ready: http://localhost:{up.port}/\n" in up.text
    assert status(f"{up.url}/readyz") == 200
    assert status(f"http://127.0.0.1:{up.sandbox_port}/healthz") == 200
    link = re.search(rf"First admin: (http://localhost:{up.port}/\S+)", up.text)
    assert link
    assert status(link[1]) == 200
    assert up.stop() == 0
    assert not up.processes()


def test_a_second_start_keeps_the_data_and_prepares_nothing_anew(install: Callable[..., Installation]) -> None:
    up = install().start().ready()
    up.stop()
    stamps = [Path(up.environment["PLAYGROUND_DATA"]) / f"{name}.stamp" for name in ("prepared", "static")]
    before = [stamp.stat().st_mtime_ns for stamp in stamps]
    up.start().ready()
    assert [stamp.stat().st_mtime_ns for stamp in stamps] == before
    assert status(f"{up.url}/readyz") == 200


def test_kill_9_of_the_parent_leaves_nothing_running(install: Callable[..., Installation]) -> None:
    up = install().prepared().start().ready()
    assert up.process
    wait_until(lambda: len(up.processes()) > 12, what="the workers of web and cluster")
    up.process.kill()
    up.exit_code()
    wait_until(lambda: not up.processes(), within=15, what="every process gone")


def test_a_killed_service_comes_back_by_itself(install: Callable[..., Installation]) -> None:
    up = install().prepared().start().ready()
    for times, words in enumerate(("granian asgi", "manage.py worker", "playground.sandbox"), start=1):
        old = up.processes()
        os.kill(leader(up, words), signal.SIGKILL)
        wait_until(partial(_says, up, times), what=f"the line that says so of {words}")
        wait_until(partial(_runs, up, words, old), what=f"{words} started again")
        wait_until(partial(_answers, up), what=f"answering again after {words}")
    assert up.stop() == 0
    assert not up.processes()


def _says(up: Installation, times: int) -> bool:
    return up.text.count("ended with SIGKILL; starting it again") == times


def _runs(up: Installation, words: str, old: set[int]) -> bool:
    return any(words in command_line(pid) for pid in up.processes() - old)


def _answers(up: Installation) -> bool:
    try:
        return status(f"{up.url}/readyz") == 200 and status(f"http://127.0.0.1:{up.sandbox_port}/healthz") == 200
    except OSError:
        return False


def test_a_slow_client_does_not_hold_up_the_stop(install: Callable[..., Installation]) -> None:
    up = install().prepared().start().ready()
    with socket.create_connection(("127.0.0.1", up.port)) as client:
        client.sendall(b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nslow")
        assert up.stop() == 0
    assert not up.processes()


def test_another_gateway_starts_no_sandbox(install: Callable[..., Installation]) -> None:
    up = (
        install(GATEWAY_BASE_URL="http://127.0.0.1:9/v1", GATEWAY_API_KEY="k", GATEWAY_DIALECT="openai")
        .prepared()
        .start()
        .ready()
    )
    assert not [pid for pid in up.processes() if "playground.sandbox" in command_line(pid)]


@pytest.mark.parametrize("variable", ["PORT", "SANDBOX_PORT"])
def test_a_port_in_use_is_one_line(install: Callable[..., Installation], variable: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        up = install(**{variable: str(port)}).start()
        assert up.exit_code(30) == 1
    assert up.text.startswith(f"up: {variable}: port {port} is in use.")
    assert up.text.count("\n") == 1


def test_an_unwritable_data_folder_is_one_line(install: Callable[..., Installation], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    up = install(PLAYGROUND_DATA=str(tmp_path / "file" / "data")).start()
    assert up.exit_code(30) == 1
    assert up.text.startswith("up: PLAYGROUND_DATA: cannot write to")
    assert up.text.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "eighty"),
        ("PUBLIC_URL", "videos.example"),
        ("SECRET_KEY", "short"),
        ("GATEWAY_DIALECT", "klingon"),
        ("GATEWAY_HONOURS", "keys"),
    ],
)
def test_a_broken_setting_is_one_line_that_names_it(
    install: Callable[..., Installation], variable: str, value: str
) -> None:
    up = install(**{variable: value}).start()
    assert up.exit_code(30) == 1
    assert variable in up.text
    assert up.text.count("\n") == 1, up.text


def test_ctrl_c_while_it_starts_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(django, "setup", interrupted)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("playground.supervisor", run_name="__main__")
    assert ended.value.code == 128 + signal.SIGINT
