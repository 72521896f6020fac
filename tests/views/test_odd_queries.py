"""Odd values in the address of a page that only reads: an answer below 500, whatever is written there.

The test client raises what a view does not catch, so a fault fails with its own traceback.
"""

from itertools import product
from urllib.parse import quote

import pytest

from playground.domain.status import Status
from tests import factories

pytestmark = [pytest.mark.slow, pytest.mark.pure]

NAMES = {
    "/gallery/": ("before", "owner", "model", "shape", "favourite", "approved", "select", "team"),
    "/collections/": ("before",),
    "/videos/{video}/comments/": ("seen",),
    "/gallery/newer/": ("after", "model"),
    "/generations/cards/": ("g",),
    "/runs/": ("before",),
    "/trash/": ("before",),
    "/videos/{video}/": ("owner", "model", "shape", "collection", "t"),
}
FRAGMENTS = {"/gallery/newer/", "/generations/cards/", "/videos/{video}/comments/"}
VALUES = {
    "nothing": "",
    "NUL": "%00",
    "NUL inside": "a%00b",
    "10,000 characters": "x" * 10_000,
    "10,000 ids": quote(",".join(["{video}:1"] * 270)),
    "negative": "-1",
    "huge": "9" * 400,
    "a float beyond all": "1e999",
    "not a number": "nan",
    "half an id": "0193a6f2-7c1a",
    "an id of nothing": "00000000-0000-0000-0000-000000000000",
    "an id as a number": "f" * 32,
    "an id in braces": quote("{urn:uuid:00000000-0000-0000-0000-000000000000}"),
    "a stamp beyond all": quote("{video}:" + "9" * 300),
    "emoji": quote("🦊🌊👩‍🚀"),
    "digits of another script": quote("٣٤"),
    "not UTF-8": "%ff%fe",
    "half a surrogate": "%ed%a0%80",
    "wildcards": quote("%_'\";--\\"),
    "lines": "%0d%0aSet-Cookie:%20a=b",
}


@pytest.fixture
def made(member):
    running = factories.make_generation(by=member, status=Status.RUNNING)
    video = factories.make_video(by=member, model=running.model, files=False)
    factories.make_video(by=member, model=running.model, files=False, trashed_at=video.created_at)
    return {"video": video.id}


@pytest.mark.parametrize("address", NAMES)
def test_odd_value_in_an_address_is_answered(member, browser_of, made, address):
    client = browser_of(member, htmx=address in FRAGMENTS)
    path = address.format(**made)
    for name, (what, value) in product(NAMES[address], VALUES.items()):
        answer = client.get(f"{path}?{name}={value.replace(quote('{video}'), str(made['video']))}")
        assert answer.status_code < 500, (name, what)
        assert "Set-Cookie" not in answer.headers, (name, what)


@pytest.mark.parametrize("address", NAMES)
def test_keys_that_are_repeated_or_strange_are_answered(member, browser_of, made, address):
    client = browser_of(member)
    path = address.format(**made)
    twice = "&".join(f"{name}=a&{name}=%00&{name}={made['video']}&{name}[]=b" for name in NAMES[address])
    for query in (twice, "%00=1", "&&==&", "=".join("ab"), "a=1&" * 1_200, quote("🦊") + "=1"):
        assert client.get(f"{path}?{query}").status_code < 500, query[:40]


@pytest.mark.parametrize("place", ["/videos/%s/", "/runs/%s/", "/generations/%s/card/"])
@pytest.mark.parametrize("id", ["-1", "9" * 400, "a%00b", quote("🦊"), "00000000-0000-0000-0000-000000000000"])
def test_page_of_nothing_is_not_found(member, browser_of, place, id):
    assert browser_of(member).get(place % id).status_code == 404
