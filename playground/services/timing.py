"""When a row is looked at again."""

import random
from datetime import datetime, timedelta

from playground.domain.status import LATE_SUCCESS
from playground.models import Generation

WATCHED_FOR = timedelta(seconds=20)
WATCHED_S, FLOOR_S, CEILING_S = 1.0, 5.0, 20.0


def interval_s(generation: Generation, *, now: datetime) -> float:
    """Seconds until the next question: 1 while somebody watches, else 5 growing with age to 20, with a little jitter.

    A row fresh from the button counts as watched. A stopped or given-up one is asked for ever more rarely for a day.
    """
    if generation.state in LATE_SUCCESS:
        age = (now - (generation.ended_at or now)).total_seconds()
        return min(max(30.0, age / 4), 3600.0)
    if now - (generation.viewed_at or generation.created_at) < WATCHED_FOR:
        return WATCHED_S
    age = (now - (generation.submitted_at or generation.created_at)).total_seconds()
    return min(CEILING_S, max(FLOOR_S, age / 20)) * random.uniform(0.95, 1.05)  # noqa: S311  jitter, not a secret
