"""Has a picture decoded by a child process (decoder.py), which may crash, hang or eat memory: it alone ends.

Each picture gets a child of its own, so that nothing of one person's picture can reach another's. It is started
without a fork of this process's memory, which has many threads, and with nothing of its environment, which has
secrets. Starting costs some 50 ms. One picture at a time is decoded in a process; meanwhile the others wait.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from playground.media.picture_limits import WALL_S

AT_ONCE = 1
WAIT_S = 60.0
"""Until one who waits for those before is told to come again."""
ANSWER_BYTES = 4096
ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-E", "-s", "-m", "playground.media.decoder")
KEPT = ("LD_LIBRARY_PATH", "SYSTEMROOT")
"""Where libraries of Python and Pillow are looked for, on systems that say it so."""

Answer = dict[str, Any]


class Failed(Exception):
    """There is no picture. `code` says why.

    By the picture: crashed, too_slow (its processor time), too_much_memory. By us: busy, not_started, late (the wall
    clock), odd (an answer that is none), fault.
    """

    by_picture = frozenset({"crashed", "too_slow", "too_much_memory"})

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(f"{code}: {why}" if why else code)
        self.code, self.why = code, why

    @property
    def is_ours(self) -> bool:
        return self.code not in self.by_picture


_turns = threading.BoundedSemaphore(AT_ONCE)


def _renew_turns() -> None:
    """A forked process has no thread that would give a turn back."""
    global _turns
    _turns = threading.BoundedSemaphore(AT_ONCE)


os.register_at_fork(after_in_child=_renew_turns)


@contextmanager
def _turn() -> Iterator[None]:
    turns = _turns
    if not turns.acquire(timeout=WAIT_S):
        raise Failed("busy", "others before")
    try:
        yield
    finally:
        turns.release()


def decode(source: BinaryIO, asked: Mapping[str, Any], *, out: Path, thumb: Path | None) -> Answer:
    """What the child says of the file `source` and, where its `code` is empty, `out` and `thumb` written anew.

    Neither is there after anything else. Raises Failed. Waits for the pictures before it.
    """
    places = [path for path in (out, thumb) if path is not None]
    is_done = False
    try:
        with _turn(), ExitStack() as files:
            opened = [files.enter_context(path.open("wb")).fileno() for path in places]
            numbers = {"out": opened[0], "thumb": opened[1] if thumb else None}
            answer = _run(source, json.dumps({**asked, **numbers}), opened)
        is_done = answer.get("code") == ""
    finally:
        if not is_done:
            for path in places:
                path.unlink(missing_ok=True)
    return answer


def _run(source: BinaryIO, asked: str, opened: Sequence[int]) -> Answer:
    environment = {"LC_ALL": "C.UTF-8"} | {name: os.environ[name] for name in KEPT if name in os.environ}
    os.lseek(source.fileno(), 0, os.SEEK_SET)
    try:
        child = subprocess.Popen(
            [*COMMAND, asked],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=opened,
            cwd=ROOT,
            env=environment,
        )
    except OSError as error:
        raise Failed("not_started", type(error).__name__) from error
    with child:
        try:
            told = _told(child)
        except Failed:
            child.kill()
            raise
    return _judged(told, child.returncode)


def _told(child: subprocess.Popen[bytes]) -> bytes:
    """All that it says, until it says no more. Raises Failed for one that talks for too long, in time or words."""
    ends_at = time.monotonic() + WALL_S
    told = b""
    assert child.stdout is not None
    with selectors.DefaultSelector() as ready:
        ready.register(child.stdout, selectors.EVENT_READ)
        while len(told) <= ANSWER_BYTES:
            if not ready.select(max(0.0, ends_at - time.monotonic())):
                raise Failed("late")
            block = os.read(child.stdout.fileno(), ANSWER_BYTES)
            if not block:
                return _ended(child, told, ends_at)
            told += block
    raise Failed("odd", "too many words")


def _ended(child: subprocess.Popen[bytes], told: bytes, ends_at: float) -> bytes:
    """It may have closed its mouth and go on."""
    try:
        child.wait(max(0.01, ends_at - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise Failed("late") from None
    return told


def _judged(told: bytes, status: int) -> Answer:
    if status == -signal.SIGXCPU:
        raise Failed("too_slow")
    if status < 0:
        raise Failed("crashed", signal.Signals(-status).name)
    if status:
        raise Failed("fault", f"exit {status}")
    try:
        answer = json.loads(told)
    except ValueError:
        raise Failed("odd", "no JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("code"), str):
        raise Failed("odd", "no answer")
    if answer["code"] == "too_much_memory":
        raise Failed("too_much_memory")
    return answer
