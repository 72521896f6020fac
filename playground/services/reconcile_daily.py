"""The comparison with the gateways that runs by itself, and who is told of what any comparison finds: once of each."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.utils import timezone

from playground.models import (
    BalanceLook,
    EntryKind,
    Gateway,
    LedgerEntry,
    Notice,
    Reconciliation,
    ReconciliationState,
    Team,
)
from playground.services import balance_looks, gateways, notices

EVERY = timedelta(hours=23)
"""Looked at once an hour; so it is once a day."""
LATE_DAYS = 3
"""So long after its end a month is still compared: charges come late."""
REMEMBERED = 60
"""Earlier notices of which it is known what they told."""


def start_due(*, now: datetime | None = None) -> int:
    """Have the worker compare every gateway with real money once a day; returns how many comparisons were begun."""
    from playground.services import reconcile

    now = now or timezone.now()
    due = list(_due(now))
    for gateway, month in due:
        reconcile.start(gateway=gateway, month=month, by=None)
    return len(due)


def _due(now: datetime) -> Iterator[tuple[Gateway, date]]:
    today = now.astimezone(UTC).date()
    months = {today.replace(day=1), (today - timedelta(days=LATE_DAYS)).replace(day=1)}
    for gateway in Gateway.objects.filter(is_sandbox=False).order_by("slug"):
        try:
            gateways.config_of(gateway)
        except gateways.GatewayNotConfigured:
            continue
        for month in sorted(months):
            has_orders = LedgerEntry.objects.filter(gateway=gateway, month=month, kind=EntryKind.HOLD).exists()
            done = Reconciliation.objects.filter(gateway=gateway, month=month, started_at__gt=now - EVERY)
            if has_orders and not done.exists():
                yield gateway, month


def tell_admins(found: Reconciliation) -> None:
    """The admins of each team that orders there: how many differences are new to them, and what the account lost."""
    if found.gateway.is_sandbox or found.state == ReconciliationState.FAILED:
        return
    ordered = LedgerEntry.objects.filter(gateway=found.gateway, kind=EntryKind.HOLD).order_by()
    looks = balance_looks.differing(found.gateway, timezone.now().astimezone(UTC).date())
    for team in Team.objects.filter(id__in=ordered.values("team_id").distinct()):
        _tell_of_orders(team, found)
        for look in looks:
            _tell_of_balance(team, look)


def _tell_of_orders(team: Team, found: Reconciliation) -> None:
    rows = [row for row in found.result.get("differences", []) if row["team_id"] in ("", str(team.id))]
    earlier = Notice.objects.filter(team=team, kind="ledger_differs").order_by("-at").values_list("data", flat=True)
    told = {name for data in earlier[:REMEMBERED] for name in data["told"]}
    new = [name for name in map(_name, rows) if name not in told]
    if new:
        data = _about(found.gateway, found.month) | {"count": len(new), "told": new}
        notices.tell("ledger_differs", team=team, key=f"ledger_differs:{found.id}", data=data)


def _tell_of_balance(team: Team, look: BalanceLook) -> None:
    micros = look.difference_micros
    data = _about(look.gateway, look.at.date()) | {"micros": abs(micros), "came_in": micros > 0}
    notices.tell("balance_differs", team=team, key=f"balance_differs:{look.id}", data=data)


def _about(gateway: Gateway, month: date) -> dict[str, Any]:
    return {"gateway": gateway.slug, "name": gateway.name, "month": f"{month:%Y-%m}"}


def _name(row: dict[str, Any]) -> str:
    """The same for the same difference, whenever it is found."""
    told = "|".join(str(row[part]) for part in ("kind", "order_id", "request_id", "ours", "theirs"))
    return hashlib.sha256(told.encode()).hexdigest()[:12]
