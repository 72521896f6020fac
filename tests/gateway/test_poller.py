"""Asking after many orders at once."""

import contextlib
import socket
import threading

import pytest

from playground.gateway import dialects
from playground.gateway.errors import Deadline, GatewayError, NotFound, NotSent, Throttled, Unclear
from playground.gateway.poller import Poller
from playground.gateway.types import Job, JobState
from tests.gateway.fake import Heard, config, fake, reply, says
from tests.gateway.polling import poll

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


def test_closing_ends_what_is_under_way_and_leaves_no_thread() -> None:
    with fake(lambda heard, sock: server.closed.wait(20)) as server:  # type: ignore[arg-type,func-returns-value]
        poller = Poller(concurrency=5)
        poller.ask("gateway", config(server), [f"v{number}" for number in range(50)])
        assert poller.collect(wait_s=0.05) == []
        poller.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "poller"]


def test_gateway_that_hangs_holds_up_only_its_own_questions() -> None:
    with (
        fake(lambda heard, sock: hung.closed.wait(20)) as hung,  # type: ignore[arg-type,func-returns-value]
        fake(gateway) as good,
        contextlib.closing(Poller(concurrency=2)) as poller,
    ):
        poller.ask("hung", config(hung), ["a", "b", "c"])
        poller.ask("good", config(good), ["d", "e", "f"])
        found: list[str] = []
        while len(found) < 3:
            found += [job_id for _, job_id, _ in poller.collect(wait_s=0.1)]
        assert sorted(found) == ["d", "e", "f"]
        assert poller.under_way("hung") == 3


def test_connections_are_used_again_by_later_questions() -> None:
    with fake(gateway) as server, contextlib.closing(Poller(concurrency=4)) as poller:
        for turn in range(10):
            poller.ask("gateway", config(server), [f"v{turn}-{number}" for number in range(4)])
            assert len(poller.collect(wait_s=30)) == 4
        assert len(server.heard) == 40
        assert server.connections <= 4


def test_name_that_was_not_found_is_looked_up_again_for_the_next_question() -> None:
    tries: list[str] = []

    def fails_once(host: str, port: int, seconds: float) -> list[str]:
        tries.append(host)
        if len(tries) == 1:
            raise NotSent("no", code="name_lookup")
        return ["127.0.0.1"]

    with fake(gateway) as server, contextlib.closing(Poller(resolver=fails_once)) as poller:
        answers = []
        for name in ("a", "b"):
            poller.ask("gateway", config(server), [name])
            answers += [type(answer) for _, _, answer in poller.collect(wait_s=30)]
    assert answers == [NotSent, Job]


def test_a_fault_of_our_own_is_raised_and_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(dialects, "retrieved_job", broken)
    with fake(gateway) as server, pytest.raises(ZeroDivisionError):
        poll(config(server), ["a", "b"], total_s=5)
