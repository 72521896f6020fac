"""How many orders go out at once, by whose gateway it is: those of one team leave room for everybody else's work."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Gateway, Generation
from playground.services import lanes, sealing, slots, submit
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


def test_gateway_of_a_team_sends_one_at_a_time_and_all_of_them_three():
    teams = [factories.make_gateway(team=factories.make_team()) for _ in range(4)]
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
        assert [entered(stack, gateway) for gateway in gateways_of(mine, 4)] == [True, True, False, False]
        assert entered(stack, gateways_of(other, 1)[0])


def test_slow_gateways_of_many_teams_leave_a_lane_to_those_that_answer():
    slow = [gateways_of(factories.make_team(), 1)[0] for _ in range(3)]
    for gateway in slow:
        took(gateway, lanes.SLOW_S)
    prompt = gateways_of(factories.make_team(), 1)[0]
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in slow] == [True, True, False]
        assert entered(stack, prompt)


def test_slow_gateways_of_a_team_have_one_lane_and_leave_the_other_to_the_one_that_took_their_place():
    slow, also_slow, new = gateways_of(factories.make_team(), 3)
    for gateway in (slow, also_slow):
        took(gateway, lanes.SLOW_S)
    with ExitStack() as stack:
        assert [entered(stack, gateway) for gateway in (slow, also_slow, new)] == [True, False, True]


def test_gateway_that_answers_in_time_again_is_slow_no_more():
    gateway = gateways_of(factories.make_team(), 1)[0]
    took(gateway, lanes.SLOW_S + 50)
    assert lanes.is_slow(gateway.id)
    took(gateway, 0.5)
    assert not lanes.is_slow(gateway.id)
    lanes.note(gateway, lanes.Call())
    assert not lanes.is_slow(gateway.id), "what never began says nothing"


def test_one_of_the_whole_installation_is_never_slow():
    gateway = factories.make_gateway()
    took(gateway, 60)
    assert not lanes.is_slow(gateway.id)


@pytest.mark.pure
def test_together_the_lanes_of_teams_leave_work_for_others():
    assert lanes.TEAMS_AT_ONCE < slots.WORK
    assert lanes.SLOW_OF_TEAM < lanes.OF_TEAM < lanes.TEAMS_AT_ONCE
    assert lanes.SLOW_AT_ONCE < lanes.TEAMS_AT_ONCE


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
    slow = [lanes.is_slow(row.gateway_id) for row in Generation.objects.filter(id__in=[row.id for row in rows])]
    assert sorted(slow) == [False, True, True], "those that were heard and took long"
