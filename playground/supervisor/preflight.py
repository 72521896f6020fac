"""What must hold before anything is started. Each failure is one line that names the variable to change."""

import errno
import fcntl
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import IO

from playground.supervisor.procfile import StartError


def check_data_dir(data_dir: Path) -> None:
    """Makes the data folder with its log folder and proves that a file can be written there."""
    try:
        data_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        (data_dir / "logs").mkdir(mode=0o750, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        raise StartError(f"PLAYGROUND_DATA: cannot write to {data_dir}: {error.strerror}") from error


def check_port(*, variable: str, host: str, port: int) -> None:
    """Binds the address once, the way a server does, and lets it go."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise StartError(f"HOST: {host!r} is not an address of this machine: {error.strerror}") from error
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                other = port + 10 if port < 65000 else port - 10
                hint = f"Stop the program that uses it, or choose another: {variable}={other} ./scripts/up"
                raise StartError(f"{variable}: port {port} is in use. {hint}") from error
            raise StartError(f"{variable}: cannot listen on {host}:{port}: {error.strerror}") from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _owner(lock: IO[str]) -> int:
    lock.seek(0)
    text = lock.read().strip()
    return int(text) if text.isdigit() else 0


def hold_lock(data_dir: Path, *, patience: float = 12.0) -> IO[str]:
    """Takes the folder for this process and those it forks; the lock goes when the last of them ends, however it ends.

    The lock of an owner that was killed is waited for: its keeper is just ending the rest.
    """
    lock = (data_dir / "up.lock").open("a+", encoding="ascii")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            owner = _owner(lock)
            if not owner or _alive(owner) or time.monotonic() > deadline:
                lock.close()
                named = f" (process {owner})" if owner else ""
                raise StartError(
                    f"PLAYGROUND_DATA: a playground is running on {data_dir} already{named}. Stop it first."
                ) from None
            time.sleep(0.1)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
