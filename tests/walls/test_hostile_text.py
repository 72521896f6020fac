"""Two hundred hostile texts in every column that people or gateways write: pages show them literally, all of them."""

import pytest

from playground.walls import WALLS, Actor, Gets
from tests.walls import hostile
from tests.walls import world as worlds
from tests.walls.corpus import CORPUS
from tests.walls.test_matrix import MOUNTED

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

ROUNDS = 3
PAGES = sorted(name for name, wall in WALLS.items() if name in MOUNTED and wall.get[Actor.ADMIN] is Gets.YES)


def test_corpus_is_large_and_no_two_are_alike():
    assert len(set(CORPUS)) >= 200


def test_every_text_column_is_hostile_here_or_said_to_be_ours():
    assert hostile.texts_without_a_word() == []


def test_what_would_run_is_noticed():
    """The eye of this test: each of these is found."""
    for broken in (
        "<img src=x onerror=struck(1)>",
        "<script>struck(1)</script>",
        '<a href="/struck/1">x</a>',
        '<div hx-get="/struck/1">x</div>',
        '<p style="x">',
    ):
        assert hostile.read(broken).found, broken
    literal = '<p title="&lt;img src=x onerror=struck(1)&gt;">&lt;script&gt;struck(1)&lt;/script&gt;</p>'
    assert hostile.read(literal).found == []


@pytest.mark.parametrize("round", range(ROUNDS))
def test_no_page_holds_what_would_run(world, round):
    hostile.poison(round)
    shown = set()
    for name in PAGES:
        for htmx in (False, True):
            answer = world.browser(Actor.ADMIN, htmx=htmx).get(worlds.address(name, MOUNTED[name], world.own))
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                continue
            content = answer.content.decode()
            assert hostile.read(content).found == [], f"{name} (htmx: {htmx})"
            if "struck" in content:
                shown.add(name)
    assert len(shown) > 10, f"only {sorted(shown)} showed any of it"


@pytest.mark.parametrize("round", range(2))
def test_texts_of_people_stand_where_htmx_does_not_look(world, round):
    """Inside hx-ignore: the wall behind the escaping."""
    hostile.poison(round)
    bare = set()
    for name in PAGES:
        for htmx in (False, True):
            answer = world.browser(Actor.ADMIN, htmx=htmx).get(worlds.address(name, MOUNTED[name], world.own))
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                bare |= {f"{name}: {text}" for text in hostile.read(answer.content.decode()).bare}
    assert not bare, "\n".join(sorted(bare))
