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
from playground.models import Generation
from playground.services import estimates, gateways
from playground.views.cards import cards_of
from tests.factories import make_gateway, make_generation, make_model, make_run

pytestmark = pytest.mark.django_db
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
    link, label = re.search(r'<a class="btn btn--small" href="([^"]+)">(Try [^<]+)</a>', page).groups()
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


def test_models_are_looked_up_once_for_many_cards(member, model, other):
    refused(member, model, count=5)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        cards_of(Generation.objects.for_cards(), by=member)
    models = [query for query in queries if 'FROM "playground_videomodel"' in query["sql"]]
    assert len(models) == 1
