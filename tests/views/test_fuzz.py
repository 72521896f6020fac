"""Every address of the product, asked with odd values and odd methods: whatever comes back, it is never a 500.

The list is read from the resolver, so that a new address is asked from its first day.
"""

import itertools
from urllib.parse import quote

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from playground.models import Role
from tests import factories

pytestmark = pytest.mark.slow

GONE = "01900000-0000-7000-8000-000000000000"
ODD = [
    "",
    "0",
    "-1",
    "9" * 400,
    "a\0b",
    "\ud800",
    "é\u202e🎬",
    "'\";--",
    "<b>",
    "1e999",
    "NaN",
    "%",
    GONE,
    "x" * 3000,
    "[]",
]
NAMES = ["team", "model", "size", "seconds", "count", "seed", "audio", "from", "parent", "example", "reference_id"]
NAMES += [
    "next",
    "g",
    "cursor",
    "before",
    "after",
    "page",
    "select",
    "shape",
    "status",
    "who",
    "month",
    "image",
    "video",
]
NAMES += [
    "prompt",
    "token",
    "quoted_micros",
    "negative_prompt",
    "title",
    "stamp",
    "expand",
    "login",
    "password",
    "email",
]


TURNS = 2


def addresses(patterns, before: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        here = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern.url_patterns, here)
        else:
            assert isinstance(pattern, URLPattern)
            found.append(here)
    return found


ADDRESSES = addresses(get_resolver().url_patterns)


@pytest.fixture
def admin(db):
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def paths(admin) -> list[str]:
    """Every address, once with something that is there where it names one, and once with what is not."""
    generation = factories.make_generation(run=factories.make_run(by=admin))
    video = factories.make_video(by=admin, generation=generation, files=False)
    there = {"generations": generation.id, "runs": generation.run_id, "videos": video.id, "media": video.id}
    ids = {address: {GONE, str(there.get(address.split("/")[0], GONE))} for address in ADDRESSES}
    found = {address.replace("<uuid:id>", id) for address in ADDRESSES for id in ids[address]}
    return sorted("/" + path.replace("<str:token>", "a%00'%F0%9F%8E%AC") for path in found)


@pytest.fixture
def ask(admin, browser_of):
    """Asks and tells the status. The browser is signed in anew when it was signed out."""
    browser = browser_of(admin)
    browser.raise_request_exception = False

    def status(method: str, address: str, body: str = "", **headers: str) -> int:
        kind = "application/x-www-form-urlencoded"
        answer = browser.generic(method, address, body, content_type=kind, headers=headers)
        if "logout" in address:
            browser.force_login(admin.user)
        return answer.status_code

    return status


def values(turn: int) -> dict[str, str]:
    """Every name with another odd value at each turn."""
    odd = itertools.islice(itertools.cycle(ODD), turn, None)
    return dict(zip(NAMES, odd, strict=False))


def query(turn: int) -> str:
    return "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in values(turn).items())


def test_walk_finds_the_addresses():
    assert {"create/", "videos/<uuid:id>/", "account/login/", "metrics"} <= set(ADDRESSES)


def test_odd_values_are_never_a_500(ask, paths):
    asked = [f"{path}?{query(3 * turn)}" for path in paths for turn in range(TURNS)]
    assert [address for address in asked if ask("GET", address) == 500] == []


@pytest.mark.pure
def test_odd_methods_are_never_a_500(ask, paths):
    assert [path for path in paths if ask("HEAD", path) == 500] == []
    assert {ask(method, path) for path in paths for method in ("PUT", "DELETE", "OPTIONS", "PATCH")} == {405}


def test_odd_forms_are_never_a_500(ask, paths, admin):
    bad = []
    for path, turn in itertools.product(paths, range(TURNS)):
        body = f"{query(3 * turn)}&team={admin.team.slug}"
        headers = {"HX-Request": "true"} if turn % 2 else {}
        if ask("POST", path, body, **headers) == 500:
            bad.append((path, body))
    assert bad == []
