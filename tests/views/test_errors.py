"""What a broken request gets: a page or a toast in words, one line in the log, and never a 500."""

import io
import json
import logging
import re

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from playground.logs import Refusals

pytestmark = pytest.mark.pure

LARGE = "x" * 2_000_000


@pytest.fixture
def log():
    """What the log of an installation would hold; reads anew at each call."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Refusals())
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    logger = logging.getLogger("django")
    logger.addHandler(handler)
    yield stream.getvalue
    logger.removeHandler(handler)


def toast(answer) -> str:
    return json.loads(answer.headers["HX-Trigger"])["toast"]["text"]


def test_foreign_host_name_is_a_page_and_one_warning(db, client, log):
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.content.decode()
    assert re.fullmatch(r"WARNING Invalid HTTP_HOST header: 'evil.example'.*\n", log())


def test_broken_multipart_is_a_page_and_one_warning(member, browser_of, log):
    browser = browser_of(member)
    answer = browser.generic("POST", "/create/", b"no parts", content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "could not read what was sent" in answer.content.decode()
    assert re.fullmatch(r"WARNING Bad request .*: /create/\n", log())


def test_fault_of_ours_keeps_its_traceback(member, browser_of, log, monkeypatch):
    monkeypatch.setattr("playground.views.create.Draft.from_data", lambda *_: 1 / 0)
    browser = browser_of(member)
    browser.raise_request_exception = False
    answer = browser.get("/create/")
    assert answer.status_code == 500
    lines = log().splitlines()
    assert lines[0].startswith("ERROR Internal Server Error")
    assert "ZeroDivisionError: division by zero" in lines
    number = re.search(r"<code>([0-9a-f-]{36})</code>", answer.content.decode())
    assert number


@pytest.mark.parametrize("name", ["create.price", "create.index", "references.upload"])
@pytest.mark.parametrize("kind", ["text", "fields", "files"])
def test_more_than_a_form_takes_is_413_in_words(member, browser_of, name, kind):
    sent = {
        "text": {"prompt": LARGE},
        "fields": {f"field{number}": "x" for number in range(2000)},
        "files": {f"file{number}": io.BytesIO(b"x") for number in range(500)},
    }[kind]
    answer = browser_of(member).post(reverse(name), sent)
    assert answer.status_code == 413
    assert "12 MiB" in answer.content.decode()
    answer = browser_of(member, htmx=True).post(reverse(name), sent)
    assert answer.status_code == 413
    assert "too large" in toast(answer)


def test_large_form_without_a_file_is_413(member, browser_of):
    body = f"prompt={LARGE}"
    answer = browser_of(member, htmx=True).generic(
        "POST", "/create/price/", body, content_type="application/x-www-form-urlencoded"
    )
    assert answer.status_code == 413
    assert "too large" in toast(answer)


def test_form_without_its_proof_says_so_to_htmx_too(member):
    for headers in ({}, {"HX-Request": "true"}):
        browser = Client(enforce_csrf_checks=True, headers=headers)
        browser.force_login(member.user)
        answer = browser.post("/create/price/", {"prompt": "x"})
        assert answer.status_code == 403
        assert "open for too long" in (toast(answer) if headers else answer.content.decode())


def test_forbidden_and_gone_say_so_to_htmx_only_when_pressed(member, viewer, browser_of):
    assert "not yours" in toast(browser_of(viewer, htmx=True).post("/spend/limits/pause/", {"paused": "1"}))
    browser = browser_of(member, htmx=True)
    assert "gone" in toast(browser.post(reverse("generations.cancel", args=["01900000-0000-7000-8000-000000000000"])))
    silent = browser.get("/nothing-here/")
    assert silent.status_code == 404
    assert "HX-Trigger" not in silent.headers


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_405(member, browser_of, method):
    for path in ("/create/", "/account/login/", "/healthz", "/nothing-here/"):
        answer = browser_of(member).generic(method, path)
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_pages_are_for_one_browser_and_no_search_engine(member, browser_of):
    answer = browser_of(member).get("/create/")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert {"Cookie", "HX-Request"} <= set(answer.headers["Vary"].split(", "))
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.headers["Server"] == "playground"


def test_error_pages_are_for_one_browser_too(member, browser_of):
    answer = browser_of(member).get("/nothing-here/")
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_head_answers_as_get_does(member, browser_of):
    browser = browser_of(member)
    for path in ("/", "/create/", "/gallery/", "/runs/", "/trash/", "/team/gateways/", "/account/logout/", "/healthz"):
        assert browser.head(path).status_code == browser.get(path).status_code, path
        assert browser.head(path).content == b""


def test_nul_in_a_form_is_refused_in_words_on_every_database(member, browser_of):
    answer = browser_of(member).post("/create/price/", {"model": "a\0b"})
    assert answer.status_code == 400
    assert "could not read" in answer.content.decode()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("database is locked", 503),
        ("database is locked: another writer holds the lock file", 503),
        ("database or disk is full", 503),
        ("no such table: playground_run", 500),
        ("too many SQL variables", 500),
    ],
)
def test_database_that_waiting_may_mend_is_told_apart_from_one_that_is_wrong(
    member, browser_of, monkeypatch, words, status
):
    def broken(*_args, **_kwargs):
        raise OperationalError(words)

    monkeypatch.setattr("playground.views.create.Draft.from_data", broken)
    browser = browser_of(member)
    browser.raise_request_exception = False
    page = browser.get("/create/")
    pressed = browser.post("/create/", {"team": member.team.slug}, headers={"HX-Request": "true"})

    for answer in (page, pressed):
        assert (answer.status_code, "Retry-After" in answer.headers) == (status, status == 503)
    assert ("The database is busy or away" in page.text) == (status == 503)
    # Create draws its form anew by a 503 of its own: this one takes nothing away that was typed.
    assert (pressed.headers.get("HX-Retarget") == "#nothing") == (status == 503)
    assert toast(pressed).startswith("The database is busy or away" if status == 503 else "The server made a mistake")
