"""No secret reaches a log line."""

import logging
import time
from typing import Any

import pytest
from django.test import RequestFactory

from playground.logs import Waiting, masked_path, scrub


def test_values_with_private_names_are_dropped() -> None:
    event = scrub(None, "info", {"event": "x", "prompt": "a secret film", "api_key": "k", "status": "done"})
    assert event == {"event": "x", "prompt": "[not logged]", "api_key": "[not logged]", "status": "done"}


def test_one_time_addresses_lose_their_token() -> None:
    event = scrub(None, "info", {"request": "GET /welcome/abcDEF123/?next=/x", "path": "/sign-in/zzz/"})
    assert "abcDEF123" not in event["request"]
    assert "zzz" not in event["path"]


def test_ordinary_paths_stay_as_they_are() -> None:
    assert scrub(None, "info", {"request": "GET /videos/12/"}) == {"request": "GET /videos/12/"}


def test_what_follows_the_question_mark_is_not_logged() -> None:
    event = scrub(None, "info", {"request": "GET /create/?prompt=a+secret+film"})
    assert event["request"] == "GET /create/?[not logged]"


@pytest.mark.parametrize(
    ("name", "longest"), [("user_agent", 200), ("request_id", 64), ("correlation_id", 64), ("request", 2000)]
)
def test_what_a_client_chooses_does_not_fill_the_log(name: str, longest: int) -> None:
    event = scrub(None, "info", {name: "a" + "x" * 60_000 + "z"})
    said = event[name]
    assert longest - 2 < len(said) <= longest
    assert (said[0], said[-1]) == ("a", "z")
    assert scrub(None, "info", event) == {name: said}
    assert scrub(None, "info", {name: "x" * longest}) == {name: "x" * longest}


@pytest.mark.parametrize(
    "unit", ["a", "a1", "A", "aB-", "aaaaa-", "aaaaaa-0123456789abcdef0123456789abcde", "/s/", "?"]
)
def test_what_a_client_chooses_costs_no_time_to_mask(unit: str) -> None:
    """One request with such a name of a program held a whole web process for seconds."""
    said = "/" + (unit * 60_000)[:60_000]
    began = time.process_time()
    masked_path(said)
    assert time.process_time() - began < 2


def test_a_traceback_keeps_its_beginning_and_its_end() -> None:
    said = scrub(None, "error", {"exception": "Traceback" + "x" * 60_000 + "ValueError: odd"})["exception"]
    assert said.startswith("Traceback")
    assert said.endswith("ValueError: odd")


def record(name: str, msg: Any, **extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "msg": msg, "levelno": logging.ERROR, "levelname": "ERROR"} | extra)


def test_not_ready_yet_is_told_once_and_not_as_an_error() -> None:
    finished = record("django_structlog.x", {"code": 503, "request": "GET /readyz", "level": "error"})
    assert Waiting().filter(finished)
    assert (finished.levelname, finished.msg["level"]) == ("INFO", "info")  # type: ignore[index]
    request = RequestFactory().get("/readyz")
    assert not Waiting().filter(record("django.request", "Service Unavailable: %s", request=request))


@pytest.mark.parametrize(("code", "asked"), [(500, "GET /readyz"), (503, "GET /media/x")])
def test_other_server_errors_stay_errors(code: int, asked: str) -> None:
    finished = record("django_structlog.x", {"code": code, "request": asked, "level": "error"})
    assert Waiting().filter(finished)
    assert (finished.levelname, finished.msg["level"]) == ("ERROR", "error")  # type: ignore[index]
    request = RequestFactory().get(asked.split()[1])
    assert Waiting().filter(record("django.request", "%s", request=request, status_code=code))


TOKEN = "Zq7-" + "aB3_xY9k" * 4 + "-Zm4_Tx"
NBSP = "\N{NO-BREAK SPACE}"
UUID = "01a20345-ff7d-7004-ad18-88f58352f614"
RESET_KEY = UUID.replace("-", "") + "-digblh-" + "c23cd2f0" * 4
SHA256 = "0f1e2d3c" * 8
LONG_NAME = "file_that_is_being_sent_stops_at_the_next_block"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("GET /s/abcDEF-123_x/", "GET /s/[not logged]"),
        ("GET /s/abcDEF/media/1/?t=5", "GET /s/[not logged]?[not logged]"),
        ("POST /invite/abcDEF/", "POST /invite/[not logged]"),
        ("GET /account/password/reset/key/3x-abcDEF/", "GET /account/password/reset/key/[not logged]"),
        ("GET /account/confirm-email/abc:DEF/", "GET /account/confirm-email/[not logged]"),
        ("Forbidden (CSRF token missing.): /sign-in/abcDEF/", "Forbidden (CSRF token missing.): /sign-in/[not logged]"),
        (
            "GET https://files.example/a.mp4?sig=abcDEF HTTP/1.1",
            "GET https://files.example/a.mp4?[not logged] HTTP/1.1",
        ),
        (f"Not Found: /s/ {TOKEN}/", "Not Found: /s/ [not logged]/"),
        (f"Not Found: /s/{NBSP}{TOKEN}/", f"Not Found: /s/{NBSP}[not logged]/"),
        (f"Not Found: /s\\{TOKEN}/", "Not Found: /s\\[not logged]/"),
        (f"Not Found: /s;{TOKEN}/media/", "Not Found: /s;[not logged]/media/"),
        (f"GET /share/{TOKEN}?x=1", "GET /share/[not logged]?[not logged]"),
        (
            f"Not Found: /account/password/reset//key/{RESET_KEY}/",
            "Not Found: /account/password/reset//key/[not logged]/",
        ),
        (f"Not Found: /account/password/key/{RESET_KEY}/", "Not Found: /account/password/key/[not logged]/"),
        (f"Not Found: /account/{RESET_KEY.partition('-')[2]}", "Not Found: /account/[not logged]"),
        (f"GET /videos/{UUID}/", f"GET /videos/{UUID}/"),
        (f"references/2026/11/{UUID}-original.jpg", f"references/2026/11/{UUID}-original.jpg"),
        (f"/stored/{SHA256}.mp4", f"/stored/{SHA256}.mp4"),
        ("File /x/y.py, line 3, in " + LONG_NAME, "File /x/y.py, line 3, in " + LONG_NAME),
        ("GET /settings/", "GET /settings/"),
        ("GET /videos/1/ why? /s", "GET /videos/1/ why? /s"),
    ],
)
def test_secrets_in_addresses_are_masked_wherever_they_stand(said: str, kept: str) -> None:
    assert masked_path(said) == kept
    assert masked_path(kept) == kept


@pytest.mark.parametrize("letters", ["a", "a-", "abcde-", "0", "?", "/s/", "/s/?"])
def test_what_a_client_chooses_is_masked_in_no_time(letters: str) -> None:
    """In seconds of its own processor. What takes its length squared stands still for half a minute."""
    said = "/" + letters * (60_000 // len(letters))
    began = time.thread_time()
    masked_path(said)
    assert time.thread_time() - began < 2
