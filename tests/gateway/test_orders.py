"""Sending orders: what goes over the wire, and what every kind of answer says about the order."""

import contextlib
import gzip
import io
import json
import re
import socket
import struct
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import BinaryIO
from uuid import UUID

import pytest

from playground.gateway import calls, wire
from playground.gateway.errors import (
    AccountRefused,
    Deadline,
    FailureKind,
    GatewayError,
    InFlight,
    NotSent,
    Outcome,
    Refused,
    Throttled,
    Unclear,
)
from playground.gateway.types import JobState, Order, ReferenceFile
from tests.faults.stage import points
from tests.gateway.fake import Heard, client, config, fake, in_turn, says

ORDER = Order(
    order_id="0190-aaaa",
    model="sora-2",
    prompt="a fox, 狐",
    seconds=8,
    size="1280x720",
    extra={"seed": 7, "generate_audio": False, "negative_prompt": "rain"},
    idempotency_key="gen-0190-aaaa",
)
ACCEPTED = {"id": "video_1", "object": "video", "status": "queued", "seconds": "8", "created_at": 1702345678}


def picture(data: bytes = b"\x89PNG-bytes", name: str = 'a"b.png', size: int | None = None) -> ReferenceFile:
    return ReferenceFile(name, "image/png", len(data) if size is None else size, lambda: io.BytesIO(data))


def with_pictures(*pictures: ReferenceFile) -> Order:
    return Order(order_id="0190-aaaa", model="sora-2", prompt="a fox, 狐", seconds=8, references=pictures)


def test_an_order_without_references_goes_as_json_with_text_seconds_and_the_key() -> None:
    with fake(says(202, ACCEPTED, X_Lumenfall_Request_Id="req_9")) as server:
        job = client(server).create(ORDER)
    (heard,) = server.heard
    assert (heard.method, heard.target) == ("POST", "/openai/v1/videos")
    assert json.loads(heard.body) == {
        "model": "sora-2",
        "prompt": "a fox, 狐",
        "seconds": "8",
        "size": "1280x720",
        "generate_audio": False,
        "negative_prompt": "rain",
        "seed": 7,
        "idempotency_key": "gen-0190-aaaa",
    }
    assert heard.headers["authorization"].startswith("Bearer lmnfl_canary")
    assert heard.headers["user-agent"] == "video-playground/1.2.3"
    assert (job.id, job.state, job.request_id) == ("video_1", JobState.QUEUED, "req_9")
    assert job.created_at is not None
    assert job.created_at.tzinfo is not None


def test_the_idempotency_key_is_left_out_where_it_is_not_honoured() -> None:
    with fake(says(202, ACCEPTED)) as server:
        client(server, honours_idempotency_key=False).create(ORDER)
    assert "idempotency_key" not in json.loads(server.heard[0].body)


@pytest.mark.parametrize("pictures", [(), (picture(),)])
def test_the_key_goes_along_as_a_header_too_where_it_is_honoured(pictures: tuple[ReferenceFile, ...]) -> None:
    order = replace(ORDER, references=pictures)
    with fake(says(202, ACCEPTED)) as server:
        for honours in (True, False):
            client(server, honours_idempotency_key=honours).create(order)
    with_key, without = server.heard
    assert with_key.headers["content-type"].startswith("multipart/" if pictures else "application/json")
    assert with_key.headers["idempotency-key"] == "gen-0190-aaaa"
    assert b"gen-0190-aaaa" in with_key.body
    assert b"gen-0190-aaaa" not in without.raw
    assert "idempotency-key" not in without.headers


def test_a_price_check_has_no_key_in_any_form() -> None:
    with fake(says(200, {"estimated": True, "total_cost_micros": 1, "currency": "USD"})) as server:
        client(server).estimate(ORDER)
    assert "idempotency-key" not in server.heard[0].headers
    assert b"gen-0190-aaaa" not in server.heard[0].raw


@pytest.mark.parametrize("id", [10021, 0, "10021"])
def test_a_gateway_that_counts_its_videos_is_asked_for_them_by_that_number(id: object) -> None:
    told = {"id": id, "status": "queued"}
    with fake(in_turn(says(202, told), says(200, told))) as server:
        made = client(server).create(ORDER)
        job = client(server).retrieve(made.id)
    assert (made.id, job.id, job.told_id) == (str(id), str(id), str(id))
    assert server.heard[1].target == f"/openai/v1/videos/{id}"


@pytest.mark.parametrize("word", ["succeed", "ready", "Ready", "succeeded"])
def test_a_finished_video_is_one_by_any_of_the_known_words(word: str) -> None:
    done = {"id": "video_1", "status": word, "output": {"url": "https://media.example/v.mp4"}}
    with fake(says(200, done)) as server:
        assert client(server).retrieve("video_1").state is JobState.COMPLETED


def test_a_repeated_multipart_order_is_byte_equal() -> None:
    order = with_pictures(picture(b"x" * 200_000), picture(b"second"))
    with fake(says(202, ACCEPTED)) as server:
        client(server).create(order)
        client(server).create(order)
    first, second = server.heard
    assert first.raw == second.raw
    assert first.headers["content-type"].startswith("multipart/form-data; boundary=playground-")
    assert int(first.headers["content-length"]) == len(first.body)
    assert first.body.count(b'name="input_reference[]"; filename="a%22b.png"\r\nContent-Type: image/png\r\n\r\n') == 2
    assert b'name="seconds"\r\n\r\n8\r\n' in first.body


def test_every_try_of_an_order_carries_the_same_trace_of_its_id() -> None:
    id = "0192f0aa-7c00-7000-8000-00000000abcd"
    order = Order(order_id=id, model="sora-2", prompt="a fox", seconds=8)
    with fake(says(202, ACCEPTED)) as server:
        client(server).create(order)
        client(server).create(replace(order, references=(picture(),)))
    plain, multipart = (heard.headers["traceparent"] for heard in server.heard)
    assert plain == multipart
    assert re.fullmatch(rf"00-{UUID(id).hex}-[0-9a-f]{{16}}-01", plain)


def test_a_price_check_leaves_no_trace() -> None:
    with fake(says(200, {"estimated": True, "total_cost_micros": 1, "currency": "USD"})) as server:
        client(server).estimate(Order(order_id="price-check", model="sora-2", prompt="a fox"))
    assert "traceparent" not in server.heard[0].headers


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The wire as the fault bench compiles it: each point that was passed."""
    passed: list[str] = []
    source = points.MARK.sub(r'\1PASSED.append("\2")', Path(wire.__file__).read_text())
    module = ModuleType(wire.__name__)
    monkeypatch.setitem(sys.modules, wire.__name__, module)  # its dataclasses look themselves up there
    module.__dict__.update(PASSED=passed)
    exec(compile(source, wire.__file__, "exec"), module.__dict__)
    monkeypatch.setattr(calls, "Wire", module.__dict__["Wire"])
    return passed


@pytest.mark.parametrize("pictures", [(), (picture(b"x" * 200_000),)], ids=["json", "multipart"])
def test_fault_point_behind_an_order_is_passed_once_with_all_of_it_written(
    marked: list[str], pictures: tuple[ReferenceFile, ...]
) -> None:
    order = replace(ORDER, order_id="0190aaaa-0000-7000-8000-000000000001", references=pictures)
    with fake(says(202, ACCEPTED)) as server:
        client(server).create(order)
        assert marked == ["request-sent"]
        client(server).create(order)
    assert marked == ["request-sent"] * 2
    assert int(server.heard[0].headers["content-length"]) == len(server.heard[0].body)


def test_fault_point_behind_an_order_is_passed_by_nothing_else(marked: list[str]) -> None:
    with fake(says(200, {"id": "video_1", "status": "queued"})) as server:
        client(server).retrieve("video_1")
        with contextlib.suppress(GatewayError):
            client(server).estimate(ORDER)
    assert len(server.heard) == 2
    assert marked == []


def test_fault_point_behind_an_order_is_not_passed_when_it_breaks_off_on_the_way(marked: list[str]) -> None:
    broken = picture(b"x" * 10, size=20)
    order = replace(ORDER, order_id="0190aaaa-0000-7000-8000-000000000001", references=(broken,))
    with fake(says(202, ACCEPTED)) as server, pytest.raises(Unclear):
        client(server).create(order)
    assert marked == []


def test_two_orders_have_different_boundaries() -> None:
    with fake(says(202, ACCEPTED)) as server:
        client(server).create(with_pictures(picture()))
        client(server).create(
            Order(order_id="0190-bbbb", model="sora-2", prompt="a fox, 狐", seconds=8, references=(picture(),))
        )
    assert server.heard[0].headers["content-type"] != server.heard[1].headers["content-type"]
    assert b'name="input_reference"; filename' in server.heard[0].body


class Endless(io.RawIOBase):
    """`size` bytes that are nowhere in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, count: int = -1) -> bytes:
        piece = b"p" * min(count, self.left)
        self.left -= len(piece)
        return piece


def test_a_12_mib_reference_is_streamed_not_held() -> None:
    size = 12 * 1024 * 1024

    def opened() -> BinaryIO:
        return Endless(size)  # type: ignore[return-value]

    order = with_pictures(ReferenceFile("big.png", "image/png", size, opened))
    with fake(says(202, ACCEPTED), keep_bodies=False) as server:
        client(server).create(with_pictures(picture()))  # imports and contexts are paid for before the measurement
        tracemalloc.start()
        try:
            client(server).create(order)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert int(server.heard[1].headers["content-length"]) > size
    assert peak < 2 * 1024 * 1024


def hangs_up(_heard: Heard, sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_RDWR)


def resets(_heard: Heard, sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def sends(data: bytes) -> object:
    def behave(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_RDWR)

    return behave


def error(code: str, message: str = "", kind: str = "") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "expected", "code"),
    [
        (400, error("INVALID_REQUEST", "bad value"), Refused, "refused_other"),
        (400, error("CONTENT_POLICY_VIOLATION", "no"), Refused, "refused_moderation"),
        (400, error("INVALID_REQUEST", "does not support multiple input images"), Refused, "refused_image"),
        (400, error("UPSTREAM_ERROR", "User location is not supported"), Refused, "refused_provider"),
        (400, error("billing_hard_limit_reached", "x"), AccountRefused, "account_balance"),
        (401, error("AUTHENTICATION_FAILED", "Invalid API key"), AccountRefused, "account_key"),
        (
            402,
            error("INSUFFICIENT_BALANCE", "Insufficient", "billing_error"),
            AccountRefused,
            "account_balance",
        ),
        (403, b"<html>no</html>", AccountRefused, "account_key"),
        (403, error("content_policy_violation", "no"), Refused, "refused_moderation"),
        (404, error("MODEL_NOT_FOUND", "Model 'x' not found"), Refused, "refused_other"),
        (405, b"", Refused, "refused_other"),
        (413, b"<html>", Refused, "refused_other"),
        (415, b"", Refused, "refused_other"),
        (422, {"detail": "unprocessable"}, Refused, "refused_other"),
        (307, b"", Refused, "refused_other"),
        (302, b"", Unclear, "redirected"),
        (408, b"", Unclear, "server_error"),
        (409, error("IDEMPOTENCY_IN_FLIGHT"), InFlight, "in_flight"),
        (429, error("RATE_LIMITED", "see the billing page"), Throttled, "throttled"),
        (429, error("insufficient_quota", "You exceeded"), AccountRefused, "account_balance"),
        (500, error("INTERNAL_ERROR"), Unclear, "server_error"),
        (502, b"<html><h1>Bad gateway</h1></html>", Unclear, "server_error"),
        (524, b"", Unclear, "server_error"),
        (200, b"<html>all fine</html>", Unclear, "not_json"),
        (200, b"", Unclear, "not_json"),
        (200, {"status": "queued"}, Unclear, "no_id"),
        (202, {"id": True}, Unclear, "no_id"),
        (202, {"id": 7.5}, Unclear, "no_id"),
        (202, {"id": "v" * 256}, Unclear, "no_id"),
        (200, error("INTERNAL_ERROR", "sorry"), Unclear, "error_in_success"),
        (200, [], Unclear, "no_id"),
        (200, b"[" * 100_000, Unclear, "not_json"),
    ],
)
def test_each_answer_to_an_order_has_its_meaning(
    status: int, body: object, expected: type[GatewayError], code: str
) -> None:
    with fake(says(status, body, X_Request_Id="r1")) as server, pytest.raises(GatewayError) as caught:
        client(server).create(ORDER)
    assert type(caught.value) is expected
    assert (caught.value.code, caught.value.status, caught.value.request_id) == (code, status, "r1")
    assert caught.value.outcome is expected.outcome
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (hangs_up, "connection_lost"),
        (resets, "connection_lost"),
        (sends(b"HTTP/1.1 202 Accepted\r\nContent-Length: 500\r\n\r\n{"), "connection_lost"),
        (sends(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "connection_lost"),
        (sends(b"\x16\x03\x01 not http at all"), "connection_lost"),
        (sends(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300_000 + b"\r\n\r\n{}"), "connection_lost"),
    ],
)
def test_a_broken_answer_leaves_the_order_unclear_and_is_not_repeated(behave: object, code: str) -> None:
    with fake(behave) as server, pytest.raises(Unclear) as caught:  # type: ignore[arg-type]
        client(server).create(ORDER)
    assert caught.value.code == code
    assert server.connections == 1


def test_nobody_listening_means_not_sent() -> None:
    with fake(says()) as server:
        port_holder = client(server)
    with pytest.raises(NotSent) as caught:
        port_holder.create(ORDER)
    assert caught.value.outcome is Outcome.NOT_SENT
    assert caught.value.code == "unreachable"


def test_a_silent_gateway_is_unclear_after_the_read_limit() -> None:
    with fake(lambda heard, sock: server.closed.wait(20)) as server, pytest.raises(Unclear) as caught:  # type: ignore[arg-type,func-returns-value]
        client(server).create(ORDER)
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("opening", [b"", b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n"])
def test_a_dripping_gateway_is_ended_by_the_deadline_in_head_and_body(opening: bytes) -> None:
    def drips(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(opening)
        while not server.closed.wait(0.05):
            sock.sendall(b"H")

    with fake(drips) as server, pytest.raises(Deadline) as caught:
        client(server).create(ORDER)
    assert caught.value.outcome is Outcome.UNCLEAR


def test_an_endless_answer_is_cut_off() -> None:
    def floods(_heard: Heard, sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 202 Accepted\r\n\r\n")
        while True:
            sock.sendall(b" " * 65536)

    with fake(floods) as server, pytest.raises(Unclear) as caught:
        client(server).create(ORDER)
    assert caught.value.code == "too_large"


def test_a_missing_reference_is_noticed_before_anything_is_sent() -> None:
    def gone() -> BinaryIO:
        raise FileNotFoundError("a.png")

    with fake(says(202, ACCEPTED)) as server, pytest.raises(NotSent) as caught:
        client(server).create(with_pictures(ReferenceFile("a.png", "image/png", 5, gone)))
    assert caught.value.code == "reference_unreadable"
    assert server.connections == 0


@pytest.mark.parametrize("told", [4, 400_000])
def test_a_reference_that_changed_its_length_never_makes_a_whole_order(told: int) -> None:
    with fake(says(202, ACCEPTED)) as server, pytest.raises(Unclear) as caught:
        client(server).create(with_pictures(picture(b"x" * 200_000, size=told)))
    assert caught.value.code == "reference_changed"
    assert server.heard == []


def test_an_early_refusal_during_the_upload_is_heard() -> None:
    def refuses_at_once(heard: Heard, sock: socket.socket) -> None:
        raise AssertionError("the body was read")

    with fake(refuses_at_once) as server:
        server._read = lambda sock: sock.sendall(_too_large()) or sock.shutdown(socket.SHUT_WR)  # type: ignore[assignment,method-assign,func-returns-value]
        with pytest.raises(GatewayError) as caught:
            client(server).create(with_pictures(picture(b"x" * 5_000_000)))
    # The refusal may be lost to the reset that unread bytes cause; it is never taken for "not sent".
    assert caught.value.outcome in (Outcome.REFUSED, Outcome.UNCLEAR)


def _too_large() -> bytes:
    return b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("soon", None), ("999999", 3600.0)])
def test_retry_after_is_read_and_capped(header: str, seconds: float | None) -> None:
    with fake(says(429, b"", Retry_After=header)) as server, pytest.raises(Throttled) as caught:
        client(server).create(ORDER)
    assert caught.value.retry_after_s == seconds


def test_retry_after_as_a_date_in_the_past_is_now() -> None:
    header = "Wed, 21 Oct 2015 07:28:00 GMT"
    with fake(says(429, b"", Retry_After=header)) as server, pytest.raises(Throttled) as caught:
        client(server).create(ORDER)
    assert caught.value.retry_after_s == 0.0


def test_a_replay_with_200_is_an_acceptance() -> None:
    with fake(says(200, ACCEPTED | {"status": "completed", "output": {"url": "https://m.example/v.mp4"}})) as server:
        job = client(server).create(ORDER)
    assert job.state is JobState.COMPLETED
    assert job.output is not None
    assert job.output.url == "https://m.example/v.mp4"


def test_each_order_opens_a_connection_of_its_own() -> None:
    with fake(says(202, ACCEPTED)) as server:
        gateway = client(server)
        gateway.create(ORDER)
        gateway.create(ORDER)
    assert server.connections == 2


def test_a_failed_job_inside_an_acceptance_keeps_its_reason() -> None:
    body = ACCEPTED | {"status": "failed", "error": {"code": "content_policy_violation", "message": "no"}}
    with fake(says(202, body)) as server:
        job = client(server).create(ORDER)
    assert job.error is not None
    assert job.error.kind is FailureKind.MODERATION


@pytest.mark.parametrize("name", ["prompt", "n", "input_reference", "idempotency_key", "dryRun"])
def test_extra_fields_cannot_overrule_an_orders_own(name: str) -> None:
    with pytest.raises(ValueError, match="must not set"):
        Order(order_id="a", model="m", prompt="p", extra={name: "x"})


def test_packed_answers_are_unpacked_within_the_limit() -> None:
    packed = gzip.compress(json.dumps(ACCEPTED).encode())
    bomb = gzip.compress(b" " * 50_000_000)
    with fake(in_turn(says(202, packed, Content_Encoding="gzip"), says(202, bomb, Content_Encoding="gzip"))) as server:
        assert client(server).create(ORDER).id == "video_1"
        with pytest.raises(Unclear) as caught:
            client(server).create(ORDER)
    assert caught.value.code == "too_large"
    assert server.heard[0].headers["accept-encoding"] == "identity"


def test_a_config_never_shows_its_key() -> None:
    assert "CANARY" not in repr(config())
