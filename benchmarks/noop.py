"""The queue's cheapest task: says when it was started. The reference of enqueue_to_submit."""

import time
from pathlib import Path


def started(mark: str) -> None:
    """Leaves the moment, in nanoseconds since 1970, in the file `mark`. It appears whole or not at all."""
    new = Path(f"{mark}.new")
    new.write_text(str(time.time_ns()))
    new.rename(mark)
