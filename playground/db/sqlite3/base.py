"""Django's SQLite backend with a fair queue for writers.

SQLite's busy handler sleeps and retries, so under load one writer may starve for seconds while others come and go: the
sweep got 1 to 4 of 20 write slots. A lock file taken with `flock` before `BEGIN IMMEDIATE` and let go after
the transaction ends makes the wait fair between all processes of one machine, which WAL is limited to anyway: 20 of 20.

Single statements outside a transaction do not take it: they are short, and SQLite's own 20 s timeout covers them.
"""

import contextlib
import fcntl
import os
import stat
import time
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

LOOK_EVERY_S = 0.002
FILE_MODE = 0o640


def _lock(descriptor: int, *, seconds: float) -> None:
    """Take the lock within `seconds`, or raise OperationalError as SQLite itself would: a frozen holder freezes nobody.

    Looking every two milliseconds is near enough to a queue; SQLite's own waits grow to a tenth of a second, and that
    is what starves a writer.
    """
    ends_at = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= ends_at:
                raise OperationalError("database is locked: another writer holds the lock file") from None
            time.sleep(LOOK_EVERY_S)
        else:
            return


def _keep_private(name: str) -> None:
    """Nobody but this user and group reads the rows of a database that was made more widely readable elsewhere.

    What is made here is private by the process's umask. The file is never opened here: closing it would take the locks
    of this process's other connections away.
    """
    for path in (name, f"{name}-wal", f"{name}-shm"):
        with contextlib.suppress(FileNotFoundError, PermissionError):  # gone again, or another user's to change
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if mode & ~FILE_MODE:
                os.chmod(path, mode & FILE_MODE)


class DatabaseWrapper(base.DatabaseWrapper):
    """`ENGINE = "playground.db.sqlite3"`. Behaves as Django's own, with the lock file beside the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lock_fd: int | None = None

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        if not self.is_in_memory_db():
            _keep_private(str(self.settings_dict["NAME"]))
        return super().get_new_connection(conn_params)

    @property
    def _lock_path(self) -> str | None:
        name = str(self.settings_dict["NAME"])
        return None if self.is_in_memory_db() else f"{name}.lock"

    def _start_transaction_under_autocommit(self) -> None:
        self._take_lock()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._free_lock()
            raise

    def _take_lock(self) -> None:
        path = self._lock_path
        if path is None or self._lock_fd is not None:
            return
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            _lock(descriptor, seconds=float(self.settings_dict["OPTIONS"].get("timeout", 5.0)))
        except BaseException:
            os.close(descriptor)
            raise
        self._lock_fd = descriptor

    def _free_lock(self) -> None:
        if self._lock_fd is not None:
            descriptor, self._lock_fd = self._lock_fd, None
            os.close(descriptor)

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self._free_lock_when_idle()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._free_lock_when_idle()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._free_lock()

    def _free_lock_when_idle(self) -> None:
        """A COMMIT that failed with "busy" leaves the transaction open; only then the lock is kept."""
        if self.connection is None or not self.connection.in_transaction:
            self._free_lock()
