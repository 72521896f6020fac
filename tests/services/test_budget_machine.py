"""Any order of setting aside, settling, giving back and changing limits: counters are what the ledger adds up to."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from playground.models import Budget, EntryKind, Generation, LedgerEntry, Membership, Role, Team
from playground.services import ledger, limits
from tests import factories

STEP = timedelta(days=5)
AMOUNTS = st.integers(min_value=0, max_value=40)
CAPS = st.none() | st.integers(min_value=0, max_value=100)


class Money(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.now = datetime(2026, 10, 20, 23, tzinfo=UTC)
        gateway = factories.make_gateway(is_sandbox=False)
        self.model = factories.make_model(gateway=gateway)
        self.team = factories.make_team(time_zone="Europe/Berlin")
        self.people = [factories.make_member(team=self.team, role=Role.ADMIN) for _ in range(2)]
        self.open: list[Generation] = []
        self.closed: list[Generation] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @rule(who=st.integers(0, 1), amount=AMOUNTS)
    def order(self, who: int, amount: int) -> None:
        by = Membership.objects.select_related("team", "user").get(id=self.people[who].id)
        generation = factories.make_generation(by=by, model=self.model, status="running")
        try:
            with transaction.atomic():
                ledger.hold(generation=generation, amount_micros=amount, at=self.now)
        except ledger.OverBudget as refused:
            budget = Budget.objects.filter(id=refused.budget.id).first() or refused.budget
            assert budget.cap_micros is not None
            assert budget.held_micros + budget.spent_micros + amount > budget.cap_micros
            return
        self.open.append(generation)
        for budget in self.counters(generation):
            assert budget.cap_micros is None or budget.held_micros + budget.spent_micros <= budget.cap_micros

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 100), cost=AMOUNTS)
    def settle(self, which: int, cost: int) -> None:
        generation = self.open.pop(which % len(self.open))
        ledger.settle(generation=generation, cost_micros=cost, at=self.now)
        self.closed.append(generation)

    @precondition(lambda self: self.open)
    @rule(which=st.integers(0, 100))
    def release(self, which: int) -> None:
        generation = self.open.pop(which % len(self.open))
        ledger.release(generation=generation, at=self.now)
        self.closed.append(generation)

    @precondition(lambda self: self.closed)
    @rule(which=st.integers(0, 100), cost=AMOUNTS, late=st.booleans())
    def close_again(self, which: int, cost: int, late: bool) -> None:
        """The same news once more, or a cost that comes after the money was given back."""
        generation = self.closed[which % len(self.closed)]
        if late:
            ledger.settle(generation=generation, cost_micros=cost, at=self.now)
        else:
            ledger.release(generation=generation, at=self.now)

    @rule(cap=CAPS, per_member=CAPS, own=CAPS, who=st.integers(0, 1))
    def change_limits(self, cap: int | None, per_member: int | None, own: int | None, who: int) -> None:
        team = Team.objects.get(id=self.team.id)
        wanted = limits.Limits(cap, per_member, None, team.time_zone)
        limits.change(by=self.people[who], limits=wanted, own={self.people[0].id: own}, now=self.now)

    @rule()
    def time_passes(self) -> None:
        self.now += STEP

    @invariant()
    def counters_are_the_sums_of_the_ledger(self) -> None:
        for budget in Budget.objects.filter(team=self.team):
            entries = LedgerEntry.objects.filter(team=self.team, month=budget.month)
            if budget.user_id:
                entries = entries.filter(user_id=budget.user_id)
            closed = entries.exclude(kind=EntryKind.HOLD).values("generation_id")
            held = entries.filter(kind=EntryKind.HOLD).exclude(generation_id__in=closed)
            assert budget.held_micros == _sum(held)
            assert budget.spent_micros == _sum(entries.filter(kind=EntryKind.SETTLE))

    def counters(self, generation: Generation) -> list[Budget]:
        hold = LedgerEntry.objects.get(generation=generation, kind=EntryKind.HOLD)
        rows = Budget.objects.filter(team=self.team, month=hold.month)
        return [row for row in rows if row.user_id in (None, hold.user_id)]


def _sum(entries) -> int:
    return entries.aggregate(sum=Sum("amount_micros"))["sum"] or 0


@pytest.mark.django_db
def test_counters_are_the_ledgers_sums_and_no_order_breaks_a_limit():
    """10 times 25 steps; 500 times 50 with `--hypothesis-profile=long --timeout=0`."""
    examples = settings().max_examples // 4
    run_state_machine_as_test(Money, settings=settings(max_examples=examples, suppress_health_check=list(HealthCheck)))
