"""Prices that a person may look for next, asked for before they do, and never while a page waits.

A page leaves a list of settings and shows what is known; one thread of its process works the lists off, one dry run
after the other, a little from each person's list in turn. The newest list of a person replaces the one before, so that
nothing is asked for settings that were left. Nothing is lost with the process: the next page leaves a list again.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.core.exceptions import ObjectDoesNotExist
from django.db import DatabaseError, connections

from playground.services import estimates
from playground.services.estimates import QuoteState, Wanted

log = structlog.get_logger(__name__)

PAUSE_S = 0.15
"""Between two dry runs: long enough that a person who waits for a place gets it first (they look every 50 ms)."""
STANDS_S = 20.0
"""How long a list is worked on."""
MOST = 32
"""Settings in one list; the first count most."""
SLOW_S = 1.5
"""An answer that took longer: one thread asks for all, so such a gateway is not asked ahead again for SLOW_FOR_S."""
SLOW_FOR_S = 60.0
STOPS = frozenset({QuoteState.UNREACHABLE, QuoteState.ACCOUNT_EMPTY})
"""After such an answer the rest of the list would hear the same."""


@dataclass(slots=True)
class _List:
    wanted: list[Wanted]
    ends_at: float


_lists: dict[UUID, _List] = {}
_slow: dict[UUID, float] = {}
"""Gateways that were slow, and until when they are left alone."""
_lock = threading.Lock()
_thread: threading.Thread | None = None


def plan(*, by: UUID, wanted: Sequence[Wanted]) -> None:
    """Ask for the prices of `wanted` soon, in this order, instead of what this person (membership id) wanted before."""
    with _lock:
        _lists.pop(by, None)
        if wanted:
            _lists[by] = _List(list(wanted[:MOST]), time.monotonic() + STANDS_S)
    if wanted:
        start()


def start() -> None:
    """See that a thread is at work. It ends with the last list."""
    global _thread
    with _lock:
        if _thread is None or not _thread.is_alive():
            _thread = threading.Thread(target=_run, name="prices-ahead", daemon=True)
            _thread.start()


def _run() -> None:
    """A database that is away, or a gateway that was removed, is not this thread's to judge: the pages will say so."""
    try:
        work_off()
    except (DatabaseError, ObjectDoesNotExist) as error:
        log.warning("prices_ahead_stopped", why=type(error).__name__)
        with _lock:
            _lists.clear()
    finally:
        connections.close_all()


def work_off(*, pause_s: float = PAUSE_S) -> int:
    """Ask until nothing is left; how many answers came from the gateway or from memory."""
    answers = 0
    while (taken := _next()) is not None:
        by, wanted = taken
        began = time.monotonic()
        state = estimates.ask_ahead(wanted)
        _time(wanted, took_s=time.monotonic() - began)
        answers += state is not None
        if state is None:
            _put_back(by, wanted)
        elif state in STOPS:
            _forget(by)
        time.sleep(pause_s)
    return answers


def _next() -> tuple[UUID, Wanted] | None:
    """The first of the person whose turn it is. With nothing left the thread counts as ended: `start` makes another."""
    global _thread
    with _lock:
        _leave_slow_ones(time.monotonic())
        for by in [by for by, one in _lists.items() if one.ends_at < time.monotonic() or not one.wanted]:
            del _lists[by]
        if not _lists:
            _thread = None
            return None
        by = next(iter(_lists))
        mine = _lists.pop(by)
        _lists[by] = mine
        return by, mine.wanted.pop(0)


def _time(wanted: Wanted, *, took_s: float) -> None:
    if took_s > SLOW_S:
        with _lock:
            _slow[wanted.model.gateway_id] = time.monotonic() + SLOW_FOR_S


def _leave_slow_ones(now: float) -> None:
    """Whoever looks at a model of a slow gateway gets its price by the page itself; others do not wait for it here."""
    for gateway_id in [gateway_id for gateway_id, until in _slow.items() if until <= now]:
        del _slow[gateway_id]
    for one in _lists.values() if _slow else ():
        one.wanted = [wanted for wanted in one.wanted if wanted.model.gateway_id not in _slow]


def _put_back(by: UUID, wanted: Wanted) -> None:
    with _lock:
        if by in _lists:
            _lists[by].wanted.append(wanted)


def _forget(by: UUID) -> None:
    with _lock:
        _lists.pop(by, None)
