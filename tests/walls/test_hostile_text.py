"""Two hundred hostile texts in every column that people or gateways write: pages show them literally, all of them."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from playground.models import Collection, Membership, Role, ShareLink, ShareMark, TeamModel, User, Video
from playground.services import catalogue
from playground.walls import WALLS, Actor, Gets
from tests import factories
from tests.support.sharing import make_collection, make_link
from tests.walls import hostile
from tests.walls import world as worlds
from tests.walls.corpus import CORPUS
from tests.walls.test_matrix import MOUNTED
from tests.walls.world import World

pytestmark = pytest.mark.django_db

ACTORS = [Actor.ADMIN, Actor.ADMIN, Actor.CREATOR, Actor.VIEWER, Actor.HOLDER]
ROUNDS = [pytest.param(n, actor, marks=[pytest.mark.pure] if n else []) for n, actor in enumerate(ACTORS)]
"""Each begins at another place of the corpus. The first is for what a database might not keep."""
MOST_PAGES = 12


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


def pages_of(world: World, actor: Actor) -> list[tuple[str, str]]:
    """Name and address of all that this visitor may see; of what is their own, theirs."""
    theirs = {**world.own, **(world.made_by(actor) if actor in world.members else {})}
    found = [
        (name, worlds.address(name, MOUNTED[name], theirs, held=actor is Actor.HOLDER))
        for name, wall in sorted(WALLS.items())
        if name in MOUNTED and wall.get[actor] in (Gets.YES, Gets.OWN, Gets.THEIRS)
    ]
    if actor is Actor.HOLDER:
        token = world.own["token_of_all"]
        found += [("collection", reverse("shares.index", args=[token]))]
        found += [("in a collection", reverse("shares.video", args=[token, world.own["video"].id]))]
    return found


@pytest.mark.parametrize(("round", "actor"), ROUNDS)
def test_no_page_holds_what_would_run_and_htmx_looks_into_no_text_of_people(world, round, actor):
    """Escaped, and inside hx-ignore: the wall behind the escaping."""
    pages = pages_of(world, actor)
    hostile.poison(round)
    shown, bare = set(), set()
    for name, where in pages:
        for htmx in (False, True):
            answer = world.browser(actor, htmx=htmx).get(where)
            if not answer.headers.get("Content-Type", "").startswith("text/html"):
                continue
            read = hostile.read(answer.content.decode())
            assert read.found == [], f"{name} (htmx: {htmx})"
            bare |= {f"{name}: {text}" for text in read.bare}
            if any("struck" in text for text in read.shown):
                shown.add(name)
    least = {Actor.HOLDER: 3, Actor.VIEWER: 10, Actor.CREATOR: 20, Actor.ADMIN: 25}[actor]
    assert len(shown) >= least, f"only {sorted(shown)} showed any of it"
    assert not bare, "\n".join(sorted(bare))


def people(by: Membership, texts: list[str]) -> None:
    made = [User(name=text, email=f"p{n}@example.com") for n, text in enumerate(texts)]
    User.objects.bulk_create(made)
    Membership.objects.bulk_create(Membership(team=by.team, user=user, role=Role.VIEWER) for user in made)


def teams(by: Membership, texts: list[str]) -> None:
    for text in texts:
        factories.make_member(team=factories.make_team(text), user=by.user, role=Role.VIEWER)


def collections(by: Membership, texts: list[str]) -> None:
    Collection.objects.bulk_create(Collection(team=by.team, owner=by.user, name=text) for text in texts)


def links(by: Membership, texts: list[str]) -> None:
    video = Video.objects.filter(team=by.team).first()
    ShareLink.objects.bulk_create(
        ShareLink(team=by.team, created_by=by.user, video=video, name=text, token_hash=f"{n:064}")
        for n, text in enumerate(texts)
    )


def notes(by: Membership, texts: list[str]) -> None:
    links(by, ["Client"] * len(texts))
    rows = zip(ShareLink.objects.filter(name="Client"), texts, strict=True)
    ShareMark.objects.bulk_create(ShareMark(link=link, video=link.video, note=text) for link, text in rows)


def titles(by: Membership, texts: list[str]) -> None:
    for text in texts:
        factories.make_video(by=by, files=False, title=text)


def gateways(by: Membership, texts: list[str]) -> None:
    for text in texts:
        factories.make_gateway(team=by.team, name=text)


def price_notes(by: Membership, texts: list[str]) -> None:
    gateway = catalogue.gateway_of(by.team_id)
    for text in texts:
        TeamModel.objects.create(team=by.team, model=factories.make_model(gateway=gateway), price_note=text)


LISTS: dict[str, tuple[Callable[[Membership, list[str]], None], str]] = {
    "User.name": (people, "/team/"),
    "Team.name": (teams, "/gallery/"),
    "Collection.name": (collections, "/collections/"),
    "ShareLink.name": (links, "/team/links/"),
    "ShareMark.note": (notes, "/team/links/"),
    "Video.title": (titles, "/gallery/"),
    "Gateway.name": (gateways, "/team/gateways/"),
    "TeamModel.price_note": (price_notes, "/team/models/"),
}
"""Columns that hold one text of the corpus at a time, and where all of their rows are listed."""


@pytest.mark.pure
@pytest.mark.parametrize("column", LISTS)
def test_every_text_of_the_corpus_is_shown_literally(world, column):
    fill, where = LISTS[column]
    model, name = column.split(".")
    length = hostile.apps.get_model("playground", model)._meta.get_field(name).max_length
    texts = [text.replace("\0", "")[:length] for text in CORPUS]
    by = world.members[Actor.ADMIN]
    fill(by, texts)
    contents = []
    while where and len(contents) < MOST_PAGES:
        contents.append(world.browser(Actor.ADMIN).get(where).content.decode())
        assert hostile.read(contents[-1]).found == [], where
        where = hostile.next_page(contents[-1], where)
    assert hostile.unseen([text for text in texts if text.strip()], contents) == []


@pytest.mark.pure
def test_holder_sees_every_title_literally(world):
    by = world.members[Actor.ADMIN]
    titles(by, [text[:120] for text in CORPUS])
    shown = list(Video.objects.filter(team=by.team))
    _, token = make_link(by=by, collection=make_collection(*shown, by=by), shows_prompt=True)
    for page in range(1, len(shown) // 48 + 2):
        content = Client().get(f"/s/{token}/?page={page}").content.decode()
        assert hostile.read(content).found == []
