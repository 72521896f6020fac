"""How many orders go out at once, by whose gateway it is: those of one team leave room for everybody else's work."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Gateway, Generation, Reconciliation
from playground.services import gateways, hooks, lanes, lookups, reconcile, sealing, slots, stops, submit
from tests import factories
from tests.gateway.fake import KEY, Heard, fake, reply
from tests.services.upstream import queued
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def anew(tmp_path, settings):
    settings.DATA_DIR = tmp_path
    cache.clear()


def entered(stack: ExitStack, gateway: Gateway) -> bool:
    return stack.enter_context(lanes.lane(gateway))


def gateways_of(team: Any, count: int) -> list[Gateway]:
    return [factories.make_gateway(team=team) for _ in range(count)]


def took(gateway: Gateway, seconds: float) -> None:
    call = lanes.Call()
    call.took_s = seconds
    lanes.note(gateway, call)


def prompt_ones(team: Any, count: int) -> list[Gateway]:
    """An order to each was answered in time."""
    found = gateways_of(team, count)
    for gateway in found:
        took(gateway, 0.5)
    return found


def test_gateway_of_a_team_sends_one_at_a_time_and_all_of_them_three():
    teams = [prompt_ones(factories.make_team(), 1)[0] for _ in range(4)]
    shared = factories.make_gateway()
    with ExitStack() as stack:
        assert entered(stack, teams[0])
        assert not entered(stack, teams[0])
        assert [entered(stack, gateway) for gateway in teams[1:]] == [True, True, False]
        assert [entered(stack, shared) for _ in range(lanes.AT_ONCE + 1)] == [True] * 3 + [False]
    with ExitStack() as stack:
        assert entered(stack, teams[3]), "a place is given back"


def test_gateways_of_one_team_leave_a_lane_to_another_team():
    mine, other = factories.make_team(), factories.make_team()
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in prompt_ones(mine, 4)] == [True, True, False, False]
        assert entered(stack, gateways_of(other, 1)[0])


def test_new_gateways_of_many_teams_leave_a_lane_to_those_that_answered_an_order():
    """Anybody may make teams, and connect gateways of which nobody knows whether they answer."""
    new = [gateways_of(factories.make_team(), 1)[0] for _ in range(3)]
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in new] == [True, True, False]
        assert entered(stack, prompt_ones(factories.make_team(), 1)[0])


def test_slow_gateways_of_many_teams_leave_a_lane_to_those_that_answer():
    slow = [gateways_of(factories.make_team(), 1)[0] for _ in range(3)]
    for gateway in slow:
        took(gateway, lanes.SLOW_S)
    prompt = prompt_ones(factories.make_team(), 1)[0]
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in slow] == [True, True, False]
        assert entered(stack, prompt)


def test_slow_gateways_of_a_team_have_one_lane_and_leave_the_other_to_the_one_that_took_their_place():
    slow, also_slow, prompt = prompt_ones(factories.make_team(), 3)
    for gateway in (slow, also_slow):
        took(gateway, lanes.SLOW_S)
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in (slow, also_slow, prompt)] == [True, False, True]


def test_gateway_that_answers_in_time_again_is_slow_no_more():
    gateway = gateways_of(factories.make_team(), 1)[0]
    took(gateway, lanes.SLOW_S + 50)
    assert lanes.is_slow(gateway)
    took(gateway, 0.5)
    assert not lanes.is_slow(gateway)
    lanes.note(gateway, lanes.Call())
    assert not lanes.is_slow(gateway), "what never began says nothing"


def test_one_of_the_whole_installation_is_never_slow():
    gateway = factories.make_gateway()
    took(gateway, 60)
    assert not lanes.is_slow(gateway)


@pytest.mark.pure
def test_together_the_lanes_of_teams_leave_work_for_others():
    assert lanes.TEAMS_AT_ONCE < slots.WORK
    assert lanes.SLOW_OF_TEAM < lanes.OF_TEAM < lanes.TEAMS_AT_ONCE
    assert lanes.SLOW_AT_ONCE < lanes.TEAMS_AT_ONCE


# --- what else tasks ask of gateways


def asked_of(monkeypatch: pytest.MonkeyPatch) -> list[Gateway]:
    """Which gateways were asked something; none of them answers."""
    asked: list[Gateway] = []

    def client_for(gateway: Gateway) -> Any:
        asked.append(gateway)
        raise gateways.GatewayNotConfigured("none")

    monkeypatch.setattr(gateways, "client_for", client_for)
    return asked


def test_questions_of_one_team_leave_a_lane_to_the_orders_of_another():
    mine, other, shared = factories.make_team(), gateways_of(factories.make_team(), 1)[0], factories.make_gateway()
    with ExitStack() as stack:
        asking = [stack.enter_context(lanes.question(gateway)) for gateway in gateways_of(mine, 3)]
        assert asking == [True, True, False]
        assert entered(stack, other)
        assert all(stack.enter_context(lanes.question(shared)) for _ in range(lanes.TEAMS_AT_ONCE + 1))


def test_stop_waits_for_a_lane_of_its_team(monkeypatch):
    asked, again = asked_of(monkeypatch), list[str]()
    monkeypatch.setattr(stops, "put_off", again.append)
    member = factories.make_member()
    mine, fast = gateways_of(member.team, 2)
    row = queued(by=member, model=factories.make_model(gateway=mine))
    Generation.objects.filter(id=row.id).update(status=Status.RUNNING, upstream_id="video_1")
    with lanes.question(mine), lanes.question(fast):
        stops.ask_to_stop(row.id)
    assert (asked, again) == ([], [str(row.id)])
    stops.ask_to_stop(row.id)
    assert (asked, again) == ([mine], [str(row.id)])


def test_look_for_an_order_waits_for_a_lane_of_its_team(monkeypatch):
    asked = asked_of(monkeypatch)
    member, claim = factories.make_member(), uuid4()
    mine, fast = gateways_of(member.team, 2)
    row = queued(by=member, model=factories.make_model(gateway=mine))
    now = timezone.now()
    Generation.objects.filter(id=row.id).update(status=Status.SUBMITTING, claim_id=claim, unclear_at=now)
    with lanes.question(mine), lanes.question(fast):
        lookups.look_up(row.id, claim)
        assert asked == []
    row.refresh_from_db()
    assert row.claim_id == claim, "it is due again when the claim ends"
    lookups.look_up(row.id, claim)
    assert asked == [mine]


def test_comparison_with_its_gateways_log_waits_for_a_lane_of_its_team(monkeypatch):
    asked, again = asked_of(monkeypatch), list[str]()
    mine, fast = gateways_of(factories.make_team(), 2)
    found = Reconciliation.objects.create(gateway=mine, month=timezone.now().date().replace(day=1))
    monkeypatch.setattr(reconcile, "put_off", again.append)
    with lanes.question(mine), lanes.question(fast):
        reconcile.run_stored(found.id)
    assert (asked, again) == ([], [str(found.id)])
    reconcile.run_stored(found.id)
    assert (asked, again) == ([mine], [str(found.id)])


def test_question_for_a_secret_needs_a_lane_of_its_team(monkeypatch):
    asked = asked_of(monkeypatch)
    mine, fast = gateways_of(factories.make_team(), 2)
    Gateway.objects.update(has_webhooks=True)
    with lanes.question(mine), lanes.question(fast):
        assert not hooks.fetch_secret(mine.id)
        assert asked == []
    assert not hooks.fetch_secret(mine.id)
    assert asked == [mine]


# --- with gateways that hang


class Hanging:
    """Takes orders and answers none before the door is opened."""

    def __init__(self) -> None:
        self.door, self.posts = threading.Event(), list[str]()

    def __call__(self, heard: Heard, sock: socket.socket) -> None:
        self.posts.append(heard.target)
        self.door.wait(30)
        sock.sendall(reply(202, {"id": f"video_{len(self.posts)}", "status": "queued"}))


def takes(heard: Heard, sock: socket.socket) -> None:
    sock.sendall(reply(202, {"id": "video_1", "status": "queued"}))


def order_at(origin: str, *, by: Any, number: int = 0) -> Generation:
    gateway = factories.make_gateway(
        team=by.team,
        is_sandbox=False,
        base_url=f"{origin}/{number}/v1",
        sealed_key=sealing.seal(KEY),
        key_set_at=timezone.now(),
    )
    return queued(by=by, model=factories.make_model(gateway=gateway))


@pytest.mark.django_db(transaction=True)
def test_team_whose_gateways_all_hang_holds_up_no_other_teams_order(settings, monkeypatch):
    settings.TEAM_GATEWAYS_LOCAL = True
    monkeypatch.setattr(lanes, "SLOW_S", 0.0)
    alpha, beta, bad = factories.make_member(), factories.make_member(), Hanging()

    def send(row: Generation) -> None:
        submit.submit_queued(row.id)
        connection.close()

    with fake(bad) as away, fake(takes) as fine:
        rows = [order_at(away.origin, by=alpha, number=number) for number in range(3)]
        other = order_at(fine.origin, by=beta)
        for row in rows:
            took(row.gateway, -1)
        with ThreadPoolExecutor(3) as pool:
            tasks = [pool.submit(send, row) for row in rows]
            wait_until(
                lambda: len(bad.posts) + sum(task.done() for task in tasks) == 3, within=20, what="alpha's orders"
            )
            submit.submit_queued(other.id)
            bad.door.set()
            for task in tasks:
                task.result()
    other.refresh_from_db()
    assert (other.state, other.upstream_id) == (Status.SUBMITTED, "video_1")
    assert len(bad.posts) == lanes.OF_TEAM
    slow = [lanes.is_slow(row.gateway) for row in rows]
    assert sorted(slow) == [False, True, True], "those that were heard and took long"
