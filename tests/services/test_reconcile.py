"""The comparison with a gateway over a real socket: what is read, what is kept, and that no money moves."""

import socket
from datetime import UTC, date, datetime, timedelta

import pytest

from playground.domain.status import Status
from playground.models import Budget, Gateway, LedgerEntry, Membership, Reconciliation, ReconciliationState
from playground.services import reconcile
from playground.services.reconcile_words import findings, outcome
from tests import factories
from tests.gateway.fake import Fake, Heard, fake, reply
from tests.support.money import order

pytestmark = pytest.mark.django_db
MONTH = date(2026, 10, 1)
AT = datetime(2026, 10, 12, 9, tzinfo=UTC)
NOW = datetime(2026, 11, 21, tzinfo=UTC)
BALANCE = {"object": "balance", "billing_type": "prepaid", "available": {"amount": 12.5, "currency": "usd"}}


class Listed:
    """A gateway with a list of requests: what is in `entries`, two to a page."""

    def __init__(self) -> None:
        self.entries: list[dict] = []
        self.status = 200

    def __call__(self, heard: Heard, sock: socket.socket) -> None:
        if "/requests" not in heard.target:
            sock.sendall(reply(200, BALANCE))
            return
        if self.status != 200:
            sock.sendall(reply(self.status, b"{}"))
            return
        begin = int(heard.target.partition("starting_after=")[2] or 0)
        more = begin + 2 < len(self.entries)
        link = f"?starting_after={begin + 2}" if more else None
        sock.sendall(reply(200, {"data": self.entries[begin : begin + 2], "next_page_url": link}))

    def add(self, generation=None, **fields) -> None:
        entry = {"id": f"req_{len(self.entries)}", "created_at": AT.isoformat(), "status": "completed"}
        trace = generation.id.hex if generation else None
        self.entries.append({**entry, "currency": "usd", "modality": "video", "trace_id": trace, **fields})


@pytest.fixture
def listed():
    return Listed()


@pytest.fixture
def server(listed):
    with fake(listed) as running:
        yield running


@pytest.fixture
def gateway(server: Fake, settings) -> Gateway:
    settings.GATEWAY_BASE_URL, settings.GATEWAY_API_KEY = f"{server.origin}/openai/v1", "a-key-of-this-test"
    settings.GATEWAY_DIALECT = "lumenfall"
    return factories.make_gateway(
        slug="custom", is_sandbox=False, base_url=settings.GATEWAY_BASE_URL, has_request_log=True
    )


@pytest.fixture
def by() -> Membership:
    return factories.make_member()


@pytest.fixture
def paid(by, gateway):
    model = factories.make_model("kling-v3", gateway=gateway)

    def make(**fields):
        return order(by=by, model=model, **{"at": AT, **fields})

    return make


def kinds(found: Reconciliation) -> list[str]:
    return [row["kind"] for row in found.result["differences"]]


def test_a_month_that_agrees_has_no_difference(paid, listed, gateway):
    made = [paid(cost=105_001) for _ in range(5)]
    for generation in made:
        listed.add(generation, cost=0.105001)
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    assert (found.state, kinds(found)) == (ReconciliationState.CHECKED, [])
    tally = found.result["tallies"][str(made[0].team_id)]
    assert tally == {"orders": 5, "ours": 525_005, "theirs": 525_005, "aside": 0}
    assert (found.result["balance_micros"], found.result["requests"]) == (12_500_000, 5)
    assert outcome(found, gateway, count=0)[1] == "good"


def test_one_micro_is_found_with_both_figures_and_nothing_moves(paid, listed, gateway):
    generation = paid(cost=105_000)
    listed.add(generation, cost=0.105001)
    before = [list(LedgerEntry.objects.values()), list(Budget.objects.values())]
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    (told,) = findings(found)
    assert told.sentence == "The gateway charged $0.105001, here the cost is $0.105."
    assert (told.here, told.there, told.order_id) == ("$0.105", "$0.105001", str(generation.id))
    assert before == [list(LedgerEntry.objects.values()), list(Budget.objects.values())]


def test_every_kind_of_difference_is_named_in_a_sentence(paid, listed, gateway):
    listed.add(paid(given_back=True), cost=0.4)
    paid(cost=400_000)
    listed.add(paid(cost=300_000), cost=None)
    listed.add(paid(cost=200_000), cost=0.2, currency="eur")
    paid(price=80_000, status=Status.FAILED)
    listed.add(paid(status=Status.UNKNOWN, price=72_000), status="upstream_failure")
    listed.add(cost=0.05, id="req_nobody", model="wan-2.6")
    twice = paid(cost=80_000)
    for _ in range(2):
        listed.add(twice, cost=0.08)
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    assert sorted(kinds(found)) == sorted([
        "charged_there", "settled_here", "cost_missing", "currency", "still_aside", "ended_there", "unknown_there",
        "charged_twice",
    ])  # fmt: skip
    assert {"no order", "not listed", "$0.10 set aside", "$0.09 set aside"} <= {
        text for told in findings(found) for text in (told.here, told.there)
    }
    sentences = " ".join(told.sentence for told in findings(found))
    for words in ("$0.40", "EUR", "more than once, $0.16 in all", "none of ours", "$0.10 is still set aside"):
        assert words in sentences, words
    assert "%(" not in sentences + " ".join(told.advice for told in findings(found))


def test_orders_of_other_months_teams_and_rows_are_not_unknown(paid, listed, gateway):
    earlier = paid(cost=100, at=AT - timedelta(days=20))
    listed.add(earlier, cost=0.0001)
    other = factories.make_generation(model=factories.make_model(gateway=factories.make_gateway(is_sandbox=False)))
    listed.add(other, cost=1)
    ending = "Z" * 27
    factories.make_generation(model=other.model, upstream_id=f"video_{ending}")
    listed.add(cost=1, id=f"req_{ending}")
    listed.add(cost=1, created_at=(AT + timedelta(days=25)).isoformat())
    assert kinds(reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)) == []


def test_an_order_that_was_sent_long_after_its_month_is_still_looked_for(paid, listed, server, gateway):
    late = AT + timedelta(days=40)
    listed.add(paid(cost=100, sent_at=late, submitted_at=late), cost=0.0001, created_at=late.isoformat())
    assert kinds(reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)) == []
    asked = next(heard.target for heard in server.heard if "/requests" in heard.target)
    assert "created_after=2026-09-30T09%3A00%3A00Z" in asked
    assert "created_before=2026-11-21T11%3A00%3A00Z" in asked


def test_an_entry_that_comes_twice_is_counted_once(paid, listed, gateway):
    generation = paid(cost=100)
    listed.add(generation, cost=0.0001, id="req_same")
    listed.add(generation, cost=0.0001, id="req_same")
    assert kinds(reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)) == []


@pytest.mark.parametrize("has_log", [True, False])
def test_a_gateway_without_a_list_says_so_and_still_finds_what_is_set_aside(paid, listed, server, gateway, has_log):
    Gateway.objects.filter(id=gateway.id).update(has_request_log=has_log)
    gateway.refresh_from_db()
    listed.status = 404
    paid(cost=400_000)
    paid(price=100_000, status=Status.FAILED)
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    assert (found.state, kinds(found)) == (ReconciliationState.NO_LOG, ["still_aside"])
    assert "keeps no list of what it charged" in outcome(found, gateway, count=1)[0]
    assert any("/requests" in heard.target for heard in server.heard) is has_log


def test_a_list_that_breaks_off_is_no_result(paid, listed, gateway):
    paid(cost=400_000)
    listed.status = 401
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    assert (found.state, found.result["problem"]) == (ReconciliationState.FAILED, "account_key")
    assert "Nothing was compared" in outcome(found, gateway, count=0)[0]


def test_a_list_that_takes_too_long_is_given_up(paid, listed, gateway, monkeypatch):
    listed.add(paid(cost=100), cost=0.0001)
    monkeypatch.setattr(reconcile, "READ_WITHIN_S", -1.0)
    found = reconcile.run_now(gateway=gateway, month=MONTH, now=NOW)
    assert (found.state, found.result["problem"]) == (ReconciliationState.FAILED, "too_slow")


def test_a_gateway_whose_key_is_gone_is_a_result_in_words(gateway, settings):
    other = factories.make_gateway(is_sandbox=False, has_request_log=True)
    found = reconcile.run_now(gateway=other, month=MONTH, now=NOW)
    assert (found.state, found.result["problem"]) == (ReconciliationState.FAILED, "not_configured")


def test_two_presses_are_one_comparison_until_it_is_done(gateway, by, paid, listed):
    first = reconcile.start(gateway=gateway, month=MONTH, by=by.user)
    assert reconcile.start(gateway=gateway, month=MONTH, by=by.user) == first
    (task,) = reconcile.queue.take_all()
    assert (task["func"], task["args"]) == ("playground.tasks.reconcile", (str(first.id),))
    reconcile.run_stored(first.id)
    first.refresh_from_db()
    assert first.state == ReconciliationState.CHECKED
    assert reconcile.start(gateway=gateway, month=MONTH, by=by.user) != first


def test_a_comparison_that_died_with_its_worker_does_not_bar_the_next(gateway, by):
    dead = reconcile.start(gateway=gateway, month=MONTH, by=by.user)
    Reconciliation.objects.filter(id=dead.id).update(started_at=dead.started_at - reconcile.GIVEN_UP_AFTER)
    dead.refresh_from_db()
    assert not reconcile.is_under_way(dead)
    assert reconcile.start(gateway=gateway, month=MONTH, by=by.user) != dead
    reconcile.run_stored(dead.id)
    dead.refresh_from_db()
    assert dead.state == ReconciliationState.RUNNING


def test_only_the_newest_results_are_kept(gateway, monkeypatch):
    monkeypatch.setattr(reconcile, "KEEP_RESULTS", 2)
    made = [reconcile.run_now(gateway=gateway, month=MONTH, now=NOW).id for _ in range(4)]
    assert set(Reconciliation.objects.values_list("id", flat=True)) == set(made[2:])
