"""Money set aside that no open order needs, and counters that do not add up to the ledger."""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Sum

from playground.domain.status import ENDED, Status
from playground.models import Budget, EntryKind, Generation, LedgerEntry
from playground.services import ledger
from playground.services.saving import cost_of

if TYPE_CHECKING:
    from playground.services.repair import Finding, InTime

AT_ONCE = 500
MADE = (Status.DONE, Status.OUTPUT_LOST)


def unclosed(*, now: datetime, dry_run: bool, in_time: "InTime") -> "Iterator[Finding]":
    """Orders that ended, that nobody looks for any more, and whose money is still set aside."""
    from playground.services.repair import Finding

    closing = LedgerEntry.objects.filter(generation=OuterRef("id")).exclude(kind=EntryKind.HOLD)
    held = LedgerEntry.objects.filter(generation=OuterRef("id"), kind=EntryKind.HOLD)
    rows = Generation.objects.filter(Exists(held), ~Exists(closing), status__in=ENDED, next_check_at=None)
    rows = rows.select_related("gateway", "team", "run", "model").order_by("id")
    for row in takewhile(in_time, rows[:AT_ONCE]):
        costs = row.state in MADE or (row.cost_micros is not None and row.state is not Status.REJECTED)
        micros = cost_of(row) if costs else 0
        costs = costs and micros is not None  # of one without a price and a cost nothing is known to write down
        if not dry_run and costs:
            ledger.settle(generation=row, cost_micros=micros, at=now)
        elif not dry_run:
            ledger.release(generation=row, at=now)
        done = f"its cost of {micros} micros is written down" if costs else "it is free again"
        yield Finding("money set aside", f"order {row.id} ({row.status})", done, row.team)


def counters(*, dry_run: bool, in_time: "InTime") -> "Iterator[Finding]":
    """A month's counter is the sum of its ledger entries, without play money."""
    from playground.services.repair import Finding

    for budget_id in takewhile(in_time, Budget.objects.order_by("id").values_list("id", flat=True)):
        with transaction.atomic():
            budget = Budget.objects.select_for_update(of=("self",)).select_related("team").get(id=budget_id)
            held, spent = _sums(budget)
            was = (budget.held_micros, budget.spent_micros)
            if was == (held, spent):
                continue
            if not dry_run:
                Budget.objects.filter(id=budget.id).update(held_micros=held, spent_micros=spent)
        whose = "a member" if budget.user_id else "the team"
        thing = f"counter of {whose} of {budget.team.slug}, {budget.month:%Y-%m}"
        yield Finding("counter", thing, f"set aside {was[0]} -> {held}, spent {was[1]} -> {spent} micros", budget.team)


def _sums(budget: Budget) -> tuple[int, int]:
    """What the ledger says is set aside and spent."""
    entries = LedgerEntry.objects.filter(team_id=budget.team_id, month=budget.month, gateway__is_sandbox=False)
    if budget.user_id is not None:
        entries = entries.filter(user_id=budget.user_id)
    closing = LedgerEntry.objects.filter(generation=OuterRef("generation")).exclude(kind=EntryKind.HOLD)
    held = entries.filter(~Exists(closing), kind=EntryKind.HOLD).aggregate(sum=Sum("amount_micros"))["sum"]
    spent = entries.filter(kind=EntryKind.SETTLE).aggregate(sum=Sum("amount_micros"))["sum"]
    return held or 0, spent or 0
