"""The life of a generation: its statuses, which moves are legal, and what a person is told.

Pure rules. The only writer of a status is `playground.services.engine`, which asks this module first; the diagram in
docs/architecture.md is printed from `TRANSITIONS` by `manage.py state_diagram`.
"""

from enum import StrEnum


class Status(StrEnum):
    QUEUED = "queued"
    """Paid for by a hold, not yet sent."""
    SUBMITTING = "submitting"
    """A worker has claimed it; the order may be on the wire."""
    SUBMITTED = "submitted"
    """The gateway gave an id; it has not begun."""
    RUNNING = "running"
    COMPLETED = "completed"
    """The gateway says it is made; our copy is not here yet."""
    STORING = "storing"
    """A worker is downloading and checking the file."""
    DONE = "done"
    REJECTED = "rejected"
    """The gateway clearly refused the order. Nothing was charged."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """Our deadline passed before the gateway finished."""
    LOST = "lost"
    """The gateway no longer knows the order; saved after all only when a repair finds it there again."""
    OUTPUT_LOST = "output_lost"
    """It was made and paid, but its file is gone; saved after all only when a repair finds it at the gateway again."""
    UNKNOWN = "unknown"
    """It was sent and the answer was lost. Waits for a person; never sent again by itself."""


S = Status

TRANSITIONS: dict[Status, frozenset[Status]] = {
    S.QUEUED: frozenset({S.SUBMITTING, S.SUBMITTED, S.CANCELLED}),
    S.SUBMITTING: frozenset({S.SUBMITTED, S.RUNNING, S.QUEUED, S.REJECTED, S.UNKNOWN}),
    S.SUBMITTED: frozenset({S.RUNNING, S.COMPLETED, S.FAILED, S.CANCELLED, S.EXPIRED, S.LOST}),
    S.RUNNING: frozenset({S.SUBMITTED, S.COMPLETED, S.FAILED, S.CANCELLED, S.EXPIRED, S.LOST}),
    S.COMPLETED: frozenset({S.STORING}),
    S.STORING: frozenset({S.DONE, S.COMPLETED, S.OUTPUT_LOST}),
    S.UNKNOWN: frozenset({S.SUBMITTED, S.QUEUED, S.REJECTED}),
    S.CANCELLED: frozenset({S.COMPLETED, S.SUBMITTED}),
    S.EXPIRED: frozenset({S.COMPLETED}),
    S.DONE: frozenset(),
    S.REJECTED: frozenset({S.SUBMITTED}),
    S.FAILED: frozenset(),
    S.LOST: frozenset({S.COMPLETED}),
    S.OUTPUT_LOST: frozenset({S.COMPLETED}),
}

ENDED = frozenset({S.DONE, S.REJECTED, S.FAILED, S.CANCELLED, S.EXPIRED, S.LOST, S.OUTPUT_LOST})
"""Nothing more will happen by itself, except a late success of a cancelled or expired one."""

PARKED = frozenset({S.UNKNOWN})
"""Waits for a person."""

ACTIVE = frozenset(Status) - ENDED - PARKED
"""Has a due time: the engine must look at it again."""

UNTAKEN = frozenset({S.QUEUED, S.SUBMITTING})
"""Stands in line: no gateway has taken it yet, as far as is known."""

STOPPABLE = frozenset({S.SUBMITTED, S.RUNNING})
"""Can be asked to stop; it may still cost."""

NEVER_RAN = "never_ran"
"""Error kind of an order of which an admin said so; what is known of its money is that word alone."""

STOP_FAILED = "stop_not_delivered"
"""Error code of one that goes on since the gateway could not be told to stop it."""

LATE_SUCCESS = frozenset({S.CANCELLED, S.EXPIRED})
"""Looked at for another 24 hours: a result that arrives late is kept and marked."""


class Step(StrEnum):
    """What a person sees instead of the finer status: three steps, then an end."""

    SENDING = "sending"
    GENERATING = "generating"
    SAVING = "saving"
    ENDED = "ended"


STEPS: dict[Status, Step] = {
    S.QUEUED: Step.SENDING,
    S.SUBMITTING: Step.SENDING,
    S.SUBMITTED: Step.GENERATING,
    S.RUNNING: Step.GENERATING,
    S.COMPLETED: Step.SAVING,
    S.STORING: Step.SAVING,
}


class IllegalMove(ValueError):
    """A move that `TRANSITIONS` does not have: a fault in our code, never a fact of the world."""


def check(source: Status, target: Status) -> None:
    """Raise IllegalMove unless a generation may go from `source` to `target`."""
    if target not in TRANSITIONS[source]:
        raise IllegalMove(f"{source} -> {target}")


def step_of(status: Status) -> Step:
    return STEPS.get(status, Step.ENDED)
