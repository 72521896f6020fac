"""Our ledger against what a gateway says that it charged: read both, compare, keep the result. No money moves.

The list is read first and our rows after it: an order in the list has then always a row here, since the row is
committed before the order is sent. All that is read of one order comes from one query, so no order is seen half ended.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import FilteredRelation, Max, Min, Q, QuerySet
from django.utils import timezone

from playground import queue
from playground.domain.status import ACTIVE, LATE_SUCCESS, PARKED
from playground.gateway.client import GatewayClient
from playground.gateway.errors import GatewayError, NoRequestLog
from playground.gateway.request_log import LoggedRequest
from playground.models import (
    EntryKind,
    Gateway,
    Generation,
    LedgerEntry,
    Reconciliation,
    ReconciliationState,
    User,
)
from playground.services import balance_looks, gateways, lanes, reconcile_daily
from playground.services.reconcile_rules import Comparison, Index, Ours, Stage, compare, keys_of
from playground.services.spend import next_month

log = structlog.get_logger(__name__)

TIMEOUT_S = 300
READ_WITHIN_S = 240.0
GIVEN_UP_AFTER = timedelta(seconds=TIMEOUT_S + 60)
"""A comparison that has said nothing for so long was ended with its process."""
AGAIN_S = 2.0
KEPT = 1000
"""Differences that are kept in full; beyond it only their number."""
KEEP_RESULTS = 20
MARGIN = timedelta(hours=15)
"""A month begins at most 14 hours before and ends at most 12 hours after that of UTC; and clocks differ."""
BATCH = 500


class TooSlow(Exception):
    """The list could not be read in time."""


def start(*, gateway: Gateway, month: date, by: User | None) -> Reconciliation:
    """Have the worker compare; the one that is under way if there is one."""
    with transaction.atomic():
        Gateway.objects.select_for_update().get(id=gateway.id)
        latest = newest(gateway, month)
        if latest and is_under_way(latest):
            return latest
        found = Reconciliation.objects.create(gateway=gateway, month=month, started_by=by)
        queue.enqueue("reconcile", str(found.id), timeout_s=TIMEOUT_S)
    return found


def newest(gateway: Gateway, month: date) -> Reconciliation | None:
    return Reconciliation.objects.filter(gateway=gateway, month=month).order_by("-started_at").first()


def is_under_way(found: Reconciliation, *, now: datetime | None = None) -> bool:
    return found.state == ReconciliationState.RUNNING and (now or timezone.now()) < found.started_at + GIVEN_UP_AFTER


def put_off(reconciliation_id: str) -> None:
    """No process is free for it now."""
    queue.enqueue("reconcile", reconciliation_id, timeout_s=TIMEOUT_S, delay_s=AGAIN_S)


def run_stored(reconciliation_id: UUID) -> None:
    found = Reconciliation.objects.select_related("gateway").filter(id=reconciliation_id).first()
    if found is None or not is_under_way(found):
        return
    with lanes.question(found.gateway) as free:
        if free:
            finish(found)
        else:
            put_off(str(reconciliation_id))


def run_now(*, gateway: Gateway, month: date, now: datetime | None = None) -> Reconciliation:
    """Compare in this process."""
    return finish(Reconciliation.objects.create(gateway=gateway, month=month), now=now)


def finish(found: Reconciliation, *, now: datetime | None = None) -> Reconciliation:
    """Compare and store the result. A gateway that cannot be read is a result too, with its reason."""
    result: dict[str, Any] = {}
    try:
        state, result = _compared(found.gateway, found.month, now=now or timezone.now())
    except gateways.GatewayNotConfigured:
        state, result["problem"] = ReconciliationState.FAILED, "not_configured"
    except TooSlow:
        state, result["problem"] = ReconciliationState.FAILED, "too_slow"
    except GatewayError as error:
        state, result["problem"], result["message"] = ReconciliationState.FAILED, error.code, error.message
    found.state, found.result, found.finished_at = state, result, timezone.now()
    found.save(update_fields=["state", "result", "finished_at"])
    log.info("reconciled", gateway=found.gateway.slug, state=found.state, differences=result.get("difference_count"))
    reconcile_daily.tell_admins(found)
    _forget_old(found)
    return found


def _forget_old(found: Reconciliation) -> None:
    same = Reconciliation.objects.filter(gateway=found.gateway, month=found.month)
    old = same.order_by("-started_at").values_list("id", flat=True)[KEEP_RESULTS:]
    Reconciliation.objects.filter(id__in=list(old)).delete()


def _compared(gateway: Gateway, month: date, *, now: datetime) -> tuple[ReconciliationState, dict[str, Any]]:
    entries: list[LoggedRequest] | None = None
    ends_at = time.monotonic() + READ_WITHIN_S
    with gateways.client_for(gateway) as client:

        def read(after: datetime, before: datetime) -> list[LoggedRequest] | None:
            return _listed(client, after, before, ends_at=ends_at) if gateway.has_request_log else None

        balance = client.balance()
        entries = read(*_window(gateway, month))
        if balance is not None and balance.available_micros is not None:
            balance_looks.look(gateway, balance.available_micros, read=read, now=now)
    orders = list(_ours(gateway, month))
    if entries is None:
        # without the list only our own side can be judged: what ended and is still set aside
        outcome = compare((order for order in orders if order.cost is None), {}, [], now=now)
        state = ReconciliationState.NO_LOG
    else:
        mine, strangers = _sorted(orders, entries)
        outcome = compare(orders, mine, _of_month(strangers, month), now=now)
        state = ReconciliationState.CHECKED
    available = balance.available_micros if balance else None
    return state, _told(outcome, requests=len(entries or []), balance=available)


def _told(outcome: Comparison, *, requests: int, balance: int | None) -> dict[str, Any]:
    return {
        "requests": requests,
        "balance_micros": balance,
        "tallies": {team: asdict(tally) for team, tally in outcome.tallies.items()},
        "difference_count": len(outcome.differences),
        "differences": [asdict(difference) for difference in outcome.differences[:KEPT]],
        "fresh": outcome.fresh,
        "others": outcome.others,
    }


def _window(gateway: Gateway, month: date) -> tuple[datetime, datetime]:
    """Wide enough for every order of the month in any time zone, also for one that was sent days after its press."""
    begin = datetime(month.year, month.month, month.day, tzinfo=UTC) - MARGIN
    after = next_month(month)
    end = datetime(after.year, after.month, after.day, tzinfo=UTC) + MARGIN
    sent = _holds(gateway, month).aggregate(
        first=Min("generation__sent_at"), last=Max("generation__sent_at"), taken=Max("generation__submitted_at")
    )
    earliest = min(filter(None, (begin, sent["first"] and sent["first"] - timedelta(hours=1))))
    latest = max(filter(None, (end, *(at and at + timedelta(hours=2) for at in (sent["last"], sent["taken"])))))
    return earliest, latest


def _listed(client: GatewayClient, after: datetime, before: datetime, *, ends_at: float) -> list[LoggedRequest] | None:
    """The list, each request once; None where there is none. Raises TooSlow and what the client raises."""
    found: dict[str, LoggedRequest] = {}
    nameless: list[LoggedRequest] = []
    try:
        for entry in client.requests(created_after=after, created_before=before):
            if time.monotonic() > ends_at:
                raise TooSlow
            if entry.id:
                found[entry.id] = entry
            else:
                nameless.append(entry)
    except NoRequestLog:
        return None
    return [*found.values(), *nameless]


def _holds(gateway: Gateway, month: date) -> "QuerySet[LedgerEntry]":
    return LedgerEntry.objects.filter(gateway=gateway, month=month, kind=EntryKind.HOLD)


_FIELDS = (
    "amount_micros", "at", "settled__amount_micros", "settled__at", "released__at", "generation_id", "team_id",
    "generation__status", "generation__next_check_at", "generation__upstream_id", "generation__request_id",
)  # fmt: skip


def _ours(gateway: Gateway, month: date) -> Iterator[Ours]:
    rows = (
        _holds(gateway, month)
        .annotate(
            settled=FilteredRelation("generation__ledger", condition=Q(generation__ledger__kind=EntryKind.SETTLE)),
            released=FilteredRelation("generation__ledger", condition=Q(generation__ledger__kind=EntryKind.RELEASE)),
        )
        .order_by("id")
        .values(*_FIELDS)
    )
    for row in rows.iterator(chunk_size=BATCH):
        is_open = row["settled__at"] is None and row["released__at"] is None
        yield Ours(
            id=row["generation_id"],
            team_id=row["team_id"],
            stage=_stage(row),
            upstream_id=row["generation__upstream_id"] or "",
            request_id=row["generation__request_id"],
            ordered_at=row["at"],
            moved_at=max(filter(None, (row["at"], row["settled__at"], row["released__at"]))),
            aside=row["amount_micros"] if is_open else 0,
            cost=row["settled__amount_micros"],
        )


def _stage(row: dict[str, Any]) -> Stage:
    status = row["generation__status"]
    if status in ACTIVE:
        return Stage.GOING
    if status in PARKED:
        return Stage.UNCLEAR
    return Stage.LATE if status in LATE_SUCCESS and row["generation__next_check_at"] else Stage.OVER


def _sorted(
    orders: list[Ours], entries: list[LoggedRequest]
) -> tuple[dict[UUID, list[LoggedRequest]], list[LoggedRequest]]:
    """The entries of each order of the month, and those of no order that we have at all."""
    index = Index(orders)
    mine: dict[UUID, list[LoggedRequest]] = {}
    unmatched: list[LoggedRequest] = []
    for entry in entries:
        order = index.find(entry)
        if order is None:
            unmatched.append(entry)
        else:
            mine.setdefault(order.id, []).append(entry)
    return mine, list(_strangers(unmatched))


def _strangers(entries: list[LoggedRequest]) -> Iterator[LoggedRequest]:
    """Those that are not orders of another month or another row of the same gateway either."""
    for begin in range(0, len(entries), BATCH):
        batch = entries[begin : begin + BATCH]
        traces, names = _known(batch)
        yield from (e for e in batch if e.trace_id not in traces and not names.intersection(keys_of(e.id)))


def _known(entries: list[LoggedRequest]) -> tuple[set[str], set[str]]:
    """Which of their traces and ids (as `keys_of` writes them) are orders of ours."""
    traces = [UUID(hex=entry.trace_id) for entry in entries if _is_trace(entry.trace_id)]
    ids = {entry.id for entry in entries if entry.id}
    endings = {id.partition("_")[2] for id in ids if len(keys_of(id)) > 1}
    ids |= {f"{prefix}_{ending}" for ending in endings for prefix in ("req", "video")}
    found = Generation.objects.filter(Q(upstream_id__in=ids) | Q(request_id__in=ids))
    rows = found.values_list("upstream_id", "request_id")
    names = {key for row in rows for name in row for key in keys_of(name or "")}
    return {id.hex for id in Generation.objects.filter(id__in=traces).values_list("id", flat=True)}, names


def _is_trace(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def _of_month(entries: Iterable[LoggedRequest], month: date) -> list[LoggedRequest]:
    """By the calendar of UTC, so that each is reported in one month. One without a time is reported in every month."""

    def is_of_it(at: datetime | None) -> bool:
        return at is None or at.astimezone(UTC).date().replace(day=1) == month

    return [entry for entry in entries if is_of_it(entry.created_at)]
