"""For whom a video is, beside the button; and a viewer's way of asking: in a browser, on a phone, in both themes."""

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import expect

from playground.models import Heartbeat, Membership, Role, Run, VideoRequest
from playground.services import estimates, video_requests
from tests import factories
from tests.browser.conftest import PHONE
from tests.browser.test_pages import THEMES, findings, is_wider_than_the_screen, settled
from tests.support.processes import wait_until
from tests.views.test_account_in_chromium import open_page  # noqa: F401  a fixture
from tests.views.test_create import priced

LINES = "(it) => { const r = document.createRange(); r.selectNodeContents(it); return r.getClientRects().length }"
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def model(db):
    cache.clear()
    gateway = factories.make_gateway(slug="sandbox", is_default=True)
    made = factories.make_model("kling-v3", gateway=gateway, price_floor_micros=100_000)
    for seconds in (4, 8, 12):
        priced(made, micros=12_840_000, seconds=seconds)
    Heartbeat.objects.get_or_create(name="worker", defaults={"at": timezone.now()})
    return made


@pytest.fixture
def opened(open_page, model):  # noqa: F811
    """Prices are remembered after the browser's fixture has emptied the cache."""

    def open_it(path, who, **options):
        for seconds in (4, 8, 12):
            priced(model, micros=12_840_000, seconds=seconds)
        return open_page(path, who, **options)

    return open_it


def assert_fine(page) -> None:
    page.set_viewport_size(PHONE["viewport"])
    assert not is_wider_than_the_screen(page)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        settled(page)
        assert findings(page) == [], theme


def ask(by: Membership, model, prompt: str) -> VideoRequest:
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    return video_requests.ask(by=by, wanted=wanted, prompt=prompt, note="For Friday")


def test_choice_is_kept_over_price_checks_a_press_and_a_reload(opened, member):
    page = opened("/create/", member)
    page.select_option("#goes-to", "private")
    page.check("#seconds-8")
    expect(page.locator("#generate")).to_contain_text("Generate")
    expect(page.locator("#goes-to")).to_have_value("private")
    page.fill("#prompt", "A heron")
    page.reload()
    expect(page.locator("#goes-to")).to_have_value("private")
    expect(page.locator("#prompt")).to_have_value("A heron")
    page.locator("#generate").click()
    wait_until(Run.objects.exists, within=20, what="the run")
    assert Run.objects.get().visibility == "private"
    expect(page.locator(".job .only-me")).to_be_visible()
    expect(page.locator("#goes-to")).to_have_value("private")
    assert_fine(page)


def test_on_a_phone_the_price_stays_on_one_line_beside_the_choice(opened, member):
    page = opened("/create/", member, viewport={"width": 360, "height": 740})
    button = page.locator("#generate")
    expect(button).to_have_text("Generate - about $12.84")
    assert button.evaluate(LINES) == 1
    choice, press = page.locator("#goes-to").bounding_box(), button.bounding_box()
    assert choice["height"] >= 44
    assert choice["x"] + choice["width"] <= press["x"]
    assert press["x"] + press["width"] <= 360


def test_viewer_asks_with_the_keyboard_and_sees_what_becomes_of_it(opened, viewer, member):
    page = opened("/create/", viewer)
    assert_fine(page)
    page.fill("#note", "For the spring campaign")
    page.fill("#prompt", "A lighthouse")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#requests")).to_contain_text("A lighthouse")
    expect(page.locator("#note")).to_have_value("")
    expect(page.locator("#prompt")).to_have_value("A lighthouse")
    [asked] = VideoRequest.objects.all()
    assert (asked.prompt, asked.note) == ("A lighthouse", "For the spring campaign")
    assert_fine(page)
    page.goto("/requests/")
    assert_fine(page)
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".request")).to_contain_text("Taken back")


def test_creator_opens_a_request_and_the_press_takes_it_out_of_the_form(opened, member, viewer, model):
    asked = ask(viewer, model, "A lighthouse")
    page = opened("/requests/", member)
    assert_fine(page)
    page.get_by_text("Decline", exact=True).first.click()
    assert_fine(page)
    page.get_by_role("link", name="Open in Create").click()
    expect(page.locator("#asked")).to_contain_text("For Friday")
    assert_fine(page)
    page.locator("#generate").click()
    expect(page.locator("#asked")).to_have_count(0)
    asked.refresh_from_db()
    assert asked.run == Run.objects.get()
    page.goto("/requests/?show=answered")
    assert_fine(page)


def test_member_who_lost_the_right_is_told_beside_the_form(opened, member):
    page = opened("/create/", member)
    page.fill("#prompt", "A heron")
    Membership.objects.filter(id=member.id).update(role=Role.VIEWER)
    page.locator("#generate").click()
    expect(page.locator("#price")).to_contain_text("You may not make videos in this team any more.")
    expect(page.locator("#generate")).to_have_text("Ask to make this")
    expect(page.locator("#prompt")).to_have_value("A heron")
    assert not Run.objects.exists()
    assert_fine(page)
