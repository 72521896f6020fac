"""Stopping an order, row by row: what is written of it, and that no other order hears of it."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from playground import queue
from playground.domain.status import STOP_FAILED, Status
from playground.gateway.errors import NotSent
from playground.models import Event, Gateway, Generation, LedgerEntry, Membership, Role
from playground.services import gateways, ledger, stops
from playground.services.run_errors import NotAllowed
from tests import factories
from tests.bench import money

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def creator() -> Membership:
    return factories.make_member()


@pytest.fixture
def queued_tasks(monkeypatch) -> list[tuple[Any, ...]]:
    tasks: list[tuple[Any, ...]] = []
    monkeypatch.setattr(queue, "enqueue", lambda *what, **how: tasks.append((*what, how)))
    return tasks


def sent(by: Membership, **fields) -> Generation:
    return factories.make_generation(by=by, **{"status": Status.RUNNING, "upstream_id": "video_1"} | fields)


def as_it_is(row: Generation) -> Generation:
    return Generation.objects.get(id=row.id)


def gateway_that(monkeypatch, error: Exception | None = None, *, meanwhile: Status | None = None) -> list[Any]:
    """What it is asked, by which gateway's row. `meanwhile`: what became of all orders while it was asked."""
    asked: list[Any] = []

    @contextmanager
    def client_for(gateway: Gateway) -> Any:
        def cancel(upstream_id: str) -> None:
            asked.append((gateway.id, upstream_id))
            if meanwhile:
                Generation.objects.update(status=meanwhile, next_check_at=None)
            if error:
                raise error

        yield SimpleNamespace(cancel=cancel)

    monkeypatch.setattr(gateways, "client_for", client_for)
    return asked


def test_sent_order_is_asked_once_by_whoever_is_first(creator, queued_tasks):
    row, other = sent(creator), sent(creator, upstream_id="video_2")
    assert stops.cancel(by=creator, generation=row, now=NOON)
    assert not stops.cancel(by=creator, generation=row, now=NOON + timedelta(seconds=1))
    now = as_it_is(row)
    assert (now.state, now.stop_requested_at, now.version) == (Status.RUNNING, NOON, row.version + 1)
    event = Event.objects.get()
    assert (event.kind, event.generation_id, event.by, event.at) == ("stop_requested", row.id, creator.user, NOON)
    assert queued_tasks == [("cancel", str(row.id), {"timeout_s": 60})]
    assert as_it_is(other).stop_requested_at is None


def test_waiting_order_is_stopped_at_its_time_by_whoever_pressed(creator, queued_tasks):
    row = factories.make_generation(by=creator, status=Status.QUEUED)
    ledger.hold(generation=row, amount_micros=500_000, at=NOON - timedelta(hours=1))
    assert stops.cancel(by=creator, generation=row, now=NOON)
    event = Event.objects.get()
    assert (event.kind, event.by, event.at) == ("cancelled", creator.user, NOON)
    assert list(LedgerEntry.objects.order_by("id").values_list("kind", "at")) == [
        ("hold", NOON - timedelta(hours=1)),
        ("release", NOON),
    ]
    assert queued_tasks == []


def test_who_asks_anew_takes_back_that_it_did_not_get_through(creator, queued_tasks):
    row = sent(creator, error_code=STOP_FAILED)
    assert stops.cancel(by=creator, generation=row, now=NOON)
    assert as_it_is(row).error_code == ""


def test_gateway_that_stops_nothing_is_not_asked(creator, queued_tasks):
    gateway = factories.make_gateway(has_cancel=False)
    row = sent(creator, model=factories.make_model(gateway=gateway))
    assert not stops.cancel(by=creator, generation=row, now=NOON)
    assert (as_it_is(row).stop_requested_at, queued_tasks) == (None, [])


@pytest.mark.parametrize("status", [Status.DONE, Status.UNKNOWN, Status.STORING, Status.SUBMITTING])
def test_what_is_not_under_way_at_the_gateway_is_not_asked_to_stop(creator, queued_tasks, status):
    row = sent(creator, status=status)
    assert not stops.cancel(by=creator, generation=row, now=NOON)
    assert (as_it_is(row).stop_requested_at, queued_tasks) == (None, [])


def test_who_may_stop(creator):
    row = sent(creator)
    admin = factories.make_member(team=creator.team, role=Role.ADMIN)
    refused = [
        factories.make_member(team=creator.team),
        factories.make_member(team=creator.team, role=Role.VIEWER),
        factories.make_member(role=Role.ADMIN),
    ]
    assert stops.may_stop(creator, row)
    assert stops.may_stop(admin, row)
    assert not any(stops.may_stop(by, row) for by in refused)
    for by in refused:
        with pytest.raises(NotAllowed):
            stops.cancel(by=by, generation=row)
    Membership.objects.filter(id=creator.id).update(role=Role.VIEWER)
    assert not stops.may_stop(Membership.objects.get(id=creator.id), row)


def test_what_somebody_has_waiting_in_one_team_is_stopped_for_free_and_nothing_else(creator):
    admin = factories.make_member(team=creator.team, role=Role.ADMIN)
    elsewhere = factories.make_member(user=creator.user)
    waiting = [factories.make_generation(by=creator, status=Status.QUEUED) for _ in range(2)]
    others = [
        factories.make_generation(by=elsewhere, status=Status.QUEUED),
        factories.make_generation(by=admin, status=Status.QUEUED),
        sent(creator),
    ]
    for row in (*waiting, *others):
        ledger.hold(generation=row, amount_micros=500_000, at=NOON)
    arguments = {"person": creator.user, "team": creator.team, "by": admin.user}
    assert stops.cancel_waiting(**arguments, now=NOON) == 2
    for row in waiting:
        now = as_it_is(row)
        assert (now.state, now.ended_at, now.next_check_at) == (Status.CANCELLED, NOON, None)
        assert (now.stop_requested_at, list(money(row))) == (NOON, ["hold", "release"])
    assert {event.by for event in Event.objects.filter(kind="cancelled")} == {admin.user}
    assert [as_it_is(row).state for row in others] == [row.state for row in others]
    assert [list(money(row)) for row in others] == [["hold"]] * 3
    assert stops.cancel_waiting(**arguments, now=NOON) == 0


def test_stop_that_got_through_makes_this_order_due_and_no_other(creator, monkeypatch):
    row, other = sent(creator, stop_requested_at=NOON), sent(creator, upstream_id="video_2", stop_requested_at=NOON)
    asked = gateway_that(monkeypatch)
    stops.ask_to_stop(row.id)
    assert asked == [(row.gateway_id, "video_1")]
    event = Event.objects.get()
    assert (event.kind, event.generation_id) == ("stop_delivered", row.id)
    assert as_it_is(row).next_check_at == event.at
    assert as_it_is(other).next_check_at == other.next_check_at


def test_stop_that_did_not_get_through_is_said_of_this_order_and_of_no_other(creator, monkeypatch):
    row, other = sent(creator, stop_requested_at=NOON), sent(creator, upstream_id="video_2", stop_requested_at=NOON)
    gateway_that(monkeypatch, NotSent("no way there " * 40))
    stops.ask_to_stop(row.id)
    event = Event.objects.get()
    assert (event.kind, event.generation_id, len(event.data["why"])) == ("stop_not_delivered", row.id, 300)
    now = as_it_is(row)
    assert (now.stop_requested_at, now.error_code, now.version) == (None, STOP_FAILED, row.version + 1)
    assert now.next_check_at == row.next_check_at
    untouched = as_it_is(other)
    assert (untouched.stop_requested_at, untouched.error_code, untouched.version) == (NOON, "", other.version)


@pytest.mark.parametrize("error", [None, NotSent("no way there")])
def test_order_that_ended_while_it_was_asked_to_stop_stays_as_it_ended(creator, monkeypatch, error):
    factories.make_generation(by=creator)
    row = sent(creator, stop_requested_at=NOON)
    asked = gateway_that(monkeypatch, error, meanwhile=Status.FAILED)
    stops.ask_to_stop(row.id)
    now = as_it_is(row)
    assert asked == [(row.gateway_id, "video_1")]
    assert (now.state, now.next_check_at, now.stop_requested_at, now.error_code) == (Status.FAILED, None, NOON, "")


@pytest.mark.parametrize("fields", [{"status": Status.DONE}, {"status": Status.CANCELLED}, {"upstream_id": None}])
def test_nobody_is_asked_about_what_has_ended_or_has_no_id(creator, monkeypatch, fields):
    asked = gateway_that(monkeypatch)
    stops.ask_to_stop(sent(creator, **fields).id)
    stops.ask_to_stop(creator.id)
    assert (asked, Event.objects.count()) == ([], 0)


def test_stop_that_has_no_thread_now_comes_again_a_second_later(queued_tasks):
    stops.put_off("an id")
    assert queued_tasks == [("cancel", "an id", {"timeout_s": 60, "delay_s": 1.0})]
