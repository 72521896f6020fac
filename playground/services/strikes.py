"""A count of bad requests by sender, in this process: it costs no write, which is what it protects."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class Strikes:
    """At most `limit` in `seconds` for each sender, of whom the latest `senders` are remembered."""

    def __init__(
        self, limit: int, seconds: float, *, senders: int = 1000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.seconds, self.senders, self.clock = limit, seconds, senders, clock
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, sender: str) -> None:
        with self._lock:
            began, count = self._current(sender)
            self._counts[sender] = began, count + 1
            self._counts.move_to_end(sender)
            while len(self._counts) > self.senders:
                self._counts.popitem(last=False)

    def wait_s(self, sender: str) -> int:
        """Seconds until this sender is heard again; 0: now."""
        with self._lock:
            began, count = self._current(sender)
        return max(1, round(began + self.seconds - self.clock())) if count >= self.limit else 0

    def forget(self) -> None:
        with self._lock:
            self._counts.clear()

    def _current(self, sender: str) -> tuple[float, int]:
        began, count = self._counts.get(sender, (self.clock(), 0))
        return (began, count) if self.clock() < began + self.seconds else (self.clock(), 0)
