"""Every form, filled in as nobody would: whatever comes back, it is never a fault of ours.

A few posts a form in the suite; as many as one likes by `./scripts/fuzz_forms`, which prints how they were answered.
"""

import os
import sys
import time
from collections import Counter
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.signals import got_request_exception
from django.db import models, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from playground.rate_limits import DEFAULTS, Limit
from tests.walls import presses
from tests.walls.presses import Picture, Press, fresh
from tests.walls.test_mass_assignment import far  # noqa: F401  a fixture
from tests.walls.test_matrix import MOUNTED

pytestmark = [pytest.mark.django_db, pytest.mark.pure, pytest.mark.thorough]

COUNT = int(os.environ.get("FUZZ_FORMS", "3"))
SEED = int(os.environ.get("FUZZ_FORMS_SEED", "20261122"))
FORMS = sorted(set(presses.TAKING_FORMS) - presses.SIGNED_BODY)
COMMON = ["next", "video", "name", "token", "text", "page", "month", "gateway", "look", "test", "show", "links"]
ODD = ["", " ", "0", "-1", "9" * 400, "a\0b", "\ud800", "é\u202e🎬", "'\";--", "<b>", "1e999", "NaN", "%", "x" * 3000]
ODD += ["[]", "{}", "null", '{"a": {"b": 1}}', "on", "1", "2" * 19, "-0", "١٢", "2026-13-45", "//evil.example", "\r\n"]
ODD += ["9999-12-31T23:59:59+14:00", "0001-01-01", "Etc/../../passwd", "\u2028", "ſ@exämple.com", "a@b", "1.005"]


def values(ids: list[str]) -> st.SearchStrategy[str]:
    """Odd ones that were thought of, ids of both teams, and whatever hypothesis comes up with."""
    numbers = st.one_of(st.integers(), st.floats()).map(str)
    moments = st.datetimes().map(lambda moment: moment.isoformat())
    return st.one_of(st.sampled_from(ODD), st.sampled_from(ids), st.text(max_size=60), numbers, moments)


def fillings(press: Press, ids: list[str]) -> st.SearchStrategy[tuple[dict[str, list[str]], set[str], bool]]:
    """What is put over the form as a person fills it in, what of that is left out, and whether htmx sends it.

    The team is mostly right: else most would end at its door.
    """
    names = st.sampled_from([*sorted((press.own | set(COMMON)) - {"team"}) * 3, "team"])
    over = st.dictionaries(names, st.lists(values(ids), min_size=1, max_size=3), max_size=5)
    left_out = st.sets(st.sampled_from([*sorted(press.data.keys() - {"team"}) * 3, "team"]), max_size=2)
    return st.tuples(over, left_out, st.booleans())


def post(press: Press, over: dict[str, list[str]], left_out: set[str], *, by_htmx: bool) -> int:
    """The status. All that it did is undone, in the browser too."""
    data: dict[str, Any] = {name: value for name, value in press.data.items() if name not in left_out} | over
    headers = {"HX-Request": "true", "HX-Request-Type": "partial"} if by_htmx else {}
    kept = press.browser.cookies
    press.browser.cookies = SimpleCookie({name: morsel.value for name, morsel in kept.items()})
    with transaction.atomic():
        if any(isinstance(value, Picture) for value in data.values()):
            plain = {name: [one.replace("\ud800", "?") for one in value] for name, value in over.items()}
            answer = press.browser.post(
                press.where, {name: fresh(value) for name, value in data.items()} | plain, headers=headers
            )
        else:
            body = urlencode(data, doseq=True, errors="surrogatepass")
            kind = "application/x-www-form-urlencoded"
            answer = press.browser.generic("POST", press.where, body, content_type=kind, headers=headers)
        transaction.set_rollback(True)
    press.browser.cookies = kept
    return answer.status_code


@pytest.fixture
def without_limits(settings):
    """Else most would be told to wait."""
    settings.RATE_LIMITS = {name: Limit(10**6, 60) for name in DEFAULTS}
    settings.ACCOUNT_RATE_LIMITS = False
    cache.clear()


@pytest.mark.parametrize("name", FORMS)
def test_form_filled_in_by_chance_is_no_fault_of_ours(world, far, without_limits, name, capsys):  # noqa: F811
    press = presses.press(world, name, MOUNTED[name])
    press.browser.raise_request_exception = False
    ids = [str(thing.pk) for thing in [*world.own.values(), *far.values()] if isinstance(thing, models.Model)]
    ids += [str(uuid4()), world.team.slug, far["video"].team.slug]
    statuses, faults = Counter[int](), []

    def note(sender: Any, **_given: Any) -> None:
        faults.append(repr(sys.exception()))

    @seed(SEED)
    @settings(
        max_examples=COUNT,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fillings(press, ids))
    def fill(filling: tuple[dict[str, list[str]], set[str], bool]) -> None:
        over, left_out, by_htmx = filling
        before = len(faults)
        statuses[status := post(press, over, left_out, by_htmx=by_htmx)] += 1
        if status == 500:
            bad.append(f"{faults[before:]} over={over!r} without={left_out!r} htmx={by_htmx}")

    bad: list[str] = []
    began = time.monotonic()
    got_request_exception.connect(note)
    try:
        fill()
    finally:
        got_request_exception.disconnect(note)
    if "FUZZ_FORMS" in os.environ:
        took = time.monotonic() - began
        with capsys.disabled():
            os.write(2, f"{name:42} {statuses.total():5} in {took:4.0f} s {dict(sorted(statuses.items()))}\n".encode())
    assert bad == []
