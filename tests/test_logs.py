"""No secret reaches a log line."""

from playground.logs import scrub


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
