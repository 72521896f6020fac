"""Renders clips in a process of their own: a codec crash ends that process, not the server, and the job is tried again.

The worker watches its parent and exits when the parent is gone, whatever killed it. (The kernel's parent-death signal
would fire when the thread that started the worker ends, which is far too early.)
"""

import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from .render import Clip, render

MAX_TRIES = 3
LET_GO_S = 1.0
log = logging.getLogger(__name__)
Done = Callable[[str, list[int], str], None]
"""Called with the job's id, the sizes of its files in bytes, and an error text or ""."""


def _exit_with_parent(parent: int) -> None:
    """`parent` is told, not asked: a parent that was killed while this process started is no longer to be seen."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()


def render_all(clips: list[Clip], folder: str) -> list[int]:
    """Runs in the worker: every clip of one job; returns their sizes in bytes."""
    return [render(clip, folder, name(index)) for index, clip in enumerate(clips)]


def name(index: int) -> str:
    return f"video-{index + 1}" if index else "video"


class Renderer:
    def __init__(self, done: Done, *, workers: int = 1) -> None:
        self.done, self.workers = done, workers
        self.lock = threading.RLock()
        self.closed = False
        self.pool = self._new_pool()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self.workers, mp_context=context, initializer=_exit_with_parent, initargs=(os.getpid(),)
        )

    def warm_up(self) -> None:
        """Start the worker now, so that the first job need not wait for its imports."""
        self._submit([], "").add_done_callback(lambda future: None)

    def start(self, job_id: str, clips: list[Clip], folder: str, tries: int = 1) -> None:
        """Render in the background; `done` is called once, from another thread."""
        future = self._submit(clips, folder)
        future.add_done_callback(lambda finished: self._finish(finished, job_id, clips, folder, tries))

    def _submit(self, clips: list[Clip], folder: str) -> "Future[list[int]]":
        with self.lock:
            try:
                return self.pool.submit(render_all, clips, folder)
            except BrokenProcessPool:
                self.pool = self._new_pool()  # a broken pool stays broken
                return self.pool.submit(render_all, clips, folder)

    def _finish(self, future: "Future[list[int]]", job_id: str, clips: list[Clip], folder: str, tries: int) -> None:
        if self.closed or future.cancelled():
            return
        error = future.exception()
        if isinstance(error, BrokenProcessPool) and tries < MAX_TRIES:
            log.warning("the render worker died; trying again")
            self.start(job_id, clips, folder, tries + 1)
        elif error is not None:
            log.error("render failed: %s", error)
            self.done(job_id, [], f"{type(error).__name__}: {error}")
        else:
            self.done(job_id, future.result(), "")

    def close(self) -> None:
        """End the worker at once, in the middle of a clip if need be; a restart renders it anew."""
        self.closed = True
        for child in multiprocessing.active_children():
            child.kill()
        # In a thread: a signal may have come while this very one holds the pool's lock.
        tidying = threading.Thread(target=self._let_go, daemon=True)
        tidying.start()
        tidying.join(LET_GO_S)

    def _let_go(self) -> None:
        """The pool's semaphores go with it; Python complains of those that a process leaves behind."""
        pool = self.__dict__.pop("pool", None)
        if pool is not None:
            pool.shutdown()
            del pool
            gc.collect()
