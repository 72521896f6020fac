"""A crowd of presses: who finds no place is told so at once, and whatever is read goes on."""

import json
from contextlib import ExitStack

import pytest

from playground.models import Run
from playground.services import places
from playground.services.line import Line
from playground.views import crowd
from playground.views.generations import line_words
from tests.factories import make_gateway, make_model, make_video
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
            crowd.few_at_once(broken)(type("Post", (), {"method": "POST"})())
    assert browser.post("/create/", values(model, token="press-9")).status_code == 303


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
