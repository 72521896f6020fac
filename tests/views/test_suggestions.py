"""The other model that a card offers where a provider refused the prompt, with its price where that is known."""

import html
import re

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from playground.domain.capabilities import Capabilities, Lengths
from playground.domain.status import Status
from playground.models import Gateway, Generation, Membership
from playground.services import estimates, gateways
from playground.views.cards import cards_of
from tests.factories import make_gateway, make_generation, make_model, make_reference, make_run

pytestmark = [pytest.mark.django_db, pytest.mark.pure]
SHORT = Capabilities(sizes=("1280x720", "720x1280"), lengths=Lengths(choices=(6,)))


@pytest.fixture(autouse=True)
def no_gateway(monkeypatch):
    def called(*_, **__):
        raise AssertionError("a gateway was called")

    monkeypatch.setattr(gateways, "client_for", called)


@pytest.fixture
def model(db):
    cache.clear()
    gateway = make_gateway(slug="sandbox", is_default=True)
    return make_model("kling-v3", gateway=gateway, owner="kling", price_floor_micros=100_000)


@pytest.fixture
def other(model):
    """The nearest, which takes no 4 s; the price for what it takes instead is on record."""
    make_model("far", gateway=model.gateway, owner="far", price_floor_micros=100_000)
    return make_model("kling-v2", gateway=model.gateway, owner="kling", takes=SHORT, price_floor_micros=90_000)


def priced(model, micros=630_000):
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=6)
    answer = {"state": "estimated", "unit_micros": micros, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)


def refused(member, model, count=1):
    for _ in range(count):
        make_generation(run=make_run(by=member, model=model), status=Status.REJECTED, error_kind="moderation")


def buttons(by):
    (card,) = cards_of(Generation.objects.for_cards(), by=by)
    return card.actions


def test_known_price_of_the_other_model_stands_on_its_button_and_on_create(member, model, other, browser_of):
    priced(other)
    refused(member, model)
    page = browser_of(member).get(f"/runs/{Generation.objects.get().run_id}/").text
    link, label = re.search(r'<a class="btn btn--small is-wide" href="([^"]+)">(Try [^<]+)</a>', page).groups()
    assert label == "Try kling-v2 - about $0.63"
    create = browser_of(member).get(html.unescape(link)).text
    assert "Generate - about $0.63" in create
    assert "Length is now 6 s (was 4 s)" in create


def test_without_a_known_price_create_opens_with_the_other_model(member, model, other):
    refused(member, model)
    edit, try_other = buttons(member)
    assert (edit.label, try_other.label) == ("Edit prompt", "Try another model")
    assert try_other.url.endswith("&model=kling-v2")
    assert not try_other.post


def test_where_nothing_else_is_offered_no_other_model_is_named(member, model):
    refused(member, model)
    assert [action.label for action in buttons(member)] == ["Edit prompt", "Details"]


def test_model_that_was_refused_is_not_suggested_for_itself(member, model, other):
    refused(member, other)
    assert "model=kling-v3" in buttons(member)[1].url


def queries_of(member):
    with CaptureQueriesContext(connection) as queries:
        cards = cards_of(Generation.objects.for_cards(), by=member)
    return len(cards), len(queries)


@pytest.mark.parametrize("bills", [False, True])
def test_ten_refused_cards_take_as_many_queries_as_one(member, model, other, bills):
    """With a picture each, in two lengths, and where money counts with the budget."""
    Gateway.objects.update(is_sandbox=not bills)
    counts = []
    for more in (1, 9):
        for number in range(more):
            run = make_run(by=member, model=model)
            run.settings = {"size": "720x1280", "seconds": 4 + number % 2, "count": 1}
            run.save()
            generation = make_generation(run=run, status=Status.REJECTED, error_kind="moderation")
            make_reference(by=member, generation=generation, size=(64 + number, 36))
        counts.append(queries_of(Membership.objects.get(id=member.id)))
    assert [cards for cards, _ in counts] == [1, 10]
    assert counts[0][1] == counts[1][1]


def test_card_and_create_ask_for_the_price_of_the_same_part_of_the_picture(member, model, browser_of, monkeypatch):
    """The order sent the upright part of a square picture; the other model makes broad videos only."""
    broad = Capabilities(sizes=("1280x720",), image_to_video=True)
    make_model("kling-v2", gateway=model.gateway, owner="kling", takes=broad, price_floor_micros=90_000)
    whole = make_reference(by=member, size=(160, 160))
    run = make_run(by=member, model=model)
    run.settings = {"size": "720x1280", "seconds": 4, "count": 1, "crop_at": 20}
    run.save()
    generation = make_generation(run=run, status=Status.REJECTED, error_kind="moderation")
    make_reference(by=member, generation=generation, size=(90, 160), cut_from=whole)
    asked = []
    known = estimates.cached_quotes
    monkeypatch.setattr(
        estimates, "cached_quotes", lambda *, by, wanted: asked.extend(wanted) or known(by=by, wanted=wanted)
    )
    _, button = buttons(member)
    (on_card,) = asked
    monkeypatch.setattr(estimates, "cached_quotes", known)
    answer = {"state": "estimated", "unit_micros": 770_000, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._keys(on_card)[0], answer, 60)

    assert [crop.box for _, crop in on_card.crops()] == [(0, 14, 160, 90)]
    assert button.url.endswith("&model=kling-v2")
    assert "Generate - about $0.77" in browser_of(member).get(button.url).text
    assert buttons(member)[1].label == "Try kling-v2 - about $0.77"
