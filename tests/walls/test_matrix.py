"""Every address against every kind of visitor, as playground/walls.py says. Whoever adds an address adds its row."""

import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import transaction
from django.shortcuts import resolve_url
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from playground.views import access
from playground.walls import WALLS, Actor, Gets
from tests.walls import world as worlds
from tests.walls.world import World

pytestmark = pytest.mark.django_db

TEAM = (Actor.VIEWER, Actor.CREATOR, Actor.ADMIN)
REFUSED = (Gets.MISSING, Gets.SIGN_IN, Gets.NO_TEAM, Gets.NOT_TAKEN)
PROOF = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]+"')
OF_NO_TEAM = {"create.price"}
"""A form whose team does not matter: a price is the same for all, and nothing is written."""
OTHER_METHODS = ("put", "patch", "delete", "options", "trace")


def walk(
    patterns: list[URLPattern | URLResolver], before: frozenset[str] = frozenset()
) -> Iterator[tuple[str, frozenset]]:
    """(name, its parameters) of every address below."""
    for entry in patterns:
        parameters = before | frozenset(entry.pattern.regex.groupindex)
        if isinstance(entry, URLResolver):
            yield from walk(entry.url_patterns, parameters)
        else:
            yield entry.name or str(entry.pattern), parameters | frozenset(getattr(entry.pattern, "converters", {}))


def named(found: list[tuple[str, frozenset]]) -> dict[str, frozenset]:
    """By name; of two with one name, that of a thing is marked."""
    names = [name for name, _ in found]
    return {f"{name} <id>" if names.count(name) > 1 and "id" in of else name: of for name, of in found}


MOUNTED = named(list(walk(get_resolver("tests.walls.whole_urls").url_patterns)))


@pytest.mark.pure
def test_every_address_has_a_row_and_every_row_an_address():
    assert sorted(set(MOUNTED) - set(WALLS)) == [], "an address without a row in playground/walls.py"
    assert sorted(set(WALLS) - set(MOUNTED)) == [], "a row without an address"


def got(answer, *, actor: Actor, signed: bool) -> Gets:
    """What an answer comes to."""
    status = answer.status_code
    if signed:
        assert status < 500
        return Gets.SIGNED
    login = answer.headers.get("HX-Redirect") or answer.headers.get("Location", "")
    nobody = actor in (Actor.ANONYMOUS, Actor.HOLDER)
    if nobody and status in (302, 401) and login.startswith(resolve_url(settings.LOGIN_URL)):
        return Gets.SIGN_IN
    if status == 403 and actor is Actor.REMOVED:
        assert "head" in answer.request["REQUEST_METHOD"].lower() or b"You are in no team" in answer.content
        return Gets.NO_TEAM
    if status == 200 and actor is Actor.REMOVED and answer.request["PATH_INFO"] == "/generations/cards/":
        assert answer.request["REQUEST_METHOD"] == "HEAD" or b"data-over" in answer.content
        return Gets.NO_TEAM  # a page that asks by itself is told to stop asking
    if status in (404, 405):
        return Gets(str(status))
    assert status < 400 or status in (409, 410, 422, 429), f"{status} is no way to answer"
    return Gets.YES


def ask(browser: Client, method: str, where: str, data: dict) -> object:
    return getattr(browser, method)(where, data)


HOW = [pytest.param(False, id="page"), pytest.param(True, id="htmx", marks=[pytest.mark.pure, pytest.mark.thorough])]
"""The one asks the database what the other asks."""


@pytest.mark.parametrize("htmx", HOW)
@pytest.mark.parametrize("name", sorted(MOUNTED))
def test_everybody_gets_what_the_matrix_says(world, name, htmx):
    wall = WALLS[name]
    wrong = []
    methods = [("get", wall.get), ("post", wall.post), *([] if htmx else [("head", wall.get)])]
    for method, cells in methods:
        for actor, expected in cells.items():
            for whose, things, wanted in cases(world, actor, expected):
                answer = play(world, name, method, actor, things, htmx=htmx)
                if answer is not wanted and wanted is not Gets.SIGNED:
                    wrong.append(f"{method} {name} by {actor}{whose}: {answer}, not {wanted}")
    assert not wrong, "\n".join(wrong)


def cases(world: World, actor: Actor, expected: Gets) -> list[tuple[str, dict, Gets]]:
    """What it is asked for, and what should come of it."""
    if expected is Gets.OWN:
        return [(" (own)", world.made_by(actor), Gets.YES), (" (another's)", world.others, Gets.MISSING)]
    if expected is Gets.THEIRS:
        return [("", world.own, Gets.YES)]
    return [("", world.own, expected)]


def play(world: World, name: str, method: str, actor: Actor, things: dict, *, htmx: bool) -> Gets:
    """Ask, in a transaction that is undone: each visitor finds the world as it was made.

    Whoever is refused moved nothing, and who is not of the team read nothing of it.
    """
    cells = WALLS[name].post if method == "post" else WALLS[name].get
    browser = world.browser(actor, htmx=htmx)
    where = worlds.address(name, MOUNTED[name], things, held=actor is Actor.HOLDER)
    with transaction.atomic():
        data = {"team": world.team_of(actor), **worlds.form(name, things)} if method == "post" else {}
        before = worlds.counts() if method == "post" and cells[actor] in REFUSED else None
        answer = getattr(browser, method)(where, data)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert before is None or worlds.counts() == before, f"{method} {name} by {actor} changed something"
        transaction.set_rollback(True)
    may_read = actor in TEAM or (actor is Actor.HOLDER and cells[actor] is Gets.YES)
    assert may_read or worlds.CANARY.encode() not in content, f"{method} {name} tells {actor} of the team"
    return got(answer, actor=actor, signed=cells[actor] is Gets.SIGNED)


def refused(name: str) -> list[Actor]:
    """Who gets the same 404 as for what is not there."""
    wall = WALLS[name]
    return [actor for actor in Actor if Gets.MISSING in (wall.get[actor], wall.post[actor])]


@pytest.mark.parametrize("name", sorted(name for name in MOUNTED if "id" in MOUNTED[name]))
def test_what_is_forbidden_cannot_be_told_from_what_is_missing(world, name):
    for actor in refused(name):
        for method, cells in (("get", WALLS[name].get), ("post", WALLS[name].post)):
            if cells[actor] is Gets.MISSING:
                there, never = (worlds.address(name, MOUNTED[name], things) for things in (world.own, None))
                browser = world.browser(actor)
                answers = [getattr(browser, method)(where, {"team": world.team_of(actor)}) for where in (there, never)]
                assert seen(answers[0]) == seen(answers[1]), f"{method} {name} by {actor}"


def seen(answer) -> tuple:
    """All of an answer but the proof against forged forms, which is another in each."""
    headers = {name: value for name, value in answer.headers.items() if name != "Set-Cookie"}
    return answer.status_code, headers, PROOF.sub(b"", answer.content)


@pytest.mark.parametrize("name", sorted(WALLS))
def test_no_form_reaches_into_a_team_that_is_not_ones_own(world, name):
    """An admin elsewhere, with all the ids and the name of this team."""
    if WALLS[name].post[Actor.OTHER] not in (Gets.THEIRS, Gets.MISSING):
        return
    where = worlds.address(name, MOUNTED[name], world.own)
    data = {"team": world.team.slug, **worlds.form(name, world.own)}
    before = worlds.counts()
    answer = world.browser(Actor.OTHER).post(where, data)
    assert answer.status_code == 404 or name in OF_NO_TEAM, answer.status_code
    assert worlds.counts() == before


@pytest.mark.pure
@pytest.mark.parametrize("name", sorted(WALLS))
def test_no_other_method_is_taken(world, name):
    where = worlds.address(name, MOUNTED[name], None)
    for method in OTHER_METHODS:
        answer = getattr(Client(), method)(where)
        assert answer.status_code == 405, f"{method} {name}: {answer.status_code}"


MEMBERS_OWN = sorted(name for name in MOUNTED if "id" in MOUNTED[name] and not name.startswith(("shares.", "share_m")))


@pytest.mark.pure
@pytest.mark.parametrize("name", MEMBERS_OWN)
def test_address_of_a_thing_is_read_in_the_team_of_that_kind_of_thing(world, name):
    """Whoever is in two teams opens what is in either, whichever is at hand."""
    found = next((model for start, model in access.OBJECTS.items() if name.startswith(start)), None)
    assert found is type(world.own[worlds.thing_of(name)])
