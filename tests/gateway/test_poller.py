"""Asking after many orders at once."""

import asyncio
import contextlib
import socket

import pytest

from playground.gateway import dialects
from playground.gateway.errors import Deadline, GatewayError, NotFound, NotSent, Throttled, Unclear
from playground.gateway.poller import poll, poll_many
from playground.gateway.types import Job, JobState
from tests.gateway.fake import Heard, config, fake, reply, says

BAD = {
    "bad-404": (NotFound, "not_found"),
    "bad-429": (Throttled, "throttled"),
    "bad-500": (Unclear, "server_error"),
    "bad-html": (Unclear, "not_json"),
    "bad-drop": (Unclear, "connection_lost"),
    "bad-half": (Unclear, "connection_lost"),
    "bad-big": (Unclear, "too_large"),
    "bad-endless": (Unclear, "too_large"),
    "bad-garbage": (Unclear, "connection_lost"),
    "bad-silent": (Unclear, "timeout"),
}


def gateway(heard: Heard, sock: socket.socket) -> None:
    name = heard.target.rpartition("/")[2]
    if name == "bad-drop":
        sock.shutdown(socket.SHUT_RDWR)
    elif name == "bad-half":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
        sock.shutdown(socket.SHUT_RDWR)
    elif name == "bad-garbage":
        sock.sendall(b"\x00\x01 this is not http\r\n\r\n")
        sock.shutdown(socket.SHUT_RDWR)
    elif name == "bad-endless":
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sock.sendall(b" " * 65536)
    elif name == "bad-silent":
        sock.recv(1)
    else:
        answers = {
            "bad-404": reply(404, {}),
            "bad-429": reply(429, {}, Retry_After="3"),
            "bad-500": reply(500, b"<html>"),
            "bad-html": reply(200, b"<html>"),
            "bad-big": reply(200, b" " * 2_000_000),
        }
        sock.sendall(answers.get(name) or reply(200, {"id": name, "status": "in_progress"}))


def test_300_orders_are_asked_after_and_the_bad_ones_do_not_stop_the_others() -> None:
    ids = [f"video_{number}" for number in range(290)]
    ids[100:100] = list(BAD)
    with fake(gateway) as server:
        found = poll(config(server), ids, concurrency=20, total_s=30)
    assert sorted(found) == sorted(ids)
    for name, result in found.items():
        if name in BAD:
            assert isinstance(result, GatewayError)
            assert (type(result), result.code) == BAD[name], name
        else:
            assert isinstance(result, Job)
            assert (result.id, result.state) == (name, JobState.RUNNING)
    throttled = found["bad-429"]
    assert isinstance(throttled, GatewayError)
    assert throttled.retry_after_s == 3
    assert server.connections < 60


def test_each_id_is_asked_once_even_if_it_is_named_twice() -> None:
    with fake(gateway) as server:
        assert set(poll(config(server), ["a", "a", "b"])) == {"a", "b"}
    assert sorted(heard.target for heard in server.heard) == ["/openai/v1/videos/a", "/openai/v1/videos/b"]


def test_ids_are_encoded_for_the_path() -> None:
    with fake(says(200, {"id": "x", "status": "queued"})) as server:
        found = poll(config(server), ["a/../b?c#d ä"])
    assert server.heard[0].target == "/openai/v1/videos/a%2F..%2Fb%3Fc%23d%20%C3%A4"
    assert isinstance(found["a/../b?c#d ä"], Job)


def test_what_the_time_does_not_reach_is_a_deadline() -> None:
    with fake(lambda heard, sock: server.closed.wait(20)) as server:  # type: ignore[arg-type,func-returns-value]
        found = poll(config(server), ["a", "b", "c"], concurrency=1, total_s=0.3)
    assert {type(result) for result in found.values()} == {Deadline}


def test_a_dead_gateway_is_not_sent_for_each() -> None:
    with fake(says()) as server:
        settings = config(server)
    found = poll(settings, ["a", "b"])
    assert {type(result) for result in found.values()} == {NotSent}


def test_a_name_that_cannot_be_looked_up_is_not_sent_for_each() -> None:
    def fails(host: str, port: int, seconds: float) -> list[str]:
        raise NotSent("no", code="name_lookup")

    found = poll(config(), ["a", "b"], resolver=fails)
    assert {getattr(result, "code", "") for result in found.values()} == {"name_lookup"}


def test_nothing_to_ask_asks_nothing() -> None:
    assert poll(config(), []) == {}


def test_leaving_early_ends_the_other_calls() -> None:
    async def first_only(port_config: object) -> int:
        results = poll_many(port_config, [f"v{number}" for number in range(50)], concurrency=5)  # type: ignore[arg-type]
        async with contextlib.aclosing(results):
            async for _ in results:
                break
        return len([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])

    with fake(gateway) as server:
        assert asyncio.run(first_only(config(server))) == 0


def test_a_fault_of_our_own_is_raised_and_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dialects, "retrieved_job", broken)
    with fake(gateway) as server, pytest.raises(ZeroDivisionError):
        poll(config(server), ["a", "b"], total_s=5)
