"""The key is a canary here: wherever it could leak, it is looked for."""

import base64
import io
import json
import logging
import pickle
import traceback

import pytest

from playground.gateway.errors import GatewayError
from playground.gateway.types import ConfigError, GatewayConfig, Job, JobState, Output
from tests.gateway.fake import KEY, Behaviour, client, config, fake, says
from tests.gateway.polling import poll
from tests.gateway.test_orders import ORDER, error, hangs_up, resets

pytestmark = pytest.mark.slow

ESCAPED = "".join(f"\\u{ord(char):04x}" for char in KEY)


def leaks(text: str) -> bool:
    return KEY in text or base64.b64encode(KEY.encode()).decode() in text


def everything_about(caught: BaseException) -> str:
    """The message, the repr, the printed traceback, and every exception that hangs on it with all its attributes."""
    parts = ["".join(traceback.format_exception(caught))]
    seen: set[int] = set()
    waiting: list[BaseException | None] = [caught]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        parts += [str(one), repr(one), repr(one.args), repr(vars(one))]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(parts)


@pytest.mark.parametrize(
    "behave",
    [
        hangs_up,
        resets,
        says(200, b"<html>"),
        says(401, error("AUTHENTICATION_FAILED", f"Incorrect API key provided: {KEY}")),
        says(401, b'{"error":{"code":"A","message":"' + ESCAPED.encode() + b'"}}'),
        says(500, f"Authorization: Bearer {KEY}".encode()),
        says(400, {"detail": KEY}, X_Request_Id=KEY),
        says(200, {"error": KEY}),
    ],
)
def test_no_error_of_any_call_holds_the_key(behave: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with fake(behave) as server:
        gateway = client(server)
        for call in (
            lambda: gateway.create(ORDER),
            lambda: gateway.estimate(ORDER),
            lambda: gateway.retrieve("v"),
            lambda: gateway.models(),
        ):
            with pytest.raises(GatewayError) as caught:
                call()
            assert not leaks(everything_about(caught.value))
        polled = poll(gateway.config, ["v"])["v"]
        assert isinstance(polled, GatewayError)
        assert not leaks(everything_about(polled))
    assert not leaks(caplog.text)
    assert KEY in server.heard[0].headers["authorization"]


def test_no_error_hangs_on_the_librarys_exception() -> None:
    with fake(hangs_up) as server, pytest.raises(GatewayError) as caught:
        client(server).create(ORDER)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_no_frame_of_a_traceback_shows_the_key() -> None:
    with fake(hangs_up) as server, pytest.raises(GatewayError) as caught:
        client(server).create(ORDER)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    ours = [frame for frame in frames if "playground" in frame.f_code.co_filename.rsplit("/main/", 1)[-1]]
    assert ours
    for frame in frames:
        if frame.f_code.co_filename != __file__:
            assert not any(leaks(repr(value)) for value in frame.f_locals.values())


def test_a_gateway_that_repeats_the_key_in_a_success_does_not_store_it() -> None:
    body = json.dumps({"id": "v", "status": "failed", "error": {"code": KEY, "message": f"key {KEY}"}, "size": KEY})
    for sent in (body.encode(), body.replace(KEY, ESCAPED).encode()):
        with fake(says(200, sent)) as server:
            job = client(server).retrieve("v")
        assert not leaks(repr(job))
        assert job.error is not None
        assert job.error.message == "key [key]"


def test_nothing_holding_the_key_shows_it() -> None:
    settings = config()
    with fake(says()) as server:
        assert not leaks(repr(settings) + str(settings) + repr(client(server)))


@pytest.mark.parametrize("key", [f"{KEY}\r\nX: y", f"{KEY} x", "ключ" + KEY])
def test_a_key_that_cannot_be_sent_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GatewayConfig(base_url="https://x.example/v1", api_key=key)
    assert not leaks(everything_about(caught.value))


def test_the_media_host_never_sees_the_key() -> None:
    film = Job(id="v", state=JobState.COMPLETED, output=Output(None))
    with fake(says(200, b"x", Content_Type="video/mp4")) as server:
        url = f"{server.origin}/media/v.mp4"
        client(server).download(Job(id="v", state=JobState.COMPLETED, output=Output(url)), io.BytesIO())
        assert not leaks(server.heard[0].raw.decode())
        client(server).download(film, io.BytesIO())
        assert leaks(server.heard[1].raw.decode())


def test_an_error_can_be_told_apart_after_pickling() -> None:
    problem = GatewayError("no", code="x", status=500)
    again = pickle.loads(pickle.dumps(problem))
    assert (again.message, again.code, again.status) == ("no", "x", 500)
