"""Money moves: set aside, settle, give back. Append-only rows and one counter a month, changed in one transaction.

The unique constraint (generation, kind) makes each movement happen at most once, whatever is retried. The month is that
of the hold, in the team's time zone, so a cost that arrives after midnight still lands where it was promised. A cost is
settled in full, also above what was set aside: it is said, and a month that is over its cap takes no further order.
Sandbox money is written to the ledger too (play money), but never to a budget.
"""

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from playground.models import Budget, EntryKind, Event, Generation, LedgerEntry
from playground.services import budget_levels, budgets, notices
from playground.services.budgets import month_of

__all__ = ["OverBudget", "hold", "month_of", "release", "settle"]


class OverBudget(Exception):
    """The month's cap does not leave room, or it takes no more orders without a price. Nothing was set aside."""

    def __init__(self, budget: Budget) -> None:
        super().__init__("over budget")
        self.budget = budget


def hold(*, generation: Generation, amount_micros: int, at: datetime) -> None:
    """Set the money of one order aside. Raises OverBudget; call inside the transaction that makes the order."""
    month = month_of(generation.team, at)
    _entry(generation, EntryKind.HOLD, amount_micros, month, at)
    # fault: hold-entered
    if generation.gateway.is_sandbox:
        return
    counters = _counters(generation, month)
    is_unpriced = not amount_micros and generation.estimate_micros is None
    if is_unpriced and not budgets.takes_unpriced(generation.team_id, generation.run.created_by_id, month):
        raise OverBudget(counters[0])
    for budget in counters:
        if not budgets.take(budget, amount_micros):
            raise OverBudget(budget)
        budget_levels.grown(budget=budget, by_micros=amount_micros, at=at)


def settle(*, generation: Generation, cost_micros: int | None, at: datetime) -> None:
    """The order cost this much: the money set aside becomes spent. Does nothing when it was settled before.

    A cost that is not known (None) is no cost of 0: what was set aside is given back, and the order can still be
    settled should its cost become known.
    """
    if cost_micros is None:
        release(generation=generation, at=at)
        return
    _close(generation, EntryKind.SETTLE, spent_micros=cost_micros, at=at)


def release(*, generation: Generation, at: datetime) -> None:
    """The order cost nothing that we know of: the money set aside is free again. Does nothing when that was closed."""
    _close(generation, EntryKind.RELEASE, spent_micros=0, at=at)


def _close(generation: Generation, kind: EntryKind, *, spent_micros: int, at: datetime) -> None:
    with transaction.atomic():
        entries = {entry.kind: entry for entry in LedgerEntry.objects.filter(generation=generation)}
        held = entries.get(EntryKind.HOLD)
        if held is None or kind in entries or EntryKind.SETTLE in entries:
            return
        still_held = 0 if EntryKind.RELEASE in entries else held.amount_micros
        amount = spent_micros if kind == EntryKind.SETTLE else still_held
        _entry(generation, kind, amount, held.month, at)
        # fault: settling
        if spent_micros > held.amount_micros:
            _say_dearer(generation, held.amount_micros, spent_micros, at=at)
        if generation.gateway.is_sandbox:
            return
        for budget in _counters(generation, held.month):
            Budget.objects.filter(id=budget.id).update(
                held_micros=F("held_micros") - still_held, spent_micros=F("spent_micros") + spent_micros
            )
            budget_levels.grown(budget=budget, by_micros=spent_micros - still_held, at=at)


def held_micros(generation: Generation) -> int:
    """What is set aside for an order now: 0 once its cost is settled or the money given back."""
    entries = dict(LedgerEntry.objects.filter(generation=generation).values_list("kind", "amount_micros"))
    return int(entries.get(EntryKind.HOLD, 0)) if entries.keys() <= {EntryKind.HOLD} else 0


def _say_dearer(generation: Generation, held_micros: int, cost_micros: int, *, at: datetime) -> None:
    data: dict[str, Any] = {"held_micros": held_micros, "cost_micros": cost_micros}
    Event.objects.create(generation=generation, kind="cost_above_set_aside", data=data, at=at)
    if not generation.gateway.is_sandbox:
        data |= {"run": str(generation.run_id), "model": generation.model.slug}
        notices.tell("cost_above_set_aside", team=generation.team, key=f"dearer:{generation.id}", data=data, now=at)


def _entry(generation: Generation, kind: EntryKind, amount_micros: int, month: date, at: datetime) -> None:
    LedgerEntry.objects.create(
        generation=generation,
        team_id=generation.team_id,
        user_id=generation.run.created_by_id,
        gateway_id=generation.gateway_id,
        kind=kind,
        amount_micros=amount_micros,
        month=month,
        at=at,
    )


def _counters(generation: Generation, month: date) -> list[Budget]:
    return budgets.counters(team_id=generation.team_id, user_id=generation.run.created_by_id, month=month)
