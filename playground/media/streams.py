"""Bodies of media answers: a bounded reader, and the number of them that may run at once.

Under WSGI each answer in progress holds a thread. Without a bound, slow viewers take all of them and the pages stop.
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import BinaryIO, Self

BLOCK_BYTES = 256 * 1024


class StreamSlots:
    """Counts the streams of this process. `take` never waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    def take(self, limit: int) -> bool:
        with self._lock:
            if self._taken >= limit:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        with self._lock:
            if self._taken <= 0:
                raise RuntimeError("a stream slot was given back twice")
            self._taken -= 1


class FileSlice:
    """Iterates over `length` bytes of an open file, then closes it and calls `on_close`, once.

    `on_start` runs before the first byte, in the thread that sends. Closing also happens when the server drops the
    answer half-way, or without ever starting it: servers call `close()`, and the finalizer is the last resort.
    Raises OSError when the file turns out shorter than promised, which breaks the connection off, since the
    Content-Length is already sent. So does ending early, once `may_go_on` says no, which is no fault and not logged.
    """

    def __init__(
        self,
        file: BinaryIO,
        length: int,
        *,
        on_start: Callable[[], None],
        on_close: Callable[[], None],
        block_size: int = BLOCK_BYTES,
        may_go_on: Callable[[], bool] | None = None,
    ) -> None:
        self._may_go_on = may_go_on
        self.block_size = block_size
        self._file = file
        self._left = length
        self._on_start: Callable[[], None] | None = on_start
        self._on_close: Callable[[], None] | None = on_close
        self._closing = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._on_start is not None:
            start, self._on_start = self._on_start, None
            start()
        if self._left <= 0:
            self.close()
            raise StopIteration
        if self._may_go_on is not None and not self._may_go_on():
            self.close()
            raise StopIteration
        block = self._file.read(min(self.block_size, self._left))
        if not block:
            self.close()
            raise OSError(f"the media file ended {self._left} bytes early")
        self._left -= len(block)
        return block

    def close(self) -> None:
        with self._closing:
            done, self._on_close = self._on_close, None
        if done is not None:
            try:
                self._file.close()
            finally:
                done()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
