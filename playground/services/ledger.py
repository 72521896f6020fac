"""Money moves: set aside, settle, give back. Append-only rows and one counter a month, changed in one transaction.

The unique constraint (generation, kind) makes each movement happen at most once, whatever is retried. The month is that
of the hold, in the team's time zone, so a cost that arrives after midnight still lands where it was promised. Sandbox
money is written to the ledger too (play money), but never to a budget.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import F, Q

from playground.models import Budget, EntryKind, Generation, LedgerEntry, Team


class OverBudget(Exception):
    """The month's cap does not leave room. Nothing was set aside."""

    def __init__(self, budget: Budget) -> None:
        super().__init__("over budget")
        self.budget = budget


def month_of(team: Team, at: datetime) -> date:
    """First day of the month of `at` on the team's wall calendar."""
    return at.astimezone(ZoneInfo(team.time_zone)).date().replace(day=1)


def hold(*, generation: Generation, amount_micros: int, at: datetime) -> None:
    """Set the money of one order aside. Raises OverBudget; call inside the transaction that makes the order."""
    month = month_of(generation.team, at)
    _entry(generation, EntryKind.HOLD, amount_micros, month, at)
    # fault: hold-entered
    if generation.gateway.is_sandbox:
        return
    for budget in _budgets(generation, month):
        room = Q(cap_micros__isnull=True) | Q(cap_micros__gte=F("held_micros") + F("spent_micros") + amount_micros)
        moved = Budget.objects.filter(room, id=budget.id).update(held_micros=F("held_micros") + amount_micros)
        if not moved:
            raise OverBudget(budget)


def settle(*, generation: Generation, cost_micros: int, at: datetime) -> None:
    """The order cost this much: the money set aside becomes spent. Does nothing when it was settled before."""
    _close(generation, EntryKind.SETTLE, spent_micros=cost_micros, at=at)


def release(*, generation: Generation, at: datetime) -> None:
    """The order cost nothing that we know of: the money set aside is free again. Does nothing when done before."""
    _close(generation, EntryKind.RELEASE, spent_micros=0, at=at)


def _close(generation: Generation, kind: EntryKind, *, spent_micros: int, at: datetime) -> None:
    with transaction.atomic():
        entries = {entry.kind: entry for entry in LedgerEntry.objects.filter(generation=generation)}
        held = entries.get(EntryKind.HOLD)
        if held is None or kind in entries:
            return
        still_held = 0 if EntryKind.RELEASE in entries or EntryKind.SETTLE in entries else held.amount_micros
        amount = spent_micros if kind == EntryKind.SETTLE else still_held
        _entry(generation, kind, amount, held.month, at)
        # fault: settling
        if generation.gateway.is_sandbox:
            return
        for budget in _budgets(generation, held.month):
            Budget.objects.filter(id=budget.id).update(
                held_micros=F("held_micros") - still_held, spent_micros=F("spent_micros") + spent_micros
            )


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


def _budgets(generation: Generation, month: date) -> list[Budget]:
    """The team's counter of the month and the member's, made when missing."""
    counters = Budget.objects.filter(team_id=generation.team_id, month=month)
    team_counter, _ = counters.get_or_create(user=None, defaults={"team_id": generation.team_id, "month": month})
    member = generation.run.created_by
    if member is None:
        return [team_counter]
    return [team_counter, Budget.objects.get_or_create(team_id=generation.team_id, user=member, month=month)[0]]
