"""What a process that was taken over after `confine` may still do to files, to others and to the system: nothing."""

import ctypes
import io
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from playground.checks import pictures_are_decoded_behind_a_filter
from playground.media import decoding, few_calls, images
from tests.support.hostile import noise

ROOT = Path(__file__).resolve().parents[2]

HAS_FILTER = os.uname().machine in few_calls.CALLS and Path("/proc/sys/kernel/seccomp/actions_avail").exists()
HELD = pytest.mark.skipif(not HAS_FILTER, reason="this system has no filter of calls")

HEAD = """
import ctypes, json, os, resource, select, signal, socket, sys, time
from playground.media import decoder
folder, address, parent = sys.argv[1], int(sys.argv[2]), os.getppid()
own = os.open(folder + "/own", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
class Span(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("size", ctypes.c_size_t))
mine = ctypes.create_string_buffer(b"taken over", 32)
here, there = Span(ctypes.addressof(mine), 10), Span(address, 10)
numbers = resource.RLIMIT_NOFILE, (0, 0)
os.write(own, b"before")
"""

DONE = """
done, folder = [], folder.encode()
def tried(name, deed):
    try:
        answer = deed()
    except (OSError, ValueError):
        return
    if answer != -1:
        done.append(name)
def system(number, *rest):
    return libc.syscall(ctypes.c_long(number), *rest)
if has_limits:
    decoder.confine()
tried("stat", lambda: os.stat(folder + b"/kept"))
tried("open", lambda: libc.open(folder + b"/kept", os.O_RDWR))
tried("openat2", lambda: system(437, -100, folder + b"/kept", (ctypes.c_uint64 * 3)(), 24))
tried("unlink", lambda: os.unlink(folder + b"/to-delete"))
tried("unlinkat", lambda: os.unlink(folder + b"/to-delete-too", dir_fd=own))
tried("rmdir", lambda: os.rmdir(folder + b"/empty"))
tried("truncate", lambda: os.truncate(folder + b"/kept", 0))
tried("ftruncate", lambda: os.ftruncate(own, 2))
tried("rename", lambda: os.rename(folder + b"/to-rename", folder + b"/renamed"))
tried("link", lambda: os.link(folder + b"/kept", folder + b"/linked"))
tried("symlink", lambda: os.symlink("/etc/passwd", folder + b"/symbolic"))
tried("mkdir", lambda: os.mkdir(folder + b"/new"))
tried("mkfifo", lambda: os.mkfifo(folder + b"/fifo"))
tried("chmod", lambda: os.chmod(folder + b"/kept", 0o777))
tried("fchmod", lambda: os.fchmod(own, 0o777))
tried("chown", lambda: os.chown(folder + b"/kept", 65534, 65534))
tried("utime", lambda: os.utime(folder + b"/kept", (1, 1)))
tried("setxattr", lambda: os.setxattr(folder + b"/kept", "user.mark", b"1"))
tried("chdir", lambda: os.chdir(folder))
tried("list", lambda: os.listdir(folder))
tried("signal to the parent", lambda: os.kill(parent, signal.SIGUSR1))
tried("signal to a thread of it", lambda: libc.tgkill(parent, parent, signal.SIGUSR1))
tried("memory of the parent read", lambda: libc.process_vm_readv(
    parent, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
mine.value = b"taken over"
tried("memory of the parent written", lambda: libc.process_vm_writev(
    parent, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
tried("ptrace", lambda: libc.ptrace(ctypes.c_long(0x4206), ctypes.c_long(parent), None, None))
tried("pidfd", lambda: system(434, parent, 0))
tried("descriptor of the parent", lambda: system(438, own, 0, 0))
tried("priority of the parent", lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, 0)))
tried("limits of the parent", lambda: resource.prlimit(parent, resource.RLIMIT_CORE))
tried("own limits", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50)))
tried("socket", lambda: socket.socket())
tried("pipe", lambda: os.pipe())
tried("memory as a file", lambda: os.memfd_create("x"))
tried("io_uring", lambda: system(425, 1, (ctypes.c_char * 120)()))
tried("poll", lambda: select.select([], [], [], 0))
tried("fork", lambda: os.fork() or os._exit(0))
tried("user", lambda: os.setuid(os.getuid()))
tried("namespace", lambda: libc.unshare(0x10000000))
tried("new filter", lambda: libc.prctl(ctypes.c_int(38), *[ctypes.c_ulong(n) for n in (1, 0, 0, 0)]))
os.write(1, json.dumps(done).encode())
if has_limits:
    tried("program", lambda: os.execv("/bin/false", ["false"]))
os._exit(0)
"""
NEEDED = {
    "stat", "open", "unlink", "truncate", "ftruncate", "rename", "link", "symlink", "mkdir", "chmod", "fchmod", "list",
    "signal to the parent", "memory of the parent written", "socket", "pipe", "fork", "own limits",
}  # fmt: skip
"""Which of them are done by anybody without the filter, so that a deed that never works proves nothing."""


def told(folder: Path, memory: Any, *, has_limits: bool) -> list[str]:
    for name in ("kept", "to-delete", "to-delete-too", "to-rename", "own"):
        (folder / name).write_text("as it was")
    (folder / "empty").mkdir()
    program = f"{HEAD}\nhas_limits = {has_limits}\n{DONE}"
    asked = [sys.executable, "-c", program, str(folder), str(ctypes.addressof(memory))]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return list(json.loads(done.stdout))


def state(folder: Path) -> dict[str, Any]:
    return {
        path.name: (path.stat().st_mode, path.stat().st_nlink, path.is_dir() or path.read_bytes())
        for path in sorted(folder.iterdir())
    }


@pytest.fixture
def signalled() -> Any:
    """How often this process was signalled."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    yield heard
    signal.signal(signal.SIGUSR1, before)


@HELD
def test_who_takes_the_decoder_over_harms_no_file_and_no_process(tmp_path: Path, signalled: list[int]) -> None:
    memory = ctypes.create_string_buffer(b"a secret of the parent")
    assert told(tmp_path, memory, has_limits=True) == []
    assert memory.value == b"a secret of the parent"
    assert signalled == []
    names = ("kept", "to-delete", "to-delete-too", "to-rename")
    assert {name: (tmp_path / name).read_text() for name in names} == dict.fromkeys(names, "as it was")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "empty", "own"])
    assert (tmp_path / "own").read_text() == "beforewas"
    assert (tmp_path / "kept").stat().st_nlink == 1


@HELD
def test_the_same_deeds_succeed_where_nothing_was_given_up(tmp_path: Path, signalled: list[int]) -> None:
    memory = ctypes.create_string_buffer(b"a secret of the parent")
    assert set(told(tmp_path, memory, has_limits=False)) >= NEEDED - (
        {"memory of the parent written"} if _yama() else set()
    )
    assert not (tmp_path / "to-delete").exists()
    assert signalled


def _yama() -> bool:
    """A kernel on which processes do not reach each other's memory anyway."""
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    return scope.exists() and scope.read_text().strip() != "0" and os.getuid() != 0


def answer(steps: bytes, machine: int, number: int) -> int:
    """What the kernel would make of a call: the program run by hand."""
    program, data, held, place = list(few_calls.STEP.iter_unpack(steps)), struct.pack("=II", number, machine), 0, 0
    while True:
        what, skip, skip_not, value = program[place]
        place += 1
        if what == few_calls.ANSWER:
            return int(value)
        if what == few_calls.LOAD:
            held = struct.unpack_from("=I", data, value)[0]
        else:
            place += skip if held == value else skip_not


@pytest.mark.parametrize("machine", few_calls.CALLS)
def test_the_program_allows_what_is_listed_and_nothing_else(machine: str) -> None:
    steps, kind = few_calls.program(machine), few_calls.MACHINES[machine]
    listed = set(few_calls.CALLS[machine].values())
    assert {number for number in range(1024) if answer(steps, kind, number) == few_calls.ALLOW} == listed
    assert {answer(steps, kind, number) for number in range(1024)} == {few_calls.ALLOW, few_calls.REFUSE}
    assert answer(steps, kind, 0x40000000) == few_calls.REFUSE, "x32, whose numbers have one bit more"
    assert {answer(steps, other, number) for other in (0, 0x40000003) for number in listed} == {few_calls.END}


def test_the_same_calls_are_allowed_on_every_kind_of_machine() -> None:
    assert len({frozenset(calls) for calls in few_calls.CALLS.values()}) == 1


def test_machine_without_a_filter_is_said_and_decodes_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bool(pictures_are_decoded_behind_a_filter(None)) is not HAS_FILTER
    without = "import os; os.uname = lambda: type('Other', (), {'machine': 'riscv64'}); "
    run = "import runpy; runpy.run_module('playground.media.decoder', run_name='__main__')"
    monkeypatch.setattr(decoding, "COMMAND", (sys.executable, "-c", without + run))
    assert images.normalise(io.BytesIO(noise()), tmp_path / "out.jpg").width == 200
    (said,) = pictures_are_decoded_behind_a_filter(None)
    assert said.id == "playground.W004"
    assert "system calls" in said.msg


def test_a_decoder_that_does_not_work_is_an_error_of_another_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "COMMAND", ("/bin/false",))
    assert pictures_are_decoded_behind_a_filter(None) == []
