"""Times of a clock that was ahead: brought back to what they would be by a clock that is right.

Set right, such a clock leaves rows due in an hour that should be looked at now. No wait that the code chooses is longer
than LONGEST, so what lies beyond is no wait but a wrong time. It is found by one statement over the index of due times,
once a minute (services/worker.py). Claims get the usual time of a claim: whoever holds one and lives renews it by then.
With several machines PostgreSQL's clock is the judge, lest one that is behind takes all the others for ahead.
"""

from datetime import datetime, timedelta

import structlog
from django.core.cache import cache
from django.db import connection
from django.db.models import F, Max
from django.db.models.functions import Least

from playground import queue
from playground.domain.status import Status
from playground.models import Gateway, Generation
from playground.services import (
    backlog,
    engine,
    outcomes,
    pace,
    parking,
    pauses,
    refused,
    replies,
    saving,
    submit,
    timing,
)

log = structlog.get_logger(__name__)

SLACK = timedelta(minutes=1)
"""The clocks of two machines may differ by so much without being wrong."""
_UNSENT_S = max(refused.REFUSED_S, replies.LONGEST_WAIT_S, *backlog.WAIT_S, submit.PAUSED_LOOK.total_seconds())
_ASKED_S = max(
    refused.REFUSED_S,
    pace.SLOWEST_S,
    outcomes.RETRY_AFTER_MOST_S,
    1.2 * outcomes.MOST_BACKOFF_S,
    pauses.PROBE_MOST.total_seconds(),
)
LONGEST: dict[Status, timedelta] = {
    Status.QUEUED: timedelta(seconds=_UNSENT_S),
    Status.SUBMITTING: timedelta(seconds=max(_UNSENT_S, *replies.UNCLEAR_S, parking.QUIET.total_seconds())),
    Status.SUBMITTED: timedelta(seconds=_ASKED_S),
    Status.RUNNING: timedelta(seconds=_ASKED_S),
    Status.COMPLETED: timedelta(seconds=max(refused.REFUSED_S, saving.LONG_RETRY_S, *saving.RETRY_S)),
    Status.STORING: timedelta(seconds=refused.REFUSED_S),
    Status.CANCELLED: timedelta(seconds=timing.LATE_MOST_S),
    Status.EXPIRED: timedelta(seconds=timing.LATE_MOST_S),
}
"""The longest wait of each state; an hour where a late result is looked for, minutes elsewhere."""
CLAIMED = (Status.SUBMITTING, Status.STORING)
CLAIM_MOST = max(engine.CLAIM_FOR, submit.PAUSED_LOOK, timedelta(seconds=refused.REFUSED_S))
"""A row that the database refuses keeps its claim while it is set back."""


def set_right(*, now: datetime) -> int:
    """Bring back what is due later than anything can be; returns how many orders. Logs if there was any."""
    if abs(off := _off_by(now)) > SLACK:
        log.error("clock_differs_from_that_of_the_database", seconds=round(off.total_seconds()))
        return 0
    orders = _orders(now=now)
    gateways = Gateway.objects.filter(resume_check_at__gt=now + pauses.PROBE_MOST + SLACK).update(resume_check_at=now)
    tasks = queue.bring_back(slack=SLACK, now=now)
    if orders or gateways or tasks:
        cache.clear()  # what it holds "for a minute" is of the same clock: prices, and how long a gateway is left alone
        log.warning("clock_was_ahead", orders=orders, gateways=gateways, tasks=tasks)
    return orders


def _off_by(now: datetime) -> timedelta:
    """How far this clock is ahead of the database's. SQLite has none but ours."""
    if connection.vendor != "postgresql":
        return timedelta(0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return now - at


def _orders(*, now: datetime) -> int:
    rows = Generation.objects.filter(next_check_at__isnull=False).order_by().values_list("status", "gateway_id")
    count = 0
    for status, gateway_id, last_at in rows.annotate(Max("next_check_at")):
        here = Generation.objects.filter(status=status, gateway_id=gateway_id)
        if status not in LONGEST:  # it has ended, so there is nothing to look at
            here.filter(next_check_at__isnull=False).update(next_check_at=None)
            continue
        latest, latest_claim = now + LONGEST[Status(status)] + SLACK, now + CLAIM_MOST + SLACK
        if status in CLAIMED and last_at > latest_claim:
            held = here.filter(claim_id__isnull=False, next_check_at__gt=latest_claim)
            count += held.update(next_check_at=now + engine.CLAIM_FOR, **_deadline(now))
        if last_at > latest:
            count += here.filter(next_check_at__gt=latest).update(next_check_at=now, **_deadline(now))
    return count


def _deadline(now: datetime) -> dict[str, Least]:
    """None is later than it would be for an order of this moment."""
    return {"deadline_at": Least(F("deadline_at"), now + engine.DEADLINE)}
