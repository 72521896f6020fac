"""The gateway's list of its requests: pages, links, odd entries, and never an end in silence."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from playground.gateway.errors import AccountRefused, NoRequestLog, Unclear
from playground.gateway.request_log import logged
from playground.gateway.types import Dialect, JobState
from tests.gateway.fake import Fake, Heard, client, fake, in_turn, reply, says
from tests.gateway.test_orders import error

ENTRY = {
    "id": "req_1",
    "object": "request",
    "created_at": "2026-11-02T10:00:00.25Z",
    "model": "kling-v3",
    "modality": "video",
    "status": "completed",
    "cost": 0.105001,
    "currency": "usd",
    "trace_id": "0AF7651916CD43DD8448EB211C80319C",
    "user": "somebody",
    "error_code": None,
}


def page(*names: str, after: object = None) -> dict[str, Any]:
    return {"object": "list", "data": [{**ENTRY, "id": name} for name in names], "next_page_url": after}


def pages(link: Callable[[Fake, str], object], count: int = 3) -> tuple[list[str], list[Heard]]:
    """The ids of a list of `count` pages whose links `link(server, cursor)` writes, and what was asked."""

    def behave(heard: Heard, sock: socket.socket) -> None:
        cursor = int(parse_qs(urlsplit(heard.target).query).get("starting_after", ["0"])[0])
        sock.sendall(reply(200, page(str(cursor), after=link(server, str(cursor + 1)) if cursor < count - 1 else None)))

    with fake(behave) as server:
        return [entry.id for entry in client(server).requests()], server.heard


def test_an_entry_is_read_with_cost_in_micros_and_its_trace() -> None:
    with fake(says(200, page("req_1"))) as server:
        (found,) = client(server).requests()
    assert (found.id, found.model, found.status, found.state) == ("req_1", "kling-v3", "completed", JobState.COMPLETED)
    assert (found.cost_micros, found.currency, found.user) == (105_001, "USD", "somebody")
    assert found.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert found.created_at == datetime(2026, 11, 2, 10, 0, 0, 250_000, tzinfo=UTC)
    assert server.heard[0].headers["authorization"].startswith("Bearer ")


def test_times_are_sent_in_utc_and_a_time_without_zone_is_a_mistake() -> None:
    east = datetime(2026, 11, 1, tzinfo=timezone(timedelta(hours=2)))
    with fake(says(200, page())) as server:
        assert list(client(server).requests(created_after=east, created_before=east + timedelta(days=1))) == []
        with pytest.raises(ValueError, match="zone"):
            client(server).requests(created_after=datetime(2026, 11, 1))
    target = urlsplit(server.heard[0].target)
    assert target.path == "/v1/requests"
    assert parse_qs(target.query) == {
        "limit": ["100"],
        "created_after": ["2026-10-31T22:00:00Z"],
        "created_before": ["2026-11-01T22:00:00Z"],
    }


@pytest.mark.parametrize(
    "link",
    [
        lambda server, cursor: f"{server.origin}/v1/requests?starting_after={cursor}",
        lambda server, cursor: f"https://127.0.0.1/v1/requests?starting_after={cursor}",
        lambda server, cursor: f"/v1/requests?starting_after={cursor}",
        lambda server, cursor: f"?starting_after={cursor}#top",
    ],
)
def test_pages_are_followed_on_our_own_scheme_and_port(link: Callable[[Fake, str], object]) -> None:
    ids, heard = pages(link)
    assert ids == ["0", "1", "2"]
    assert [urlsplit(one.target).path for one in heard] == ["/v1/requests"] * 3


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/v1/requests?starting_after=1",
        "//elsewhere.example/v1/requests",
        "https://someone@127.0.0.1/v1/requests",
        "http://[broken/requests",
        17,
        "/" + "x" * 9000,
    ],
)
def test_a_link_to_another_place_is_an_error_and_the_key_stays_here(link: object) -> None:
    with fake(says(200, page("a", after=link))) as server, pytest.raises(Unclear) as caught:
        list(client(server).requests())
    assert caught.value.code == "bad_page_link"
    assert len(server.heard) == 1


def test_a_list_that_leads_in_a_circle_or_never_ends_is_an_error() -> None:
    with fake(says(200, page("a", after="?starting_after=1"))) as server, pytest.raises(Unclear) as caught:
        list(client(server).requests())
    assert (caught.value.code, len(server.heard)) == ("bad_page_link", 2)
    answers = [says(200, page("a", after=f"?starting_after={number}")) for number in range(5)]
    with fake(in_turn(*answers)) as server, pytest.raises(Unclear) as caught:
        list(client(server).requests(max_pages=3))
    assert (caught.value.code, len(server.heard)) == ("too_many_pages", 3)


def test_no_page_is_read_after_the_caller_has_stopped() -> None:
    with fake(says(200, page("a", "b", after="?starting_after=b"))) as server:
        found = next(entry for entry in client(server).requests() if entry.id == "b")
    assert found.id == "b"
    assert len(server.heard) == 1


def test_a_page_that_fails_for_a_moment_is_read_again() -> None:
    answers = (says(503), says(200, page("a", after="?starting_after=a")), says(429), says(200, page("b")))
    with fake(in_turn(*answers)) as server:
        assert [entry.id for entry in client(server).requests()] == ["a", "b"]


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_gateway_without_a_list_says_so(status: int) -> None:
    with fake(says(status, error("NOT_FOUND"))) as server:
        with pytest.raises(NoRequestLog) as caught:
            list(client(server).requests())
        with pytest.raises(NoRequestLog):
            client(server, dialect=Dialect.OPENAI).requests()
    assert caught.value.code == "no_request_log"
    assert all(heard.target.startswith("/v1/requests") for heard in server.heard)


def test_a_refused_key_and_an_answer_that_is_no_list_are_errors() -> None:
    with fake(in_turn(says(401), says(200, {"data": {}}), says(200, b"<html>"))) as server:
        with pytest.raises(AccountRefused):
            list(client(server).requests())
        for code in ("no_list", "not_json"):
            with pytest.raises(Unclear) as caught:
                list(client(server).requests())
            assert caught.value.code == code


def test_missing_and_odd_fields_are_unknown_and_not_wrong() -> None:
    bare = logged({"id": "req_2"})
    assert (bare.created_at, bare.cost_micros, bare.currency, bare.trace_id) == (None, None, "USD", "")
    assert bare.state is JobState.UNRECOGNISED
    odd = logged({"id": 7, "cost": -1, "currency": 3, "created_at": "yesterday", "trace_id": [], "status": None})
    assert (odd.id, odd.cost_micros, odd.created_at, odd.trace_id) == ("7", None, None, "")
    assert logged({"id": True}).id == logged({"id": {}}).id == ""
    assert logged("text") == logged({})
    assert logged({"cost": 1, "currency": "eur"}).cost_micros is None
    failed = logged({"status": "upstream_failure", "error": {"code": "UPSTREAM_ERROR", "message": "x\x00y"}})
    assert (failed.state, failed.error_code, failed.error_message) == (JobState.FAILED, "UPSTREAM_ERROR", "xy")


def test_entries_that_are_no_objects_are_passed_over() -> None:
    with fake(says(200, {"data": [None, "x", ENTRY]})) as server:
        assert [entry.id for entry in client(server).requests()] == ["req_1"]
