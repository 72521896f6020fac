"""Where lines go: the terminal, with the service's name in front, and one log file per service."""

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

LOG_BYTES = 10 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
FILE_MODE = 0o640
_COLOURS = {"web": "36", "worker": "33", "sandbox": "35", "release": "34"}


def say(line: str, *, error: bool = False) -> None:
    """Prints a line of our own. A terminal that has gone away is no reason to stop: the log files are still written."""
    stream = sys.stderr if error else sys.stdout
    with contextlib.suppress(OSError, ValueError):
        stream.write(line + "\n")
        stream.flush()


def _opened(path: Path) -> BinaryIO:
    """For appending, readable to this user and group only, also one that was made more widely readable before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & ~FILE_MODE:
        with contextlib.suppress(PermissionError):  # another user's to change
            os.fchmod(descriptor, mode & FILE_MODE)
    return os.fdopen(descriptor, "ab", buffering=0)


class Output:
    """The lines of one service. The log file is moved to `<name>.log.1` when it has grown past `LOG_BYTES`."""

    def __init__(self, name: str, logs: Path) -> None:
        self.path = logs / f"{name}.log"
        label = f"{name:<8}| "
        coloured = sys.stdout.isatty()
        self._label = f"\x1b[{_COLOURS.get(name, '32')}m{label}\x1b[0m" if coloured else label
        self._partial = b""
        self._file: BinaryIO = _opened(self.path)
        self._size = self.path.stat().st_size

    def feed(self, data: bytes) -> None:
        lines = (self._partial + data).split(b"\n")
        self._partial = lines.pop()
        if len(self._partial) > _LONGEST_LINE:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._write(line)

    def close(self) -> None:
        if self._partial:
            self._write(self._partial)
            self._partial = b""
        self._file.close()

    def _write(self, line: bytes) -> None:
        say(self._label + line.decode("utf-8", "replace").rstrip("\r"))
        with contextlib.suppress(OSError):  # a full disk must not take the services down
            if self._size > LOG_BYTES:
                self._rotate()
            self._size += self._file.write(line + b"\n") or 0

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_suffix(".log.1"))
        self._file = _opened(self.path)
        self._size = 0
