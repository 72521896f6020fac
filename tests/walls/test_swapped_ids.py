"""Ids of another team where ids are read beside the path: in a query, a form, a JSON body, in what htmx says of itself.

Each is answered as an id that never was: same status, same page, nothing written. Ids in paths: test_matrix.py.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import transaction
from django.urls import resolve

from playground.models import AuditEntry, Gateway, Team
from playground.views import create_input
from playground.walls import WALLS, Actor
from tests.walls import presses, rows
from tests.walls import world as worlds
from tests.walls.test_mass_assignment import far  # noqa: F401  a fixture
from tests.walls.test_matrix import MOUNTED, PROOF
from tests.walls.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.pure, pytest.mark.thorough]

NOW = datetime.now(UTC)
TOKEN = re.compile(rb'name="token" value="[^"]+"')
DRAWN = re.compile(r"[\w-]{32,}|(?<=state=)[\w-]+")
"""Tokens and ids of what was made by this very press: another in each answer."""
NAMES = {
    "video": "video",
    "select": "video",
    "parent": "video",
    "from": "generation",
    "g": "generation",
    "request": "request",
    "ask": "asked",
    "answers": "asked",
    "reference_id": "reference",
    "collection": "collection",
    "link": "link",
    "like": "link",
    "before": "video",
    "after": "video",
    "who": "user",
    "gateway": "gateway_slug",
    "removed": "entry",
    "to_team": "team",
}
"""Names by which ids are read beside the path, and what each names. `team` itself: test_matrix.py."""
SHORT = 8
"""A number of a few digits may stand anywhere for something else."""
PLAIN = {
    *("answer", "image", "example", "kind", "last", "month", "order", "page", "seen", "selecting", "show", "t"),
    *("cheaper", "confirmed_unpriced", "count", "insists", "join", "links", "look", "model_shown", "next", "note"),
    *("on", "paused", "picker", "provider", "quoted_micros", "remove", "remove_reference", "shown", "sure", "test"),
    *("token", "upto", "upstream_id", "version", "visibility", "team", "accept_limits", "accept_unpriced", "name"),
    *("ended", "only_one", "answered"),
}
"""Names that are read and name no thing."""
READ = re.compile(r'(?:GET|POST)(?:\.get(?:list)?\(|\[)"(\w+)"|"(\w+)" (?:not )?in (?:\w+\.)*(?:GET|POST)\b')


def known(far: dict[str, Any]) -> dict[str, str]:  # noqa: F811
    """What each name is set to: of another team."""
    team, removed = far["video"].team, {"user": str(uuid4())}
    entry = AuditEntry.objects.create(id=900_000_001, team=team, kind="member_removed", data=removed)
    Team.objects.filter(id=team.id).update(slug=f"team-{uuid4()}")
    Gateway.objects.filter(id=far["gateway"].id).update(slug=f"gateway-{uuid4()}")
    team.refresh_from_db()
    far["gateway"].refresh_from_db()
    ids = {thing: str(getattr(far[thing], "id", "")) for thing in set(NAMES.values()) & far.keys()}
    ids |= {"user": str(far["video"].owner_id), "gateway_slug": far["gateway"].slug, "entry": str(entry.pk)}
    ids |= {"team": team.slug}
    return {name: ids[thing] for name, thing in NAMES.items()}


def never(ids: dict[str, str]) -> dict[str, str]:
    """The same of what never was. One id for one thing, as there."""
    made = {id: "987654321" if id.isdigit() else str(uuid4()) for id in set(ids.values())}
    return {name: made[id] for name, id in ids.items()}


def headers(ids: dict[str, str]) -> dict[str, str]:
    """What htmx says of the page that it asks from."""
    page = f"http://testserver/videos/{ids['video']}/?from={ids['from']}"
    return {
        "HX-Request": "true",
        "HX-Request-Type": "partial",
        "HX-Target": f"div#video-{ids['video']}",
        "HX-Source": f"form#link-{ids['link']}",
        "HX-Trigger": f"video-{ids['video']}",
        "HX-Trigger-Name": "video",
        "HX-Prompt": ids["collection"],
        "HX-Current-URL": page,
        "Referer": page,
    }


def seen(answer: Any, ids: dict[str, str]) -> tuple[int, str, str]:
    """An answer without what is another in each, and without the ids that it was asked for."""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    content, location = TOKEN.sub(b"", PROOF.sub(b"", content)), answer.headers.get("Location", "")
    for id in sorted((id for id in set(ids.values()) if len(id) > SHORT), key=len, reverse=True):
        content, location = content.replace(id.encode(), b"ID"), location.replace(id, "ID")
    return answer.status_code, DRAWN.sub("~", location), DRAWN.sub("~", content.decode(errors="replace"))


@pytest.fixture
def swapped(far) -> Iterator[tuple[dict[str, str], dict[str, str]]]:  # noqa: F811
    """Ids of another team, and ids of nothing, by the names that they are read by."""
    with time_machine.travel(NOW, tick=False):
        theirs = known(far)
        yield theirs, never(theirs)


def source_of(module: Any) -> str:
    return Path(module.__file__).read_text()


def readers(name: str) -> list[str]:
    """The names of NAMES that the module of this address reads."""
    where = worlds.address(name, set(MOUNTED[name]), None)
    module = sys.modules[resolve(where, "tests.walls.whole_urls").func.__module__]
    source = source_of(module) if module.__name__.startswith("playground.") else ""
    source += source_of(create_input) if name.startswith("create.") else ""
    return [one for one in NAMES if f'"{one}"' in source]


@pytest.mark.pure
def test_every_name_that_a_view_reads_is_told_here():
    names = set()
    for module in {module for key, module in sys.modules.items() if key.startswith("playground.views")}:
        names |= {one or other for one, other in READ.findall(source_of(module))}
    assert names - NAMES.keys() - PLAIN == set()


def asked(world: World, name: str, ids: dict[str, str], **how: Any) -> tuple[int, str, str]:
    actor = presses.writer(WALLS[name].get)
    where = worlds.address(name, set(MOUNTED[name]), world.own, held=actor is Actor.HOLDER)
    with transaction.atomic():
        # Who signs in is in the list of devices, so that is undone too.
        answer = seen(world.browser(actor).get(where, how.get("query", ids), headers=how.get("headers", {})), ids)
        transaction.set_rollback(True)
    return answer


READABLE = sorted(name for name, wall in WALLS.items() if presses.writer(wall.get))


@pytest.mark.parametrize("name", READABLE)
def test_id_of_another_team_in_a_query_is_an_id_that_never_was(world, swapped, name):
    for one in readers(name):
        theirs, nothing = ({one: ids[one]} for ids in swapped)
        assert asked(world, name, theirs) == asked(world, name, nothing), one
    theirs, nothing = swapped
    assert asked(world, name, theirs) == asked(world, name, nothing)


@pytest.mark.parametrize("name", READABLE)
def test_what_htmx_says_of_its_page_opens_nothing(world, swapped, name):
    answers = [asked(world, name, ids, query={}, headers=headers(ids)) for ids in swapped]
    assert answers[0] == answers[1]


FORMS = sorted(set(presses.TAKING_FORMS) - presses.SIGNED_BODY)


def sent(world: World, name: str, ids: dict[str, str], more: dict[str, str], kind: str, plain: bool) -> tuple:
    """The answer and what moved, of a filled form in which these names say something else."""
    with transaction.atomic():
        base = rows.rows()
        press = presses.press(world, name, MOUNTED[name])
        before = rows.rows()
        if kind == "json":
            body = json.dumps({one: str(value) for one, value in (press.data | more).items()})
            answer = press.browser.post(press.where, body, content_type="application/json", headers=headers(ids))
        else:
            press.headers = {} if plain else headers(ids)
            answer = press.send(**more)
        lines, written = rows.moved(before, rows.rows(), base=base)
        came = seen(
            answer, ids | {str(row): str(pk) for row, (_model, pk) in enumerate(rows.rows().keys() - base.keys())}
        )
        transaction.set_rollback(True)
    return (came, lines), written


@pytest.mark.parametrize("name", FORMS)
def test_id_of_another_team_in_a_form_is_an_id_that_never_was(world, swapped, name):
    theirs, _nothing = swapped
    with transaction.atomic():
        own = presses.press(world, name, MOUNTED[name]).own
        transaction.set_rollback(True)
    for one in sorted({*readers(name), *own} & NAMES.keys()):
        is_alike(*(sent(world, name, ids, {one: ids[one]}, "form", plain=True) for ids in swapped), theirs, one)
    is_alike(*(sent(world, name, ids, ids, "form", plain=False) for ids in swapped), theirs, "all")
    is_alike(*(sent(world, name, ids, ids, "json", plain=False) for ids in swapped), theirs, "json and headers alone")


def is_alike(asked_of_theirs: tuple, asked_of_nothing: tuple, theirs: dict[str, str], what: str) -> None:
    (answer, written), (expected, _written) = asked_of_theirs, asked_of_nothing
    assert not any(id in written for id in theirs.values()), f"{what}: a row points into another team"
    assert answer == expected, what
