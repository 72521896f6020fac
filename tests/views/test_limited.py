"""Views that may be asked for only so often: 429 in words with the wait, nothing done, nothing lost."""

import json

import pytest
import time_machine
from django.test import Client

from playground.models import Reference, Run
from playground.rate_limits import DEFAULTS, Limit
from playground.services import people
from playground.views import errors
from tests import factories
from tests.views.test_create import HTMX, priced, values
from tests.views.test_references import picture, send

pytestmark = [pytest.mark.django_db, pytest.mark.pure]


@pytest.fixture(autouse=True)
def tight(settings):
    settings.RATE_LIMITS = {name: Limit(2, 60) for name in DEFAULTS}


@pytest.fixture
def model():
    return factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))


def test_client_with_too_many_wrong_tokens_is_not_heard_and_another_one_is(member):
    good = people.signin_link(email=member.user.email, base_url="").partition("/sign-in/")[2]
    paths = ["/sign-in/wrong/", "/welcome/wrong/"]
    assert [Client().get(path).status_code for path in paths] == [410, 410]
    refused = Client().get(f"/sign-in/{good}")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "Too often in a short time" in refused.text
    assert member.user.email not in refused.text
    assert Client(REMOTE_ADDR="198.51.100.7").get(f"/sign-in/{good}").status_code == 200


def test_right_tokens_are_never_too_many(member):
    good = people.signin_link(email=member.user.email, base_url="").partition("/sign-in/")[2]
    assert {Client().get(f"/sign-in/{good}").status_code for _ in range(9)} == {200}


@pytest.fixture
def press(member, browser_of, model):
    """Presses the button for another order; what htmx adds is given."""
    priced(model)
    browser = browser_of(member)

    def press(number: int, **given):
        return browser.post("/create/", values(model, token=f"press-{number}", prompt="A heron"), **given)

    return press


def test_press_beyond_the_limit_is_a_page_that_says_for_how_long(press):
    assert [press(number).status_code for number in range(2)] == [303, 303]
    refused = press(3)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    assert "Wait 30 seconds." in refused.text
    assert "what you typed still stands there" in refused.text
    assert Run.objects.count() == 2


def test_press_of_a_page_that_stays_gets_a_toast_and_keeps_its_form(press):
    for number in range(2):
        press(number)
    refused = press(3, headers=HTMX)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "30")
    words = json.loads(refused.headers["HX-Trigger"])["toast"]["text"]
    assert words == "That was too often in a short time. Nothing was changed. Wait 30 seconds."
    assert refused.headers["HX-Retarget"] == "#nothing"
    assert "<form" not in refused.text
    assert Run.objects.count() == 2


def test_refused_press_can_be_made_again_later(press):
    with time_machine.travel("2026-11-21 03:00:00+00:00", tick=False) as clock:
        assert [press(number).status_code for number in range(3)] == [303, 303, 429]
        clock.shift(30)
        assert press(2).status_code == 303
    assert Run.objects.count() == 3


def test_ordering_again_counts_as_a_press(member, browser_of, press, model):
    made = factories.make_video(by=member, model=model, files=False).generation
    for number in range(2):
        press(number)
    assert browser_of(member).post(f"/generations/{made.id}/again/", {"token": "x"}).status_code == 429
    assert Run.objects.count() == 3  # that of the video and the two presses


def test_price_checks_have_a_limit_of_their_own(press, member, browser_of, model):
    browser = browser_of(member)
    assert [browser.post("/create/price/", values(model)).status_code for _ in range(3)] == [200, 200, 429]
    assert press(1).status_code == 303


def test_uploads_have_one_too_and_the_refused_file_is_not_kept(member, browser_of, model):
    browser = browser_of(member)

    assert [send(browser, picture(360 + n)).status_code for n in range(3)] == [200, 200, 429]
    assert Reference.objects.count() == 2


def test_exports_have_one_too(member, browser_of):
    browser = browser_of(member)
    assert [browser.get("/spend/export.csv").status_code for _ in range(3)] == [200, 200, 429]


def test_limits_count_people_not_their_teams(member, browser_of, model):
    other = factories.make_member(user=member.user)
    colleague = factories.make_member(team=member.team)
    statuses = [browser_of(of).post("/create/price/", values(model)).status_code for of in (member, other, member)]
    assert statuses == [200, 200, 429]
    assert browser_of(colleague).post("/create/price/", values(model)).status_code == 200


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "Wait 1 second."), (119, "Wait 119 seconds."), (120, "Wait 2 minutes."), (121, "Wait 3 minutes.")],
)
def test_wait_is_said_in_what_one_counts_in(seconds, words):
    assert errors.wait_words(seconds) == words
