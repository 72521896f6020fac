"""A crowd of presses: who finds no place is told so at once, and whatever is read goes on."""

import json
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from threading import Event

import pytest
from django.http import HttpResponse

from playground.models import Role, Run, VideoRequest
from playground.rate_limits import Limit
from playground.services import few_of_one, places, rates
from playground.services.line import Line
from playground.views import crowd
from playground.views.generations import line_words
from tests.factories import make_gateway, make_member, make_model, make_video
from tests.views.test_create import HTMX, priced, values

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
WORDS = "The server is busy with other orders. Nothing was sent. Press again in a moment."


@pytest.fixture
def model():
    return make_model("kling-v3", gateway=make_gateway(slug="sandbox", is_default=True))


@pytest.fixture
def crowded(monkeypatch):
    """Other people's presses have all places."""
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    with ExitStack() as stack:
        for _ in range(places.PLACES):
            stack.enter_context(places._free)
        yield


@pytest.mark.parametrize(
    ("waiting", "room"), [(48, "There is room for 2 more"), (50, "Press again when"), (51, "Press again when")]
)
def test_full_line_names_room_only_where_there_is_some(waiting, room):
    """More may wait than a limit that was lowered meanwhile."""
    words = line_words(Line(waiting=waiting, limit=50, is_own=True))
    assert room in words
    assert "room for -" not in words


@pytest.fixture(params=["create", "again"])
def path(request, model, member):
    """Both presses that order."""
    priced(model)
    return "/create/" if request.param == "create" else again_path(member, model)


def again_path(member, model):
    return f"/generations/{make_video(by=member, model=model, files=False).generation.id}/again/"


def test_press_that_finds_no_place_is_told_to_press_again(member, browser_of, model, path, crowded):
    before = Run.objects.count()
    answer = browser_of(member).post(path, values(model))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert answer.templates[0].name == "errors/429_busy.html"
    assert "Many press at once" in answer.text
    assert Run.objects.count() == before


def test_press_of_a_page_that_stays_gets_its_words_beside_it_and_keeps_its_form(
    member, browser_of, model, path, crowded
):
    before = Run.objects.count()
    answer = browser_of(member).post(path, values(model), headers=HTMX)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
    assert WORDS in json.dumps(json.loads(answer.headers["HX-Trigger"]), ensure_ascii=False)
    assert answer.headers["HX-Retarget"] == "#nothing"
    assert "<form" not in answer.text
    assert Run.objects.count() == before


def test_pages_are_read_while_all_places_are_taken(member, browser_of, model, crowded):
    assert browser_of(member).get("/create/").status_code == 200


def test_each_press_gives_its_place_back_also_when_it_fails(member, browser_of, model, monkeypatch):
    priced(model)
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    browser = browser_of(member)
    wrong = [browser.post("/create/", values(model, seconds="x")).status_code for _ in range(places.PLACES + 1)]
    fine = [browser.post("/create/", values(model, token=f"press-{n}")).status_code for n in range(places.PLACES + 1)]
    assert (set(wrong), set(fine)) == ({422}, {303})

    def broken(*_given: object) -> None:
        raise RuntimeError

    for _ in range(places.PLACES):
        with pytest.raises(RuntimeError):
            crowd.few_at_once(broken)(type("Post", (), {"membership": member})())
    assert browser.post("/create/", values(model, token="press-9")).status_code == 303


@pytest.fixture
def no_place_asked_for(monkeypatch):
    def taken():
        raise AssertionError("a place was asked for")

    monkeypatch.setattr(places, "taken", taken)


def test_viewer_is_refused_before_a_place_and_asks_for_a_video_without_one(
    member, viewer, browser_of, model, no_place_asked_for
):
    """Who may not order keeps nobody from ordering."""
    priced(model)
    browser = browser_of(viewer)
    assert browser.post("/create/", values(model)).status_code == 422
    assert browser.post("/create/", values(model, request="1", note="please")).status_code == 200
    assert VideoRequest.objects.count() == 1
    assert browser.post(again_path(member, model), values(model)).status_code == 404


def test_what_is_no_order_takes_no_place(member, browser_of, model, no_place_asked_for):
    """Neither a price, nor a request by who may order, nor a form of a team that one is not in."""
    priced(model)
    browser = browser_of(member)
    assert browser.post("/create/", values(model, cheaper="seconds=4")).status_code == 200
    assert browser.post("/create/", values(model, request="1", note="please")).status_code == 422
    assert browser.post("/create/", values(model, team="another")).status_code == 404


def test_press_beyond_the_own_limit_is_refused_before_a_place(member, browser_of, path, model, settings, crowded):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"submit": Limit(1, 3600)}
    assert rates.take("submit", str(member.user_id)) == 0
    answer = browser_of(member).post(path, values(model))
    assert answer.templates[0].name == "errors/429_often.html"
    assert int(answer.headers["Retry-After"]) > 60


def test_press_that_found_no_place_is_not_counted(member, browser_of, path, model, settings, crowded):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"submit": Limit(1, 3600)}
    assert [browser_of(member).post(path, values(model)).headers["Retry-After"] for _ in range(3)] == ["2"] * 3


def test_few_presses_of_one_person_wait_at_a_time_and_another_finds_room(member, browser_of, path, model, monkeypatch):
    other = make_member(team=member.team, role=Role.CREATOR)
    with few_of_one.turn(member.user_id, "press", crowd.OF_ONE), few_of_one.turn(member.user_id, "press", crowd.OF_ONE):
        with monkeypatch.context() as patch:
            patch.setattr(places, "taken", lambda: pytest.fail("a place was asked for"))
            answer = browser_of(member).post(path, values(model), headers=HTMX)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "2")
        assert WORDS in json.dumps(json.loads(answer.headers["HX-Trigger"]), ensure_ascii=False)
        assert browser_of(other).post("/create/", values(model)).status_code == 303
    assert browser_of(member).post("/create/", values(model)).status_code == 303
    assert not few_of_one._busy


def test_flood_of_one_person_leaves_the_place_to_others(member, monkeypatch):
    """Who presses on many connections holds the place and one more waits for it; the rest is told at once."""
    monkeypatch.setattr(crowd.rates, "wait", lambda action, key: 0)
    standing, go_on = Event(), Event()

    def slow(request: object) -> HttpResponse:
        standing.set()
        assert go_on.wait(30)
        return HttpResponse()

    press = crowd.few_at_once(slow)
    monkeypatch.setattr(places, "WAIT_S", 30)
    monkeypatch.setattr(crowd, "too_many_at_once", lambda request: HttpResponse(status=429))
    asked = type("Post", (), {"membership": member})()
    with ThreadPoolExecutor(8) as pool:
        pressed = [pool.submit(press, asked) for _ in range(8)]
        assert standing.wait(30)
        told = [one.result().status_code for _number, one in zip(range(6), as_completed(pressed), strict=False)]
        go_on.set()
    assert told == [429] * 6
    assert sorted(one.result().status_code for one in pressed) == [200] * 2 + [429] * 6


def test_who_waits_for_something_else_gives_the_place_up_meanwhile_and_takes_it_again(monkeypatch):
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    with places.taken() as mine:
        with places.taken() as second:
            assert (mine, second) == (True, False)
        with places.given_up(), places.taken() as other:
            assert other
        with places.taken() as third:
            assert not third
    with places.given_up(), places.taken() as free:
        assert free
