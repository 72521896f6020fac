"""What must hold whatever happens: one job for one key, nothing lost, nothing back in time, no orphans."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from playground.sandbox.workers import Renderer
from tests.sandbox_server import ROOT, SandboxServer, launch, start_sandbox


def children_of(pid: int) -> set[int]:
    """All living descendants of `pid`, read from /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found, front = set(), {pid}
    while front:
        front = {child for child, parent in parents.items() if parent in front} - found
        found |= front
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def test_same_key_at_the_same_time_makes_one_job(lumenfall: SandboxServer) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: lumenfall.create(model="p-video", idempotency_key="race"), range(24)))
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 23 + [202]
    assert len([charge for charge in lumenfall.charges() if charge["idempotency_key"] == "race"]) == 1


def test_replay_gives_the_first_job_even_for_another_body(lumenfall: SandboxServer) -> None:
    first = lumenfall.create(idempotency_key="again")
    done = lumenfall.wait(first.json["id"])
    again = lumenfall.create(idempotency_key="again", prompt="Something else")
    assert (again.status, again.json) == (200, done)


def test_keys_belong_to_an_account() -> None:
    with start_sandbox(SANDBOX_API_KEYS="alpha, beta") as server:
        body = {"prompt": "x", "model": "mock-video", "idempotency_key": "shared"}
        one = server.request("POST", "/videos", body, key="alpha")
        two = server.request("POST", "/videos", body, key="beta")
        assert (one.status, two.status) == (202, 202)
        assert one.json["id"] != two.json["id"]
        assert server.request("GET", f"/videos/{one.json['id']}", key="beta").status == 404
        assert server.request("GET", "/models", key="gamma").status == 401
        assert "alpha" not in (server.data / "requests.jsonl").read_text()


def test_states_follow_the_clock_and_never_go_back() -> None:
    with start_sandbox(job_seconds="1.5-2") as server:
        video, seen = server.create().json, []
        deadline = time.monotonic() + 30
        while not seen or seen[-1] != "completed":
            status = server.request("GET", f"/videos/{video['id']}").json["status"]
            seen += [status] if not seen or seen[-1] != status else []
            assert time.monotonic() < deadline
        assert seen == ["queued", "in_progress", "completed"]
        done = server.request("GET", f"/videos/{video['id']}").json
        with closing(sqlite3.connect(server.data / "sandbox.sqlite3")) as rows:
            created_at, due_at, rendered_at = rows.execute("SELECT created_at, due_at, rendered_at FROM job").fetchone()
        assert 1.5 <= due_at - created_at <= 2
        assert done["completed_at"] == int(max(due_at, rendered_at))  # not when somebody asked


def test_a_link_ends_when_its_time_is_up() -> None:
    with start_sandbox(SANDBOX_EXPIRES_SECONDS="5") as server:
        url = server.wait(server.create().json["id"])["output"]["url"]
        assert server.request("GET", url, key=None).status == 200
        until(lambda: server.request("GET", url, key=None).status == 410)


def test_a_body_above_the_limit_is_413() -> None:
    with start_sandbox(SANDBOX_MAX_BODY_MB="0.1") as server:
        answer = server.create(prompt="x" * 200_000)
        assert (answer.status, answer.json["error"]["type"]) == (413, "invalid_request_error")


def test_kill_9_loses_no_accepted_job_and_charges_none_twice(tmp_path: Path) -> None:
    server = launch(data=tmp_path)
    ids = [server.create(model="p-video", seconds=2, idempotency_key=f"k{i}").json["id"] for i in range(4)]
    server.kill()  # with renders under way
    server = launch(data=tmp_path)
    try:
        assert [server.create(model="p-video", seconds=2, idempotency_key=f"k{i}").json["id"] for i in range(4)] == ids
        for video_id in ids:
            video = server.wait(video_id)
            assert video["status"] == "completed"
            assert server.request("GET", video["output"]["url"], key=None).status == 200
        assert [charge["job_id"] for charge in server.charges()] == ids
        assert {charge["micros"] for charge in server.charges()} == {40_000}
    finally:
        server.kill()


def test_a_finished_job_stays_the_same_after_a_restart(tmp_path: Path) -> None:
    server = launch(data=tmp_path)
    before = server.wait(server.create(model="p-video").json["id"])
    assert server.stop() == 0
    server = launch(data=tmp_path, port=server.port)
    try:
        assert server.request("GET", f"/videos/{before['id']}").json == before
        assert server.request("GET", before["output"]["url"], key=None).status == 200
    finally:
        server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("busy", [True, False])
def test_the_end_of_the_server_leaves_no_process(tmp_path: Path, number: int, busy: bool) -> None:
    server = launch(data=tmp_path)
    server.wait(server.create().json["id"])  # so that a worker surely exists
    if busy:
        server.create(model="sora-2", seconds=20, size="1280x720")
    children = children_of(server.process.pid)
    assert children
    server.process.send_signal(number)
    server.process.wait(timeout=2)
    until(lambda: not any(alive(pid) for pid in children), 2)
    assert server.process.returncode == (0 if number != signal.SIGKILL else -9)
    if number != signal.SIGKILL:
        assert not [line for line in server.log if "leaked" in line]


def test_a_signal_in_the_middle_of_a_start_does_not_hang_the_end() -> None:
    """The handler runs in the thread that holds the pool's lock; a second signal finds the pool gone."""
    renderer = Renderer(lambda *_: None)
    with renderer.pool._shutdown_lock:
        began = time.monotonic()
        renderer.close()
        assert time.monotonic() - began < 5
    renderer.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_while_the_render_worker_starts_leaves_no_process(tmp_path: Path, number: int) -> None:
    server = launch(data=tmp_path)
    until(lambda: any(b"spawn_main" in command_of(pid) for pid in children_of(server.process.pid)))
    children = children_of(server.process.pid)
    server.process.send_signal(number)  # the worker is importing and does not watch anyone yet
    server.process.wait(timeout=2)
    until(lambda: not any(alive(pid) for pid in children))


def test_manage_command_serves_and_dies_with_its_parent(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, 'manage.py', 'sandbox', '--port', '0', '--data', sys.argv[1]])\n"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        lines = [parent.stdout.readline(), parent.stdout.readline()]
        pid = next(int(line) for line in lines if line.strip().isdigit())
        assert any(line.startswith("Sandbox ready: http://127.0.0.1:") for line in lines), lines
        tree = {pid, *children_of(pid)}
        parent.kill()
        parent.wait(timeout=5)
        until(lambda: not any(alive(one) for one in tree), 2)


def test_a_dead_render_worker_is_replaced(tmp_path: Path) -> None:
    server = launch(data=tmp_path)
    try:
        server.wait(server.create().json["id"])
        video = server.create(model="p-video", seconds=10).json
        for pid in children_of(server.process.pid):
            if b"spawn_main" in command_of(pid):
                os.kill(pid, signal.SIGKILL)
        assert server.wait(video["id"])["status"] == "completed"
    finally:
        server.kill()


def test_a_taken_port_and_a_taken_folder_are_one_clear_line(lumenfall: SandboxServer, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="another sandbox is using"):
        launch(data=lumenfall.data)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RuntimeError, match=r"Sandbox cannot listen on 127\.0\.0\.1:\d+: .*in use"):
            launch(data=tmp_path, port=taken.getsockname()[1])
    with pytest.raises(RuntimeError, match="not a range of seconds: '15-10'"):
        launch(data=tmp_path, job_seconds="15-10")


def test_prompts_are_readable_to_the_user_and_group_only() -> None:
    before = os.umask(0o022)
    try:
        with start_sandbox() as server:
            server.wait(server.create().json["id"], "completed")
            modes = {path.name: path.stat().st_mode & 0o777 for path in [server.data, *server.data.rglob("*")]}
    finally:
        os.umask(before)
    assert {"sandbox.sqlite3", "requests.jsonl", "lock"} <= set(modes)
    assert {name for name, mode in modes.items() if mode & 0o027 and name != server.data.name} == set()
