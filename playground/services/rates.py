"""How often somebody may do something: buckets in the database, one for a limit and a key (playground/rate_limits.py).

    if seconds := rates.take("comment", str(membership.user_id)):
        ...  # 429, with Retry-After: seconds

What counts only when it is wrong, such as a password, is taken before it is looked at and given back when it was right:
so no number of tries at once gets further than the limit. A bucket is one number, the moment at which it is full again;
taking moves it ahead by one conditional statement. A refused try writes nothing. Not to be called inside a
transaction: what is rolled back would not have been counted, and others would wait for its end.
"""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from playground.models import Rate
from playground.rate_limits import Limit

log = structlog.get_logger(__name__)

Key = tuple[str, str]
"""The name of a limit, and whom it counts: an id, a client's address, an e-mail address, or some of them together."""

MOST_ROWS = 200_000
"""From here on new keys share SHARED buckets of their limit: a flood of made-up keys does not fill the disk."""
SHARED = 1024
LOOK_EVERY_S = 30
WRONG_CLOCK_US = 60_000_000
"""A bucket that is full later than it can be, by more than clocks of machines differ, was filled by a wrong clock."""

_TAKE = """
INSERT INTO {table} (key, full_at_us) VALUES (%(key)s, %(now)s + %(step)s)
ON CONFLICT (key) DO UPDATE SET full_at_us = {base} + %(step)s
WHERE {base} + %(step)s <= %(now)s + %(room)s
"""
_BASE = """
(CASE WHEN {table}.full_at_us < %(now)s OR {table}.full_at_us > %(now)s + %(room)s + %(wrong)s
      THEN %(now)s ELSE {table}.full_at_us END)
"""


def take(action: str, key: str, *, now: datetime | None = None) -> int:
    """Count one. Returns 0 where the limit allows it, else the whole seconds to wait; then nothing was counted."""
    return take_all([(action, key)], now=now)


def take_all(keys: Sequence[Key], *, now: datetime | None = None) -> int:
    """Count one of each, or none at all where one of the limits does not allow it."""
    at = _micros(now)
    names = _names(keys, at)
    if waits := _waits(names, at):
        return _refused(waits)
    for index, (action, name) in enumerate(names):
        if not _take(action, name, at):
            _give_back(names[:index])
            return _refused(_waits(names, at) or {action: 1})
    return 0


class TooOften(Exception):
    """A guess that was not looked at."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@contextmanager
def guess(*keys: Key) -> Iterator[None]:
    """Around a block that looks at a guess and raises when it is wrong: then it stays counted. Raises TooOften."""
    if seconds := take_all(keys):
        raise TooOften(seconds)
    yield
    give_back(*keys)


def wait(action: str, key: str, *, now: datetime | None = None) -> int:
    """What `take` would return, without counting. One read."""
    at = _micros(now)
    waits = _waits(_names([(action, key)], at), at)
    return _refused(waits) if waits else 0


def give_back(*keys: Key) -> None:
    """Take back what `take` has counted: it was right after all. Not for one that was refused."""
    _give_back(_names(keys, _micros(None)))


def forget(*keys: Key) -> None:
    """Start anew with these keys."""
    Rate.objects.filter(key__in=[_name(action, key) for action, key in keys]).delete()


def prune(*, now: datetime | None = None) -> int:
    """Drop the buckets that are full, which are like none; returns how many."""
    at = _micros(now)
    most = max(limit.room_us for limit in settings.RATE_LIMITS.values()) + WRONG_CLOCK_US
    return _drop_full(at) + Rate.objects.filter(full_at_us__gt=at + most).delete()[0]


def _micros(now: datetime | None) -> int:
    return int((now or timezone.now()).timestamp() * 1_000_000)


def _name(action: str, key: str) -> str:
    """Neither an address nor an e-mail address can be read from it, nor tried out without the secret."""
    digest = salted_hmac(f"rates.{action}", key, algorithm="sha256").hexdigest()
    return f"{action}:{digest[:32]}"


def _limit(action: str) -> Limit:
    limit: Limit = settings.RATE_LIMITS[action]
    return limit


def _names(keys: Iterable[Key], at: int) -> list[Key]:
    """The limits with the names of their buckets; where there are too many, new keys share some."""
    names = [(action, _name(action, key)) for action, key in keys]
    if not _crowd.is_there(at):
        return names
    known = set(Rate.objects.filter(key__in=[name for _action, name in names]).values_list("key", flat=True))
    return [(action, name if name in known else _shared(action, name)) for action, name in names]


def _shared(action: str, name: str) -> str:
    return f"{action}:shared:{int(name[-8:], 16) % SHARED}"


class _Crowd:
    """Whether there are too many buckets, as of a moment ago: counting them each time would cost more than it saves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        self._is_there, self._look_at = False, 0.0

    def is_there(self, at: int) -> bool:
        with self._lock:
            is_due = time.monotonic() >= self._look_at
            if is_due:
                self._look_at = time.monotonic() + LOOK_EVERY_S
        if is_due:
            self._is_there = _too_many() and (_drop_full(at) == 0 or _too_many())
            if self._is_there:
                log.warning("too_many_rate_buckets", most=MOST_ROWS)
        return self._is_there


_crowd = _Crowd()


def _too_many() -> bool:
    return Rate.objects.order_by()[:MOST_ROWS].count() >= MOST_ROWS


def _drop_full(at: int) -> int:
    return Rate.objects.filter(full_at_us__lte=at).delete()[0]


def _waits(names: Sequence[Key], at: int) -> dict[str, int]:
    """Seconds by limit, of those that do not allow it now."""
    rows = dict(Rate.objects.filter(key__in=[name for _action, name in names]).values_list("key", "full_at_us"))
    waits = {action: _seconds(_limit(action), rows.get(name, 0), at) for action, name in names}
    return {action: seconds for action, seconds in waits.items() if seconds}


def _seconds(limit: Limit, full_at: int, at: int) -> int:
    if full_at > at + limit.room_us + WRONG_CLOCK_US:
        return 0
    over = max(full_at, at) + limit.step_us - at - limit.room_us
    return -(-over // 1_000_000) if over > 0 else 0


def _take(action: str, name: str, at: int) -> bool:
    limit = _limit(action)
    table = connection.ops.quote_name(Rate._meta.db_table)
    statement = _TAKE.format(table=table, base=_BASE.format(table=table))
    values: dict[str, str | int] = {
        "key": name,
        "now": at,
        "step": limit.step_us,
        "room": limit.room_us,
        "wrong": WRONG_CLOCK_US,
    }
    # A transaction takes SQLite's lock in turn, where a single statement might starve.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return bool(cursor.rowcount)


def _give_back(names: Sequence[Key]) -> None:
    for action, name in names:
        Rate.objects.filter(key=name).update(full_at_us=F("full_at_us") - _limit(action).step_us)


def _refused(waits: dict[str, int]) -> int:
    """Said in the log by the name of the limit alone; whom it met is nobody's to read there."""
    seconds, action = max((seconds, action) for action, seconds in waits.items())
    log.info("limit_reached", limit=action, wait_s=seconds)
    return seconds
