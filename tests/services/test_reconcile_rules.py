"""What counts as a difference between our ledger and a gateway's list, and what never does."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from playground.gateway.request_log import LoggedRequest, logged
from playground.models.base import new_id
from playground.services.reconcile_rules import Index, Kind, Ours, Stage, compare, keys_of

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=3)
TEAM = new_id()
ORDERS = 10_000


def ours(stage: Stage = Stage.OVER, **fields) -> Ours:
    given = {"upstream_id": "", "request_id": "", "ordered_at": LONG_AGO, "moved_at": LONG_AGO}
    return Ours(id=new_id(), team_id=TEAM, stage=stage, **{**given, **fields})


def entry(order: Ours | None = None, **fields) -> LoggedRequest:
    told = {"id": f"req_{new_id().hex}", "created_at": LONG_AGO.isoformat(), "status": "completed", "currency": "usd"}
    return logged(told | {"modality": "video", "trace_id": order.id.hex if order else None} | fields)


def kinds(order: Ours, *entries: LoggedRequest) -> list[Kind]:
    return [one.kind for one in compare([order], {order.id: list(entries)}, [], now=NOW).differences]


def test_equal_figures_are_no_difference_and_one_micro_is():
    order = ours(cost=105_000)
    assert kinds(order, entry(order, cost=0.105)) == []
    (found,) = compare([order], {order.id: [entry(order, cost=0.105001)]}, [], now=NOW).differences
    assert (found.kind, found.ours, found.theirs) == (Kind.COST_DIFFERS, 105_000, 105_001)
    assert (found.order_id, found.team_id) == (str(order.id), str(TEAM))


def test_two_charges_for_one_order_are_named_as_such():
    order = ours(cost=100_000)
    assert kinds(order, entry(order, cost=0.1), entry(order, cost=0.1)) == [Kind.CHARGED_TWICE]
    assert kinds(order, entry(order, cost=0.1), entry(order, status="rejected")) == []
    assert kinds(ours(cost=200_000), entry(cost=0.1), entry(cost=0.1)) == []


@pytest.mark.parametrize("stage", [Stage.OVER, Stage.UNCLEAR, Stage.LATE])
def test_a_charge_there_without_a_cost_here_is_reported(stage):
    recent = NOW - timedelta(minutes=1)
    assert kinds(ours(stage, ordered_at=recent), entry(cost=0.5)) == [Kind.CHARGED_THERE]
    assert kinds(ours(stage), entry(cost=0)) == []


def test_an_order_that_still_goes_on_is_left_alone_for_a_day():
    assert kinds(ours(Stage.GOING, aside=500_000, ordered_at=NOW - timedelta(hours=2)), entry(cost=0.5)) == []
    assert kinds(ours(Stage.GOING, aside=500_000), entry(cost=0.5)) == [Kind.CHARGED_THERE]


def test_a_cost_here_that_the_list_does_not_have_is_reported_unless_it_is_fresh():
    assert kinds(ours(cost=1)) == [Kind.SETTLED_HERE]
    assert kinds(ours(cost=0)) == []
    fresh = ours(cost=1, moved_at=NOW - timedelta(minutes=1))
    result = compare([fresh], {}, [], now=NOW)
    assert (result.differences, result.fresh) == ([], 1)


def test_a_cost_that_the_list_does_not_name_is_reported_unless_it_is_fresh():
    assert kinds(ours(cost=1), entry(status="processing")) == [Kind.COST_MISSING]
    assert kinds(ours(cost=0), entry(status="upstream_failure")) == []
    assert kinds(ours(cost=1, moved_at=NOW), entry(status="processing")) == []
    assert kinds(ours(cost=1, moved_at=NOW), entry(cost=2)) == [Kind.COST_DIFFERS]


def test_another_currency_is_not_compared_but_named():
    order = ours(cost=500_000)
    (found,) = compare([order], {order.id: [entry(cost=0.5, currency="eur")]}, [], now=NOW).differences
    assert (found.kind, found.currency, found.theirs) == (Kind.CURRENCY, "EUR", None)


def test_money_that_is_still_set_aside_after_the_end_is_reported():
    assert kinds(ours(Stage.OVER, aside=300_000)) == [Kind.STILL_ASIDE]
    assert kinds(ours(Stage.OVER, aside=300_000), entry(cost=0.3)) == [Kind.CHARGED_THERE]
    for stage in (Stage.GOING, Stage.UNCLEAR, Stage.LATE):
        assert kinds(ours(stage, aside=300_000)) == []


def test_an_unclear_order_that_the_list_says_has_failed_is_reported():
    order = ours(Stage.UNCLEAR, aside=300_000)
    assert kinds(order, entry(order, status="upstream_failure")) == [Kind.ENDED_THERE]
    assert kinds(order, entry(order, status="processing")) == []
    assert kinds(order, entry(order, status="completed")) == []


def test_an_order_of_nobody_is_reported_when_it_costs_or_may_cost():
    def strange(**fields) -> list[Kind]:
        return [one.kind for one in compare([], {}, [entry(**fields)], now=NOW).differences]

    assert strange(cost=0.5) == [Kind.UNKNOWN_THERE]
    assert strange(status="processing") == [Kind.UNKNOWN_THERE]
    assert strange(cost=3, currency="eur") == [Kind.UNKNOWN_THERE]
    assert strange(status="rejected") == []
    assert strange(cost=0) == []
    assert strange(cost=0.5, created_at=NOW.isoformat()) == []
    assert compare([], {}, [entry(cost=0.5, modality="image")], now=NOW).others == 1


def test_an_entry_is_found_by_trace_request_video_or_common_ending():
    ending = "A" * 27
    traced, by_request, by_video = ours(), ours(request_id=f"req_{'b' * 27}"), ours(upstream_id=f"video_{ending}")
    index = Index([traced, by_request, by_video])
    assert index.find(entry(traced)) == traced
    assert index.find(entry(id=f"req_{'b' * 27}")) == by_request
    assert index.find(entry(id=f"req_{ending}")) == by_video
    assert index.find(entry(id=f"video_{ending}")) == by_video
    assert index.find(entry(id=f"other_{ending}")) is None
    assert index.find(entry(id="")) is None


def test_a_short_ending_proves_nothing():
    assert keys_of("req_1") == ["req_1"]
    assert Index([ours(upstream_id="video_1")]).find(entry(id="req_1")) is None


def truthful(chance: random.Random) -> tuple[Ours, list[LoggedRequest]]:
    """An order in one of the states of an ordinary month, with entries that agree with it."""
    micros = chance.randrange(1, 5_000_000)
    state = chance.choice(("done", "done", "done", "failed", "refused", "running", "unclear", "late", "retried"))
    if state == "refused":
        return ours(), []
    if state == "failed":
        order = ours(cost=chance.choice((None, 0)))
        return order, [entry(order, status=chance.choice(("upstream_failure", "rejected", "cancelled")))]
    if state == "running":
        order = ours(Stage.GOING, aside=micros)
        return order, [entry(order, status=chance.choice(("pending", "processing")))]
    if state == "unclear":
        return ours(Stage.UNCLEAR, aside=micros), []
    if state == "late":
        order = ours(Stage.LATE, aside=micros)
        return order, [entry(order, status="processing")]
    ids = {"upstream_id": f"video_{new_id().hex}", "request_id": f"req_{new_id().hex}"}
    order = ours(cost=micros, **ids)
    named = {"trace_id": None, "id": ids["request_id"]} if chance.random() < 0.5 else {}
    paid = entry(order, cost=micros / 1_000_000, **named)
    return order, [paid, entry(order, status="rejected")] if state == "retried" else [paid]


def test_ten_thousand_orders_give_no_false_report_and_each_micro_is_seen():
    chance = random.Random(20261120)
    pairs = [truthful(chance) for _ in range(ORDERS)]
    index = Index(order for order, _ in pairs)
    mine: dict = {}
    for order, entries in pairs:
        for one in entries:
            assert index.find(one) is order
            mine.setdefault(order.id, []).append(one)
    orders = [order for order, _ in pairs]
    result = compare(orders, mine, [], now=NOW)
    assert result.differences == []
    assert result.tallies[str(TEAM)].orders == ORDERS
    paid = [order for order in orders if order.cost]
    seeded = {order.id for order in chance.sample(paid, 25)}
    changed = [replace(order, cost=order.cost + 1) if order.id in seeded else order for order in orders]
    found = compare(changed, mine, [], now=NOW).differences
    assert {one.order_id for one in found} == {str(id) for id in seeded}
    assert {one.kind for one in found} == {Kind.COST_DIFFERS}
    assert all(one.ours - one.theirs == 1 for one in found)
