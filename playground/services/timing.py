"""When a row is looked at again: by its progress, by how long its model usually takes, else by its age."""

import random
from datetime import datetime, timedelta
from math import ceil

from playground.domain import waits
from playground.domain.status import LATE_SUCCESS
from playground.models import Generation
from playground.services import history, pace

WATCHED_FOR = timedelta(seconds=20)
WATCHED_S, WATCHED_CEILING_S = 1.0, 5.0
FLOOR_S, CEILING_S = 5.0, 20.0
LATE_LEAST_S, LATE_MOST_S = 30.0, 3600.0
"""Between two questions about an order that was stopped or given up."""


def interval_s(generation: Generation, *, now: datetime, progress: int | None = None) -> float:
    """Seconds until the next question, with a little jitter: 1 to 5 while somebody watches, else 5 to 20.

    Between these it is what the history of the model says, or half of what is left by a `progress` that moved. While
    the gateway's rate cap does not allow as much, rows that nobody watches wait longer, up to `pace.SLOWEST_S`. A row
    fresh from the button counts as watched, and so does one that was asked to stop. A stopped or given-up one is asked
    for ever more rarely for a day.
    """
    if generation.state in LATE_SUCCESS:
        age = (now - (generation.ended_at or now)).total_seconds()
        return min(max(LATE_LEAST_S, age / 4), LATE_MOST_S)
    watched = _is_watched(generation, now=now)
    least, most = (WATCHED_S, WATCHED_CEILING_S) if watched else (FLOOR_S, CEILING_S)
    own = min(most, max(least, _wanted_s(generation, watched=watched, progress=progress, now=now)))
    own = min(most, max(least, own * _jitter()))
    paced = pace.of(generation.gateway_id)
    paced.note_interval(own)
    return own if watched else paced.stretched(own)


def _is_watched(generation: Generation, *, now: datetime) -> bool:
    if generation.stop_requested_at and now - generation.stop_requested_at < WATCHED_FOR:
        return True
    return now - (generation.viewed_at or generation.created_at) < WATCHED_FOR


def _wanted_s(generation: Generation, *, watched: bool, progress: int | None, now: datetime) -> float:
    age = (now - (generation.submitted_at or generation.created_at)).total_seconds()
    if progress is not None and generation.progress is not None and 0 < generation.progress < progress < 100:
        moving_since = generation.started_at or generation.submitted_at or generation.created_at
        return waits.half_eta_s(progress, (now - moving_since).total_seconds())
    known = history.curve(generation.model_id)
    by_history = waits.hazard_s(known, age)
    if by_history is not None:
        return by_history
    return WATCHED_S if watched and not known else waits.by_age_s(age)


def _jitter() -> float:
    return random.uniform(0.95, 1.05)  # noqa: S311  jitter, not a secret


def coarse(seconds: float) -> float:
    """Rounded up, to tenths below five seconds and to halves above: the fewer values, the fewer statements."""
    step = 0.1 if seconds < 5 else 0.5
    return round(ceil(seconds / step) * step, 1)
