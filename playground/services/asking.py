"""Asking gateways after the orders that are due there, and writing down what they say.

A row is taken before it is asked for: its due time moves ahead in the same transaction that reads it, so whoever else
sweeps, however that came about, does not ask for it again. Questions go out as the gateway's pace allows and are under
way in a thread of their own, so a gateway that hangs delays none but its own rows.

The poller is imported where it is used: web processes import this module too, and start without aiohttp.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Min
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.errors import NotSent, Throttled
from playground.models import Gateway, Generation
from playground.services import gateways, outcomes, pace

if TYPE_CHECKING:
    from playground.gateway.poller import Poller

ASKED = (Status.RUNNING, Status.SUBMITTED, Status.CANCELLED, Status.EXPIRED)
BATCH = 500
"""Questions under way to one gateway."""
POLL_CONCURRENCY = 64
POLL_TOTAL_S = 8.0
TAKEN_FOR = timedelta(seconds=12)
"""A row that is asked for comes up again after this, should the sweep be lost; longer than a question may take."""
KINDS = {
    "to_send": (Status.QUEUED, Status.SUBMITTING),
    "to_ask": ASKED,
    "to_save": (Status.COMPLETED, Status.STORING),
}
FIELDS = tuple(name for name in outcomes.FIELDS if "__" not in name)
"""Of a generation alone: its gateway is read once for all."""


@dataclass(frozen=True, slots=True)
class Due:
    """The rows of one gateway in one status: how many have a due time, and the first of these times."""

    count: int
    first_at: datetime


Overview = Mapping[tuple[Status, UUID], Due]


def overview() -> Overview:
    """Everything that is due now or later, in one statement over an index."""
    rows = Generation.objects.filter(next_check_at__isnull=False).order_by().values_list("status", "gateway_id")
    counted = rows.annotate(Count("id"), Min("next_check_at"))
    return {(Status(status), gateway_id): Due(count, first) for status, gateway_id, count, first in counted}


def overdue_s(*, now: datetime) -> dict[str, float]:
    """By what the sweep has to do (KINDS), for how many seconds the longest due row has waited for it; 0 for none."""
    found = dict.fromkeys(KINDS, 0.0)
    for (status, _), rows in overview().items():
        for kind, statuses in KINDS.items():
            if status in statuses:
                found[kind] = max(found[kind], round((now - rows.first_at).total_seconds(), 1))
    return found


class Asker:
    """One sweep's questions. `ask` as often as there is time, `record` what came, `close` at the end."""

    def __init__(self) -> None:
        self._poller: Poller | None = None
        self._rows: dict[tuple[UUID, str], Generation] = {}

    @property
    def under_way(self) -> int:
        return len(self._rows)

    def ask(self, gateways_due: Iterable[Gateway], due: Overview, *, now: datetime) -> int:
        """Ask for due rows of these gateways as fast as each one's pace allows; returns how many."""
        asked = 0
        for gateway in gateways_due:
            here = {status: due[status, gateway.id] for status in ASKED if (status, gateway.id) in due}
            ready = [status for status in here if here[status].first_at <= now]
            if ready:
                in_flight = sum(rows.count for rows in here.values())
                asked += self._ask_one(gateway, ready, in_flight=in_flight, now=now)
        return asked

    def _ask_one(self, gateway: Gateway, ready: Sequence[Status], *, in_flight: int, now: datetime) -> int:
        known = pace.met(gateway.id, cap=gateway.rate_cap, in_flight=in_flight)
        room = BATCH - (self._poller.under_way(gateway.id) if self._poller else 0)
        count = min(room, known.allowance(now=now))
        # One that was brought forward while it is asked for stays due, and is asked for anew after this answer.
        busy = [row.id for row in self._rows.values() if row.gateway_id == gateway.id]
        rows = take(gateway, ready, count, now=now, but=busy) if count > 0 else []
        if not rows:
            return 0
        known.take(len(rows))
        try:
            config = gateways.config_of(gateway)
        except gateways.GatewayNotConfigured as missing:
            error = NotSent(str(missing), code="not_configured")
            outcomes.record(gateway=gateway, answers=[(row, error) for row in rows], now=now)
            return len(rows)
        self._rows |= {(gateway.id, str(row.upstream_id)): row for row in rows}
        self._started().ask(gateway.id, config, [str(row.upstream_id) for row in rows])
        return len(rows)

    def _started(self) -> "Poller":
        if self._poller is None:
            from playground.gateway.poller import Poller

            self._poller = Poller(concurrency=POLL_CONCURRENCY, total_s=POLL_TOTAL_S)
        return self._poller

    def record(self, *, wait_s: float, now: datetime | None = None) -> int:
        """Write down the answers so far, waiting at most `wait_s` for those under way; returns how many."""
        if self._poller is None:
            return 0
        answers: dict[UUID, list[tuple[Generation, outcomes.Answer]]] = defaultdict(list)
        for key, upstream_id, answer in self._poller.collect(wait_s=wait_s):
            assert isinstance(key, UUID)
            answers[key].append((self._rows.pop((key, upstream_id)), answer))
        for gateway_id, given in answers.items():
            at = now or timezone.now()
            for _, answer in given:
                if isinstance(answer, Throttled):
                    pace.of(gateway_id).throttled(retry_after_s=answer.retry_after_s, now=at)
            taken = {row.next_check_at for row, _ in given if row.next_check_at}
            outcomes.record(gateway=given[0][0].gateway, answers=given, now=at, taken=taken)
        return sum(map(len, answers.values()))

    def close(self) -> None:
        if self._poller is not None:
            self._poller.close()
            self._poller = None


def take(
    gateway: Gateway, statuses: Sequence[Status], count: int, *, now: datetime, but: Sequence[UUID] = ()
) -> list[Generation]:
    """At most `count` due rows in these statuses, the longest due first, made due again only at TAKEN_FOR from now.

    Two that take at the same time get different rows.
    """
    until = now + TAKEN_FOR
    with transaction.atomic():
        found: list[Generation] = []
        for status in statuses:
            rows = Generation.objects.select_for_update(skip_locked=True).filter(
                status=status, gateway=gateway, next_check_at__lte=now, upstream_id__isnull=False
            )
            rows = rows.exclude(id__in=but)
            found += rows.only(*FIELDS).order_by("next_check_at")[:count]
        found.sort(key=lambda row: row.next_check_at or now)
        del found[count:]
        Generation.objects.filter(id__in=[row.id for row in found]).update(next_check_at=until)
    for row in found:
        row.next_check_at, row.gateway = until, gateway
    return found
