"""The pages of money in a real browser: axe in both themes, bars that are drawn, no sideways scroll on a phone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from tests.browser.test_pages import THEMES, findings, is_wider_than_the_screen, settled
from tests.support.money import order
from tests.views.test_spend_reconcile import difference, month_of, stored

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def without_motion(page) -> None:
    """Chromium drops the transition to a page that takes long to draw, and reports that as a fault of the page."""
    page.emulate_media(reduced_motion="reduce")


def look(page) -> None:
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        settled(page)
        assert findings(page) == [], theme
    page.set_viewport_size({"width": 360, "height": 740})
    settled(page)
    assert not is_wider_than_the_screen(page)
    page.set_viewport_size({"width": 1280, "height": 800})


def test_spend_is_readable_for_everyone_with_long_names_too(page, admin):
    gateway = factories.make_gateway(is_sandbox=False)
    named = factories.make_member(team=admin.team, user=factories.make_user(name="x" * 80))
    models = [factories.make_model(slug, gateway=gateway) for slug in ("kling-v3", f"provider/{'m' * 150}")]
    for days in range(3):
        at = timezone.now() - timedelta(minutes=days)
        order(by=admin, model=models[0], price=400_000, at=at)
        order(by=named, model=models[1], price=400_000, cost=410_000, at=at)
    page.goto("/spend/")
    page.locator("summary", has_text="The same as a table").click()
    bars = page.locator("svg .chart__cost").all()
    heights = [bar.bounding_box()["height"] for bar in bars]
    assert max(heights) > 40
    look(page)


def test_comparison_is_readable_for_everyone_and_asks_by_itself_until_it_is_done(page, admin):
    gateway = factories.make_gateway(is_sandbox=False, is_default=True, name="gateway.example", has_request_log=True)
    generation = order(by=admin, model=factories.make_model(gateway=gateway), cost=105_000)
    page.goto("/spend/reconcile/")
    with page.expect_navigation(url="**/spend/reconcile/?month=*"):
        page.click("text=Compare now")
    page.wait_for_selector("text=Comparing.")
    settled(page)
    page.evaluate("window.isTheSamePage = true")
    mine = difference(order_id=str(generation.id), team_id=str(admin.team_id), request_id="req_" + "x" * 200)
    rows = [mine, difference("unknown_there", ours=None, model="m" * 150)]
    tally = {"orders": 1, "ours": 105_000, "theirs": 105_001, "aside": 7_000_000}
    tallies = {str(admin.team_id): tally}
    stored(gateway, month_of(admin), differences=rows, difference_count=2, tallies=tallies, balance_micros=5_000_000)
    page.wait_for_selector("text=2 differences.")
    assert page.evaluate("window.isTheSamePage")
    assert page.locator("text=Comparing.").count() == 0
    look(page)
