"""Every fault token, as a client meets it, and what it does to the charge log."""

import http.client
import re
import time
from pathlib import Path
from typing import Any

import av
import pytest

from playground.sandbox.faults import FAULTS, KEY_FAULTS, fault_in, without_token
from tests.sandbox_server import Answer, SandboxServer, start_sandbox

ROOT = Path(__file__).resolve().parent.parent.parent


def order(server: SandboxServer, fault: str, key: str = "", **fields: Any) -> Answer:
    more = {"idempotency_key": key} if key else {}
    shape = {"model": "p-video", "seconds": 2, "size": "1280x720"}
    return server.create(prompt=f"A harbour [[sandbox:{fault}]]", **shape | more | fields)


def paid(server: SandboxServer, key: str) -> list[dict[str, Any]]:
    return [charge for charge in server.charges() if charge["idempotency_key"] == key]


def finished(server: SandboxServer, fault: str, **fields: Any) -> Any:
    answer = order(server, fault, **fields)
    assert answer.status == 202, answer.body
    return server.wait(answer.json["id"])


@pytest.mark.parametrize(("fault", "status", "code"), [
    ("moderation", 400, "CONTENT_POLICY_VIOLATION"), ("bad-image", 400, "INVALID_REQUEST"),
    ("402", 402, "INSUFFICIENT_BALANCE"),
    ("500", 500, "INTERNAL_ERROR"),
])  # fmt: skip
def test_refused_orders_are_not_charged(lumenfall: SandboxServer, fault: str, status: int, code: str) -> None:
    for _ in range(3):
        answer = order(lumenfall, fault, f"refused-{fault}")
        assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert not paid(lumenfall, f"refused-{fault}")


@pytest.mark.parametrize(
    ("fault", "status", "refusals", "wait"), [("429", 429, 2, "1"), ("429-bare", 429, 2, None), ("502", 502, 1, None)]
)
def test_passing_refusals_let_a_later_try_through(
    lumenfall: SandboxServer, fault: str, status: int, refusals: int, wait: str | None
) -> None:
    for _ in range(refusals):
        answer = order(lumenfall, fault, f"passing-{fault}")
        assert (answer.status, answer.headers.get("Retry-After")) == (status, wait)
    assert not paid(lumenfall, f"passing-{fault}")
    assert order(lumenfall, fault, f"passing-{fault}").status == 202
    assert len(paid(lumenfall, f"passing-{fault}")) == 1
    assert order(lumenfall, fault, "another").status == status, "tries are counted for each order"


def test_html_answers_with_a_page(lumenfall: SandboxServer) -> None:
    answer = order(lumenfall, "html", "html")
    assert (answer.status, answer.headers["Content-Type"]) == (502, "text/html")
    assert answer.body.startswith(b"<html>")
    assert not paid(lumenfall, "html")


def test_drop_closes_without_an_answer_and_the_replay_finds_the_one_job(lumenfall: SandboxServer) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        order(lumenfall, "drop", "dropped")
    assert len(paid(lumenfall, "dropped")) == 1
    again = order(lumenfall, "drop", "dropped")
    assert again.status == 200
    assert lumenfall.wait(again.json["id"])["status"] == "completed"
    assert [charge["job_id"] for charge in paid(lumenfall, "dropped")] == [again.json["id"]]


def test_500_after_accepts_and_the_replay_answers(lumenfall: SandboxServer) -> None:
    assert order(lumenfall, "500-after", "after").status == 500
    assert order(lumenfall, "500-after", "after").status == 200
    assert len(paid(lumenfall, "after")) == 1


def test_key_of_an_order_that_is_still_being_taken_is_told_to_come_again(lumenfall: SandboxServer) -> None:
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        order(lumenfall, "in-flight", "flying")
    for _ in range(2):
        answer = order(lumenfall, "in-flight", "flying")
        assert (answer.status, answer.headers.get("Retry-After")) == (409, "1")
        assert answer.json["error"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
    again = order(lumenfall, "in-flight", "flying")
    assert again.status == 200
    assert [charge["job_id"] for charge in paid(lumenfall, "flying")] == [again.json["id"]]


@pytest.mark.parametrize("other", [{"seconds": 3}, {"size": "720x1280"}, {"seed": 7}, {"n": 2}])
def test_key_with_another_body_is_refused_and_costs_nothing(lumenfall: SandboxServer, other: dict[str, Any]) -> None:
    key = f"reused-{other}"
    first = order(lumenfall, "key-reused", key)
    answer = order(lumenfall, "key-reused", key, **other)
    assert (answer.status, answer.json["error"]["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert order(lumenfall, "key-reused", key).json["id"] == first.json["id"]
    assert len(paid(lumenfall, key)) == 1


def test_no_id_answers_202_without_one(lumenfall: SandboxServer) -> None:
    answer = order(lumenfall, "no-id", "noid")
    assert answer.status == 202
    assert "id" not in answer.json
    assert order(lumenfall, "no-id", "noid").json["id"] == paid(lumenfall, "noid")[0]["job_id"]


def test_slow_answer_holds_the_answer_but_not_the_job(lumenfall: SandboxServer) -> None:
    started = time.monotonic()
    answer = order(lumenfall, "slow-answer", "slowly")
    assert answer.status == 202
    assert time.monotonic() - started >= 1  # SANDBOX_SLOW_ANSWER_SECONDS of the fixture
    assert len(paid(lumenfall, "slowly")) == 1


@pytest.mark.parametrize(("fault", "code"), [("fail", "UPSTREAM_ERROR"), ("refused-late", "CONTENT_POLICY_VIOLATION")])
def test_failed_jobs_say_why_and_cost_nothing(lumenfall: SandboxServer, fault: str, code: str) -> None:
    video = finished(lumenfall, fault, key=f"failed-{fault}")
    assert (video["status"], video["error"]["code"], video["output"]) == ("failed", code, None)
    assert video["metadata"]["cost"] is None
    assert [charge["micros"] for charge in paid(lumenfall, f"failed-{fault}")] == [0]


def test_stuck_stays_in_progress_while_others_finish(lumenfall: SandboxServer) -> None:
    stuck = order(lumenfall, "stuck").json["id"]
    lumenfall.wait(lumenfall.create().json["id"])
    assert lumenfall.request("GET", f"/videos/{stuck}").json["status"] == "in_progress"


def test_slow_takes_its_own_time(lumenfall: SandboxServer) -> None:
    started = time.monotonic()
    assert finished(lumenfall, "slow")["status"] == "completed"
    assert time.monotonic() - started >= 1.9  # SANDBOX_SLOW_SECONDS of the fixture is 2


def test_missing_output_is_completed_with_nothing(lumenfall: SandboxServer) -> None:
    video = finished(lumenfall, "missing-output")
    assert (video["status"], video["output"]) == ("completed", None)


def test_dearer_costs_half_as_much_again(lumenfall: SandboxServer) -> None:
    created = order(lumenfall, "dearer", "dear").json
    assert created["metadata"]["cost_estimate"] == 0.04
    assert lumenfall.wait(created["id"])["metadata"]["cost"] == 0.06
    assert paid(lumenfall, "dear")[0]["micros"] == 60_000


def test_expired_is_gone_at_once(lumenfall: SandboxServer) -> None:
    video = finished(lumenfall, "expired")
    assert lumenfall.request("GET", video["output"]["url"], key=None).status == 410
    assert video["expires_at"] <= video["completed_at"]


def test_truncated_breaks_off_before_its_length(lumenfall: SandboxServer) -> None:
    video = finished(lumenfall, "truncated")
    with pytest.raises(http.client.IncompleteRead) as broken:
        lumenfall.request("GET", video["output"]["url"], key=None)
    assert len(broken.value.partial) == video["output"]["size_bytes"] // 2


def test_wrong_size_states_another_length(lumenfall: SandboxServer) -> None:
    output = finished(lumenfall, "wrong-size")["output"]
    assert output["size_bytes"] == len(lumenfall.request("GET", output["url"], key=None).body) + 1000


def test_cut_file_is_whole_by_its_length_but_not_a_whole_video(lumenfall: SandboxServer, tmp_path: Path) -> None:
    output = finished(lumenfall, "cut-file")["output"]
    body = lumenfall.request("GET", output["url"], key=None).body
    assert len(body) == output["size_bytes"]
    assert int.from_bytes(body[:4], "big") < len(body)
    assert sum(size for _, size in boxes(body)) > len(body)


def boxes(data: bytes) -> list[tuple[str, int]]:
    """Top-level boxes of an MP4 as (name, stated size)."""
    found, at = [], 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8].decode("latin-1"), size))
        at += max(size, 8)
    return found


def test_smaller_is_half_the_picture_and_half_the_length(lumenfall: SandboxServer, tmp_path: Path) -> None:
    body = lumenfall.request("GET", finished(lumenfall, "smaller")["output"]["url"], key=None).body
    (tmp_path / "a.mp4").write_bytes(body)
    with av.open(str(tmp_path / "a.mp4")) as clip:
        stream = clip.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (640, 360, 24)


def test_not_video_serves_a_page_of_the_stated_length(lumenfall: SandboxServer) -> None:
    output = finished(lumenfall, "not-video")["output"]
    answer = lumenfall.request("GET", output["url"], key=None)
    assert (answer.headers["Content-Type"], len(answer.body)) == ("text/html", output["size_bytes"])


def test_faults_do_not_touch_a_dry_run(lumenfall: SandboxServer) -> None:
    for name in FAULTS:
        body = {"prompt": f"x [[sandbox:{name}]]", "model": "p-video", "seconds": 2}
        assert lumenfall.request("POST", "/videos?dryRun=true", body).json["total_cost_micros"] == 40_000


def test_faults_reach_the_openai_profile(openai: SandboxServer) -> None:
    refused = order(openai, "moderation")
    assert refused.json["error"]["code"] == "moderation_blocked"
    failed = openai.wait(order(openai, "refused-late").json["id"])
    assert failed["error"]["code"] == "moderation_blocked"
    gone = openai.wait(order(openai, "expired").json["id"])
    assert openai.request("GET", f"/videos/{gone['id']}/content").status == 410
    empty = openai.wait(order(openai, "missing-output").json["id"])
    assert openai.request("GET", f"/videos/{empty['id']}/content").status == 404
    broken = openai.wait(order(openai, "truncated").json["id"])
    with pytest.raises(http.client.IncompleteRead):
        openai.request("GET", f"/videos/{broken['id']}/content")


def test_an_empty_account_refuses_for_real() -> None:
    with start_sandbox(SANDBOX_BALANCE="0.05") as server:
        assert server.create(model="p-video", seconds=2).status == 202
        answer = server.create(model="p-video", seconds=2)
        assert (answer.status, answer.json["error"]["code"]) == (402, "INSUFFICIENT_BALANCE")
        assert answer.json["error"]["message"] == "Insufficient balance: $0.04 required, $0.01 available"
        dry = server.request("POST", "/videos?dryRun=true", {"prompt": "x", "model": "p-video", "seconds": 10})
        assert dry.status == 200
        assert len(server.charges()) == 1


def test_token_is_read_anywhere_and_taken_out_of_the_caption() -> None:
    assert fault_in("a [[sandbox:FAIL]] b") == "fail"
    assert fault_in("[[sandbox:unheard-of]] then [[sandbox:429-bare]]") == "429-bare"
    assert fault_in("sandbox:fail") == ""
    assert without_token("A fox [[sandbox:fail]] runs") == "A fox runs"


def test_docs_list_exactly_the_faults_there_are() -> None:
    text = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `\[\[sandbox:([a-z0-9-]+)\]\]` \| (.+?) \|$", text, re.MULTILINE))
    assert rows == {fault.name: fault.text for fault in [*FAULTS.values(), *KEY_FAULTS.values()]}


def test_every_fault_has_a_test_here() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in [*FAULTS, *KEY_FAULTS] if f'"{name}"' not in source} == set()
