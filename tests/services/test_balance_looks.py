"""The account between two looks: what its charges explain, and what they do not."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from playground.models import BalanceLook, Notice, Reconciliation
from playground.services import balance_looks, reconcile, reconcile_daily
from playground.services.balance_looks import Charge, bounds, difference
from tests import factories
from tests.services import test_reconcile
from tests.services.test_reconcile import by, gateway, listed, paid, server  # noqa: F401  fixtures

T = datetime(2026, 10, 12, 12, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONTH = test_reconcile.MONTH
pytestmark = pytest.mark.django_db


@pytest.fixture
def has(monkeypatch):
    """Sets what is left on the account, in dollars."""
    return lambda dollars: monkeypatch.setitem(test_reconcile.BALANCE["available"], "amount", dollars)


def look(gateway, *, at):  # noqa: F811
    return reconcile.run_now(gateway=gateway, month=MONTH, now=at)


def newest() -> BalanceLook:
    return BalanceLook.objects.latest("at")


@pytest.mark.parametrize(
    ("begins", "ends", "is_sure", "expected"),
    [
        (HOUR, 2 * HOUR, True, (7, 7)),
        (-HOUR, HOUR, True, (0, 7)),
        (23 * HOUR, 25 * HOUR, True, (0, 7)),
        (HOUR, 2 * HOUR, False, (0, 7)),
        (-2 * HOUR, -HOUR, True, (0, 0)),
        (25 * HOUR, 26 * HOUR, True, (0, 0)),
    ],
)
def test_charge_counts_for_certain_only_when_it_was_surely_booked_between_the_looks(begins, ends, is_sure, expected):
    assert bounds([Charge(7, T + begins, T + ends, is_sure)], after=T, upto=T + DAY) == expected


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        (10_000_000, 9_000_000, 0),
        (10_000_000, 8_000_000, 0),
        (10_000_000, 7_995_000, 0),  # a rounded balance
        (10_000_000, 7_000_000, -1_000_000),
        (10_000_000, 9_500_000, 500_000),
        (10_000_000, 30_000_000, 21_000_000),
        (1_500_000, 0, 0),
        (0, 5_000_000, 6_000_000),
        (1, 0, 0),  # a debt is told as nothing: what it hides is no top-up
    ],
)
def test_only_what_neither_least_nor_most_explains_is_a_difference(was, now, told):
    assert difference(was, now, least=1_000_000, most=2_000_000) == told


def test_charges_of_the_list_explain_the_change_and_the_first_look_has_nothing_to_compare(
    gateway, paid, listed, has  # noqa: F811
):  # fmt: skip
    has(12.5)
    look(gateway, at=T)
    generation = paid(cost=400_000, at=T + HOUR)
    listed.add(generation, cost=0.4, created_at=(T + HOUR).isoformat())
    listed.add(cost=0.1, created_at=(T + HOUR).isoformat(), modality="image")
    has(12.0)
    found = look(gateway, at=T + DAY)

    first, second = BalanceLook.objects.order_by("at")
    assert (first.since_at, first.difference_micros) == (None, 0)
    assert (second.since_at, second.change_micros, second.ours_micros) == (T, -500_000, 400_000)
    assert (second.least_micros, second.most_micros, second.difference_micros) == (500_000, 500_000, 0)
    assert not Notice.objects.filter(kind="balance_differs").exists()
    assert found.result["balance_micros"] == 12_000_000


def test_two_comparisons_at_the_same_time_are_one_look(gateway, has):  # noqa: F811
    has(12.5)
    look(gateway, at=T)

    def read(after: datetime, until: datetime) -> list:
        has(10)
        look(gateway, at=T + DAY)  # another, of another month, was faster
        return []

    assert balance_looks.look(gateway, 10_000_000, read=read, now=T + DAY + HOUR) is None
    assert look(gateway, at=T + DAY)
    assert list(BalanceLook.objects.order_by("at").values_list("difference_micros", flat=True)) == [0, -2_500_000]


def test_late_cost_of_an_order_under_way_at_a_look_is_no_difference_before_or_after(
    gateway, paid, listed, has  # noqa: F811
):  # fmt: skip
    has(12.5)
    look(gateway, at=T)
    generation = paid(at=T + HOUR)
    listed.add(generation, created_at=(T + HOUR).isoformat(), status="in_progress", cost=None)
    has(12.1)  # booked there already
    look(gateway, at=T + 2 * HOUR)
    listed.entries.clear()
    listed.add(generation, created_at=(T + HOUR).isoformat(), cost=0.4)
    reconcile_settle(generation, at=T + 3 * HOUR)
    look(gateway, at=T + DAY)

    assert list(BalanceLook.objects.values_list("difference_micros", flat=True)) == [0, 0, 0]


def reconcile_settle(generation, *, at):
    from playground.services import ledger

    ledger.settle(generation=generation, cost_micros=400_000, at=at)


def test_money_that_somebody_else_spent_is_named_by_command_and_notice_and_told_once(
    gateway, paid, listed, has, capsys, monkeypatch  # noqa: F811
):  # fmt: skip
    paid(cost=0, at=T - DAY)
    monkeypatch.setattr(reconcile_daily.timezone, "now", lambda: T + DAY)
    has(12.5)
    look(gateway, at=T)
    has(10)
    look(gateway, at=T + DAY)
    look(gateway, at=T + DAY + HOUR)

    notice = Notice.objects.get(kind="balance_differs")
    assert (notice.data["micros"], notice.data["came_in"]) == (2_500_000, False)
    with pytest.raises(CommandError) as ended:
        call_command("reconcile", month="2026-10", gateway=gateway.slug)
    assert ended.value.returncode == 1
    printed = capsys.readouterr().out
    assert "$12.50 on" in printed
    assert "$2.50 more was spent. Somebody else may use the same key" in printed
    assert "1 difference." in printed


def test_top_up_is_named_and_is_no_difference_of_the_books(
    gateway, paid, listed, has, capsys, monkeypatch  # noqa: F811
):  # fmt: skip
    paid(cost=0, at=T - DAY)
    monkeypatch.setattr(reconcile_daily.timezone, "now", lambda: T + DAY)
    has(12.5)
    look(gateway, at=T)
    has(112.5)
    look(gateway, at=T + DAY)

    call_command("reconcile", month="2026-10", gateway=gateway.slug)
    printed = capsys.readouterr().out
    assert "$100.00 came in. That is a top-up" in printed
    assert "No difference" in printed
    assert Notice.objects.get(kind="balance_differs").data["came_in"]


def test_gateway_without_a_list_is_compared_with_our_own_costs(gateway, paid, has):  # noqa: F811
    gateway.has_request_log = False
    gateway.save()
    has(12.5)
    look(gateway, at=T)
    paid(cost=500_000, at=T + HOUR)
    has(11.5)
    look(gateway, at=T + DAY)
    assert newest().difference_micros == -500_000


def test_look_of_long_ago_is_not_compared_with(gateway, has):  # noqa: F811
    has(12.5)
    look(gateway, at=T - balance_looks.LONGEST_GAP - HOUR)
    has(1)
    look(gateway, at=T)
    assert newest().since_at is None


def test_admins_are_told_of_each_difference_once(gateway, paid, listed):  # noqa: F811
    listed.add(paid(cost=100_000), cost=0.2)
    look(gateway, at=test_reconcile.NOW)
    look(gateway, at=test_reconcile.NOW + HOUR)
    assert [notice.data["count"] for notice in Notice.objects.filter(kind="ledger_differs")] == [1]

    listed.add(paid(cost=100_000), cost=0.3)
    listed.add(cost=0.1, id="req_nobody")
    look(gateway, at=test_reconcile.NOW + DAY)
    counts = Notice.objects.filter(kind="ledger_differs").order_by("at").values_list("data__count", flat=True)
    assert list(counts) == [1, 2]


def test_each_gateway_with_real_orders_of_the_month_is_compared_once_a_day(gateway, paid):  # noqa: F811
    assert reconcile_daily.start_due(now=T) == 0
    paid(cost=1)
    factories.make_gateway(is_sandbox=False)  # its key is not here
    now = datetime.now(UTC)
    Reconciliation.objects.create(gateway=gateway, month=MONTH, started_at=T)

    assert reconcile_daily.start_due(now=T + HOUR) == 0
    assert reconcile_daily.start_due(now=T + DAY) == 1
    assert reconcile_daily.start_due(now=now) == 0  # a month that is long over
    (task,) = reconcile.queue.take_all()
    assert task["func"] == "playground.tasks.reconcile"
    gateway.is_sandbox = True
    gateway.save()
    assert reconcile_daily.start_due(now=T + 3 * DAY) == 0
