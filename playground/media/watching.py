"""Whether a file that is being sent may go on: who may see it can change while a slow reader takes it."""

import time
from collections.abc import Callable

import structlog

from playground.media.serve import release_connections

log = structlog.get_logger(__name__)

LOOK_AGAIN_S = 2.0


class Watch:
    """Asked before each block, in the sending thread. Looks now and then, and gives its database connection back."""

    def __init__(self, look: Callable[[], bool], **told: str) -> None:
        """`told` is what the log says of a file that was broken off."""
        self._look, self._told = look, told
        self._look_at = time.monotonic() + LOOK_AGAIN_S

    def __call__(self) -> bool:
        if time.monotonic() < self._look_at:
            return True
        try:
            may = self._look()
        finally:
            release_connections()
            self._look_at = time.monotonic() + LOOK_AGAIN_S
        if not may:
            log.info("file_broken_off", **self._told)
        return may
