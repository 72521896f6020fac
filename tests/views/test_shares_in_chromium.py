"""Share links in a real browser: the page without scripts, both themes, a phone, axe; the preview; heart and note."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from playground.models import Heartbeat, ShareLink, ShareMark
from playground.services import sharing
from tests import factories
from tests.browser.conftest import PHONE, WATCH_CSP
from tests.browser.test_pages import THEMES, findings, is_wider_than_the_screen, settled
from tests.support.processes import wait_until
from tests.support.sharing import BROWSER, make_collection, make_link
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def open_page(chromium, live_server, browser_of, settings):
    """Opens a page for somebody or nobody. A complaint but of a status fails the test."""
    settings.PUBLIC_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]
    Heartbeat.objects.create(name="worker", at=timezone.now())
    complaints, contexts = [], []

    def open_it(path: str, who=None, **options):
        context = chromium.new_context(base_url=live_server.url, user_agent=BROWSER, **options)
        contexts.append(context)
        context.add_init_script(WATCH_CSP)
        context.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        if who:
            session = browser_of(who).cookies["session"].value
            context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert [line for line in complaints if "the server responded with a status of" not in line] == []


@pytest.fixture
def videos(member):
    tall = factories.make_video(by=member, prompt="قارب في الميناء " * 40, size=(96, 160), title="Harbour " + "x" * 120)
    return [factories.make_video(by=member), tall, factories.make_video(by=member)]


def assert_fine(page) -> None:
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        settled(page)
        assert findings(page) == [], theme
    page.set_viewport_size(PHONE["viewport"])
    settled(page)
    assert not is_wider_than_the_screen(page)
    assert findings(page) == []


ALL = {"shows_prompt": True, "shows_cost": True, "takes_marks": True, "has_previews": True}


def test_video_page_is_fine(open_page, member, videos):
    _link, token = make_link(by=member, video=videos[1], **ALL)
    assert_fine(open_page(f"/s/{token}/"))


def test_collection_and_its_pages_are_fine(open_page, member, videos):
    _link, token = make_link(by=member, collection=make_collection(*videos, by=member), **ALL)
    page = open_page(f"/s/{token}/")
    assert_fine(page)
    page.locator("a.tile__link").nth(1).click()
    page.wait_for_url(f"**/s/{token}/*/**")
    assert_fine(page)


def test_end_and_password_page_are_fine(open_page, member, videos):
    _link, token = make_link(by=member, video=videos[0], password="open sesame")
    assert_fine(open_page("/s/wrong/"))
    page = open_page(f"/s/{token}/")
    page.fill("[name=password]", "guess")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("That is not the password.")).to_be_visible()
    assert_fine(page)


def test_without_scripts_it_plays_asks_and_takes_marks(open_page, member, videos):
    link, token = make_link(by=member, video=videos[0], password="open sesame", takes_marks=True)
    page = open_page(f"/s/{token}/", java_script_enabled=False)
    page.fill("[name=password]", "open sesame")
    page.get_by_role("button", name="Open").click()
    player = page.locator("video")
    expect(player).to_be_visible()
    assert player.get_attribute("controls") is not None
    # Scripts of the page are off; the browser's own player has the file.
    wait_until(lambda: player.evaluate("one => one.readyState >= 1"), within=20, what="the first bytes of the video")
    player.evaluate("one => { one.muted = true; return one.play(); }")
    wait_until(lambda: player.evaluate("one => one.currentTime > 0"), within=20, what="a video that plays")
    page.fill("[name=note]", "Slower at the end")
    page.get_by_role("button", name="Favourite").click()
    expect(page.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    mark = ShareMark.objects.get()
    assert (mark.note, mark.is_favourite) == ("Slower at the end", True)
    link.refresh_from_db()
    assert link.view_count == 1


def test_heart_and_note_leave_the_player_alone(open_page, member, videos):
    _link, token = make_link(by=member, video=videos[0], takes_marks=True)
    page = open_page(f"/s/{token}/")
    page.evaluate("document.querySelector('video').dataset.same = 'yes'")
    page.fill("#note", "x" * 281)
    expect(page.get_by_text("281 of 280 characters")).to_be_visible()
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_role("alert")).to_have_text("281 of 280 characters. Shorten the note.")
    expect(page.locator("#note")).to_be_focused()
    page.fill("#note", "Slower")
    page.get_by_role("button", name="Favourite").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(page.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.querySelector('video').dataset.same") == "yes"
    assert ShareMark.objects.get().note == "Slower"


def test_arrow_keys_lead_through_a_collection(open_page, member, videos):
    _link, token = make_link(by=member, collection=make_collection(*videos, by=member))
    page = open_page(f"/s/{token}/{videos[0].id}/")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/{videos[1].id}/")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/{videos[0].id}/")


def test_preview_follows_the_switches_without_a_press(open_page, member, videos):
    page = open_page(f"/videos/{videos[1].id}/share/", member)
    preview = page.locator("#preview")
    expect(preview.get_by_text("Download")).to_be_visible()
    page.uncheck("[name=allows_download]")
    expect(preview.get_by_text("Download")).to_have_count(0)
    page.check("[name=shows_prompt]")
    expect(preview.get_by_text("قارب").first).to_be_visible()
    page.fill("[name=password]", "open sesame")
    page.press("[name=password]", "Tab")
    expect(preview.get_by_text("First the page asks for the password.")).to_be_visible()
    assert page.input_value("[name=password]") == "open sesame"
    assert not ShareLink.objects.exists()
    assert_fine(page)


def test_preview_without_scripts_is_a_button(open_page, member, videos):
    page = open_page(f"/videos/{videos[1].id}/share/", member, java_script_enabled=False)
    page.check("[name=takes_marks]")
    page.get_by_role("button", name="Show preview").click()
    expect(page.locator("#preview").get_by_text("Favourite")).to_be_visible()
    assert page.is_checked("[name=takes_marks]")


def test_link_is_made_copied_and_opened(open_page, member, videos):
    page = open_page(f"/videos/{videos[0].id}/share/", member)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.fill("[name=name]", "Client A")
    page.get_by_role("button", name="Make the link").click()
    address = page.locator("#address").inner_text()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Address copied")).to_be_visible()
    becomes_true(page, f"navigator.clipboard.readText().then((words) => words === '{address}')")
    assert_fine(page)
    expect(open_page(address).locator("video")).to_be_visible()


def test_list_and_change_are_fine(open_page, member, videos):
    link, _token = make_link(by=member, video=videos[1], takes_marks=True, name="Client " + "y" * 70)
    ended, _token = make_link(by=member, collection=make_collection(*videos, by=member))
    sharing.revoke(by=member, link=ended)
    ShareMark.objects.create(link=link, video=videos[1], note="z" * 280, is_favourite=True)
    page = open_page("/team/links/", member)
    page.locator(".share-marks summary").click()
    assert_fine(page)
    assert_fine(open_page("/team/links/?show=ended", member))
    assert_fine(open_page(f"/team/links/{link.id}/", member))
    assert_fine(open_page(f"/videos/{videos[1].id}/", member))
