"""The sandbox's requests log over real HTTP."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from playground.sandbox.store import Store
from tests.sandbox_server import SandboxServer, start_sandbox

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def own(lumenfall: SandboxServer) -> list[str]:
    """The ids of five new requests, newest first."""
    created = [lumenfall.create(prompt=f"log {i}") for i in range(5)]
    return [answer.headers["X-Lumenfall-Request-Id"] for answer in reversed(created)]


def test_pages_lead_forward_and_back(lumenfall: SandboxServer, own: list[str]) -> None:
    def ids(page: dict[str, Any]) -> list[str]:
        return [entry["id"] for entry in page["data"]]

    first = lumenfall.request("GET", "/requests?limit=2").json
    assert (ids(first), first["previous_page_url"]) == (own[:2], None)
    second = lumenfall.request("GET", first["next_page_url"]).json
    assert ids(second) == own[2:4]
    assert ids(lumenfall.request("GET", second["previous_page_url"]).json) == own[:2]
    assert ids(lumenfall.request("GET", f"/requests?limit=2&ending_before={own[3]}").json) == own[1:3]
    assert ids(lumenfall.request("GET", f"/requests?limit=2&starting_after={own[0]}").json) == own[1:3]


def test_the_last_page_has_no_link(lumenfall: SandboxServer, own: list[str]) -> None:
    oldest = lumenfall.request("GET", f"/requests/{own[-1]}").json["created_at"]
    page = lumenfall.request("GET", f"/requests?limit=4&created_after={oldest}").json
    assert [entry["id"] for entry in page["data"]] == own[:4]
    assert page["next_page_url"] is None
    page = lumenfall.request("GET", f"/requests?limit=5&created_before={oldest}").json
    assert own[-1] not in [entry["id"] for entry in page["data"]]


def test_a_time_must_have_a_zone_and_cursors_must_be_known(lumenfall: SandboxServer, own: list[str]) -> None:
    wrong = [
        "limit=0", "limit=101", "limit=x", "created_after=2026-01-01T00:00:00", "created_before=soon", "status=done",
        "starting_after=req_none", f"starting_after={own[0]}&ending_before={own[1]}",
    ]  # fmt: skip
    for query in wrong:
        assert lumenfall.request("GET", f"/requests?{query}").status == 400, query


def test_an_entry_tells_what_was_charged_and_the_trace_it_came_with(lumenfall: SandboxServer) -> None:
    answer = lumenfall.request(
        "POST",
        "/videos",
        {
            "prompt": "dear [[sandbox:dearer]]",
            "model": "grok-imagine-video",
            "size": "854x480",
            "seconds": 2,
            "user": "u-1",
        },
        headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
    )
    video = lumenfall.wait(answer.json["id"])
    entry = lumenfall.request("GET", f"/requests/{answer.headers['X-Lumenfall-Request-Id']}").json
    assert (entry["status"], entry["trace_id"], entry["user"]) == ("completed", TRACE, "u-1")
    assert entry["cost"] == video["metadata"]["cost"] == 0.15
    assert (entry["currency"], entry["model"], entry["modality"]) == ("usd", "grok-imagine-video", "video")
    assert datetime.fromisoformat(entry["created_at"]).tzinfo is UTC
    assert entry["duration_ms"] >= 0
    assert lumenfall.request("GET", f"/requests/{video['id']}").json == entry


@pytest.mark.parametrize(
    "header", ["", "nonsense", f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01", f"00-{TRACE}"]
)
def test_a_malformed_trace_is_no_trace(lumenfall: SandboxServer, header: str) -> None:
    body = {"prompt": "x", "model": "mock-video", "size": "640x360", "seconds": 1}
    answer = lumenfall.request("POST", "/videos", body, headers={"traceparent": header})
    entry = lumenfall.request("GET", f"/requests/{answer.headers['X-Lumenfall-Request-Id']}").json
    assert entry["trace_id"] is None


def test_statuses_are_the_logs_own_words_and_can_be_asked_for(lumenfall: SandboxServer) -> None:
    prompts = {
        "completed": "x", "processing": "x [[sandbox:stuck]]", "upstream_failure": "x [[sandbox:fail]]",
        "rejected": "x [[sandbox:refused-late]]", "cancelled": "x [[sandbox:stuck]]",
    }  # fmt: skip
    for status, prompt in prompts.items():
        answer = lumenfall.create(prompt=prompt)
        if status == "cancelled":
            lumenfall.request("DELETE", f"/videos/{answer.json['id']}")
        elif status != "processing":
            lumenfall.wait(answer.json["id"])
        request_id = answer.headers["X-Lumenfall-Request-Id"]
        entry = lumenfall.request("GET", f"/requests/{request_id}").json
        assert entry["status"] == status
        assert (entry["cost"] is not None) == (status == "completed")
        newest = lumenfall.request("GET", f"/requests?limit=1&status={status}").json["data"][0]
        assert newest["id"] == request_id


def test_the_summary_counts_the_whole_filter_and_not_the_page(lumenfall: SandboxServer, own: list[str]) -> None:
    since = quote(lumenfall.request("GET", f"/requests/{own[-1]}").json["created_at"])
    bought = lumenfall.request(
        "POST", "/videos", {"prompt": "x", "model": "grok-imagine-video", "size": "854x480", "seconds": 2}
    ).json
    lumenfall.wait(bought["id"])
    page = lumenfall.request("GET", f"/requests?limit=1&summary=true&created_after={since}").json
    assert len(page["data"]) == 1
    assert page["summary"] == {"count": 5, "cost": 0.1, "currency": "usd"}
    assert "summary" not in lumenfall.request("GET", "/requests").json


def test_each_account_sees_its_own_requests_also_while_they_wait() -> None:
    with start_sandbox(job_seconds="600", SANDBOX_API_KEYS="alpha,beta") as server:
        body = {"prompt": "x", "model": "mock-video", "size": "640x360", "seconds": 1}
        request_id = server.request("POST", "/videos", body, key="alpha").headers["X-Lumenfall-Request-Id"]
        (entry,) = server.request("GET", "/requests", key="alpha").json["data"]
        assert (entry["id"], entry["status"]) == (request_id, "pending")
        assert server.request("GET", f"/requests?key_id={entry['key_id']}", key="alpha").json["data"] == [entry]
        assert server.request("GET", "/requests?key_id=key_other", key="alpha").json["data"] == []
        assert server.request("GET", "/requests", key="beta").json["data"] == []
        assert server.request("GET", f"/requests/{request_id}", key="beta").status == 404
        assert server.request("GET", f"/requests?starting_after={request_id}", key="beta").status == 400


def test_a_data_file_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.sqlite3"
    store = Store(path)
    with store.write() as db:
        db.execute("ALTER TABLE job DROP COLUMN trace_id")
    store.close()
    Store(path).close()
    with sqlite3.connect(path) as db:
        assert "trace_id" in {row[1] for row in db.execute("PRAGMA table_info(job)")}
    db.close()
