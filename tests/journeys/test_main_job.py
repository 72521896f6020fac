"""The main job through real processes and plain HTTP: a form goes in, a stored video comes out, paid once.

One installation on SQLite serves the whole module; test_on_postgresql.py has the same job there.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.support.processes import wait_until
from tests.support.running import Running
from tests.support.visitor import Answer, Visitor, charges

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

ENDED = {"done", "rejected", "failed", "cancelled", "expired", "lost", "output_lost", "unknown"}
SEEN_WITHIN_S = 2.0


def picture() -> tuple[str, str, bytes]:
    file = BytesIO()
    Image.linear_gradient("L").resize((320, 180)).convert("RGB").save(file, "JPEG")
    return "harbour.jpg", "image/jpeg", file.getvalue()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("main"), SANDBOX_JOB_SECONDS="1-2")
    running.prepared()
    try:
        yield running.ready_to_order()
    finally:
        running.remove()


def someone(up: Running, name: str, team: str, role: str = "creator") -> Visitor:
    link = up.command("signin_link", f"{name}@example.com", "--team", team, "--role", role).strip()
    return Visitor(up.url).sign_in(link)


@pytest.fixture(scope="module")
def ana(up: Running) -> Visitor:
    return someone(up, "ana", "studio", "admin")


def newest_card(who: Visitor) -> str:
    return who.ask("/create/").values(r'<article id="job-([0-9a-f-]{36})"')[0]


def card(who: Visitor, generation: str) -> Answer:
    return who.ask(f"/generations/{generation}/card/", HX_Request="true")


def status(who: Visitor, generation: str) -> str:
    return card(who, generation).values(r'data-status="(\w+)"')[0]


def finished(who: Visitor, generation: str) -> Answer:
    """The card once it moves no more."""
    wait_until(lambda: status(who, generation) in ENDED, within=60, what=f"{generation} to end")
    return card(who, generation)


def video_of(answer: Answer) -> str:
    return answer.values(r'href="/videos/([0-9a-f-]{36})/"')[0]


def make_one(who: Visitor, prompt: str) -> str:
    """Order one and wait; the id of its video."""
    assert who.order(prompt, seconds=1).status == 303
    return video_of(finished(who, newest_card(who)))


@pytest.fixture(scope="module")
def video(ana: Visitor) -> str:
    return make_one(ana, "A quiet harbour")


def whole_job(up: Running, who: Visitor) -> None:
    before = len(charges(up.sandbox_port))
    page = who.ask("/create/?model=veo-3.1-fast&seconds=4")
    form = {
        "prompt": "Boats at dawn",
        "model": "veo-3.1-fast",
        "size": "1280x720",
        "seconds": "4",
        "count": "1",
        "negative_prompt": "people",
        "token": page.value("token"),
        "quoted_micros": page.value("quoted_micros"),
        "team": page.value("team"),
    }

    sent = who.post("/create/", form, page=page, files={"reference": picture()})

    assert sent.status == 303, sent.text[:3000]
    assert sent.headers["Location"] == "/create/#jobs"
    generation = newest_card(who)
    shown = finished(who, generation)
    assert 'job__word tone-good">Ready<' in shown.text
    media = who.ask(f"/media/videos/{video_of(shown)}/")
    assert (media.status, media.headers["Content-Type"]) == (200, "video/mp4")
    assert media.body[4:8] == b"ftyp"
    paid = charges(up.sandbox_port)[before:]
    assert [charge["idempotency_key"] for charge in paid] == [generation]
    assert paid[0]["micros"] == int(form["quoted_micros"]) == 800_000
    detail = who.ask(f"/videos/{video_of(shown)}/").text
    assert "The reference image of this video" in detail
    assert "people" in detail


def test_form_becomes_a_stored_video_that_is_paid_once(up: Running, ana: Visitor) -> None:
    whole_job(up, ana)


def test_same_form_sent_twice_is_one_run_and_another_prompt_is_asked_about(up: Running, ana: Visitor) -> None:
    page = ana.ask("/create/?model=p-video&seconds=1")
    form = {name: page.value(name) for name in ("team", "token", "quoted_micros")} | {"model": "p-video", "seconds": 1}

    first = ana.post("/create/", form | {"prompt": "Two birds"}, page=page)
    second = ana.post("/create/", form | {"prompt": "Two birds"}, page=page)
    other = ana.post("/create/", form | {"prompt": "Three birds"}, page=page)

    assert (first.status, second.status, other.status) == (303, 303, 409)
    assert "already sent" in other.text
    assert "Three birds</textarea>" in other.text
    found = up.query("SELECT count(*) FROM playground_run WHERE prompt IN ('Two birds', 'Three birds')")
    assert found == [(1,)]


def test_count_of_four_is_four_orders_with_four_keys(up: Running, ana: Visitor) -> None:
    before = len(charges(up.sandbox_port))

    assert ana.order("Four gulls", seconds=1, count=4).status == 303

    page = ana.ask("/create/")
    newest = page.values(r'<article id="job-([0-9a-f-]{36})"')[:4]
    for generation in newest:
        finished(ana, generation)
    keys = {charge["idempotency_key"] for charge in charges(up.sandbox_port)[before:]}
    assert keys == set(newest)
    assert len(keys) == 4
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Four gulls'") == [(1,)]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"prompt": "  "}, "Write what the video should show."),
        ({"prompt": "x" * 5001}, "5,001 of 5,000 characters for p-video. Shorten it by 1."),
        ({"size": "1x1"}, "p-video does not make this size."),
        ({"seconds": "99"}, "Choose a whole number of seconds from 1 to 10."),
        ({"count": "5"}, "Choose between 1 and 4 videos."),
        ({"negative_prompt": "people"}, "This model takes no negative prompt."),
    ],
)
def test_wrong_input_is_422_with_the_words_and_what_was_typed(ana: Visitor, fields: dict, words: str) -> None:
    page = ana.ask("/create/?model=p-video")
    carried = {name: page.value(name) for name in ("team", "token", "quoted_micros")}

    answer = ana.post(
        "/create/", {"prompt": "Kept harbour", "model": "p-video", "seconds": "3", **carried, **fields}, page=page
    )

    assert answer.status == 422
    assert words in answer.text
    assert fields.get("prompt", "Kept harbour") in answer.text


def test_price_that_has_risen_sends_nothing(up: Running, ana: Visitor) -> None:
    page = ana.ask("/create/?model=p-video&seconds=5")
    form = {name: page.value(name) for name in ("team", "token")} | {"model": "p-video", "seconds": "5"}

    answer = ana.post("/create/", form | {"prompt": "A cheaper time", "quoted_micros": "90000"}, page=page)

    assert answer.status == 422
    assert "It was $0.09 when you opened the form. Nothing was sent." in answer.text
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'A cheaper time'") == [(0,)]


def test_parts_of_a_video_come_as_asked(ana: Visitor, video: str) -> None:
    path = f"/media/videos/{video}/"
    whole = ana.ask(path)
    length, etag = len(whole.body), whole.headers["ETag"]

    first = ana.ask(path, Range="bytes=0-99")
    assert (first.status, first.body) == (206, whole.body[:100])
    assert first.headers["Content-Range"] == f"bytes 0-99/{length}"
    last = ana.ask(path, Range="bytes=-50")
    assert (last.status, last.body) == (206, whole.body[-50:])
    rest = ana.ask(path, Range=f"bytes={length - 7}-")
    assert (rest.status, rest.body) == (206, whole.body[-7:])
    beyond = ana.ask(path, Range=f"bytes={length}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{length}")
    same = ana.ask(path, Range="bytes=0-9", If_Range=etag)
    assert (same.status, same.body) == (206, whole.body[:10])
    changed = ana.ask(path, Range="bytes=0-9", If_Range='"another"')
    assert (changed.status, changed.body) == (200, whole.body)
    head = ana.ask(path, method="HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(length))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert ana.ask(path, If_None_Match=etag).status == 304


def test_another_team_finds_nothing_and_the_signed_out_are_led_to_sign_in(
    up: Running, ana: Visitor, video: str
) -> None:
    stranger = someone(up, "cy", "elsewhere", "admin")
    nobody = Visitor(up.url)
    generation = newest_card(ana)
    run = ana.ask(f"/generations/{generation}/card/").headers["Location"]

    for path in (f"/media/videos/{video}/", f"/media/videos/{video}/poster/", f"/videos/{video}/", run):
        assert ana.ask(path).status == 200, path
        assert stranger.ask(path).status == 404, path
        led = nobody.ask(path)
        assert (led.status, led.headers["Location"]) == (302, f"/account/login/?next={path}")
    assert stranger.ask(f"/generations/{generation}/card/", HX_Request="true").status == 404
    assert stranger.ask(f"/generations/cards/?g={generation}:0").text.count("<article") == 0
    signed_out = nobody.ask(f"/generations/cards/?g={generation}:0", HX_Request="true")
    assert (signed_out.status, signed_out.body) == (401, b"")
    assert signed_out.headers["HX-Redirect"].startswith("/account/login/")


def test_finished_job_is_seen_within_two_seconds(up: Running, ana: Visitor) -> None:
    """The sandbox's own record of the end against the event that the worker wrote: two clocks of one machine."""
    make_one(ana, "A finish to be seen")
    generation = newest_card(ana)

    ended = ended_at(up, generation)
    seen = up.query(
        "SELECT at FROM playground_event WHERE to_status = 'completed'"
        f" AND generation_id = '{generation.replace('-', '')}' ORDER BY id LIMIT 1"
    )[0][0]

    seen_at = datetime.fromisoformat(seen).replace(tzinfo=UTC).timestamp()
    assert 0 <= seen_at - ended < SEEN_WITHIN_S


def ended_at(up: Running, key: str) -> float:
    path = next(Path(up.environment["PLAYGROUND_DATA"]).rglob("sandbox.sqlite3"))
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=20)) as connection:
        row = connection.execute("SELECT ended_at FROM job WHERE idempotency_key = ?", (key,)).fetchone()
    return float(row[0])
