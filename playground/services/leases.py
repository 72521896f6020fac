"""Who leads: a named lease that at most one process holds, and signs of life."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from playground.models import Heartbeat, Lease

log = structlog.get_logger(__name__)

LONGEST = timedelta(minutes=1)
"""No lease is taken for longer. One that ends later was taken by a clock that is wrong, and is free: else a machine
whose clock is an hour ahead would keep all others waiting for an hour after its end."""


def take(name: str, *, holder: UUID, seconds: float, now: datetime) -> bool:
    """Take the lease, or keep it. False while somebody else holds it."""
    until = now + timedelta(seconds=seconds)
    free = Q(until__lte=now) | Q(until__gt=now + LONGEST) | Q(holder=holder)
    if Lease.objects.filter(free, name=name).update(holder=holder, until=until):
        return True
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, holder=holder, until=until)
    except IntegrityError:
        return False
    return True


def renew(name: str, *, holder: UUID, seconds: float, now: datetime) -> bool:
    """False when the lease was lost: stop at once."""
    rows = Lease.objects.filter(name=name, holder=holder)
    return bool(rows.update(until=now + timedelta(seconds=seconds)))


@contextmanager
def kept(name: str, *, holder: UUID, seconds: float) -> Iterator[threading.Event]:
    """Renew the lease from a thread, five times in its length. The event is set once it was lost: stop at once."""
    ended, lost = threading.Event(), threading.Event()

    def keep() -> None:
        renewed_at = time.monotonic()
        try:
            while not ended.wait(seconds / 5) and not lost.is_set():
                try:
                    kept = renew(name, holder=holder, seconds=seconds, now=timezone.now())
                except DatabaseError as error:
                    log.warning("lease_not_renewed", lease=name, why=type(error).__name__)
                    kept = time.monotonic() - renewed_at < seconds
                else:
                    renewed_at = time.monotonic()
                if not kept:
                    lost.set()
        finally:
            connection.close()

    keeper = threading.Thread(target=keep, name=f"keep-{name}", daemon=True)
    keeper.start()
    try:
        yield lost
    finally:
        ended.set()
        keeper.join()


def give_back(name: str, *, holder: UUID, now: datetime) -> None:
    Lease.objects.filter(name=name, holder=holder).update(until=now)


def revoke(name: str, *, by: UUID, now: datetime) -> None:
    """Take the lease from whoever holds it and leave it free: the holder notices at its next renewal and stops."""
    Lease.objects.filter(name=name).update(holder=by, until=now)


def free_since(name: str, *, now: datetime) -> timedelta | None:
    """How long nobody has held it; None while somebody does. Never taken, or by a wrong clock: for ever."""
    lease = Lease.objects.filter(name=name).first()
    if lease is None or lease.until > now + LONGEST:
        return timedelta.max
    return now - lease.until if lease.until < now else None


def beat(name: str, *, now: datetime, detail: dict[str, Any] | None = None) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": now, "detail": detail or {}})
