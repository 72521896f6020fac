"""Stars, collections, approval and comments in a real browser: keys, seeking, undo, axe in both themes, a phone."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from playground.models import Collection, Comment, Favourite, Video
from playground.services import approvals, collections, comments, favourites
from tests import factories
from tests.support.processes import wait_until
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOK = "() => axe.run({resultTypes: ['violations']}).then((found) => found.violations)"


def findings(page) -> list[str]:
    page.evaluate(AXE_SCRIPT)
    becomes_true(page, "!document.getAnimations().some((one) => one.playState === 'running')")
    return [f"{rule['id']}: {node['target']}" for rule in page.evaluate(LOOK) for node in rule["nodes"]]


def test_star_is_pressed_by_mouse_and_key_without_leaving_the_page(page, admin):
    older, newer = (factories.make_video(by=admin) for _ in range(2))
    page.goto("/gallery/")
    page.evaluate("window.stayed = true")
    star = page.locator(f"#star-{newer.id}")
    assert page.locator(".mark--tile").first.evaluate("(one) => getComputedStyle(one).opacity") == "0"
    page.hover("[data-tile]")
    star.click()
    page.wait_for_selector(f"#star-{newer.id}[aria-pressed=true]")
    becomes_true(page, f"document.activeElement.id === 'star-{newer.id}'")
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.wait_for_selector(f"#star-{older.id}[aria-pressed=true]")
    assert page.evaluate("window.stayed && document.activeElement.matches('[data-tile-link]')")
    assert Favourite.objects.count() == 2
    page.goto(f"/videos/{newer.id}/")
    page.keyboard.press("f")
    page.wait_for_selector(f"#star-{newer.id}[aria-pressed=false]")
    page.click("text=Favourite")
    page.wait_for_selector(f"#star-{newer.id}[aria-pressed=true]")


@pytest.mark.parametrize("address", ["/gallery/", "/create/"])
def test_focus_scrolls_clear_of_the_bars_at_the_foot_of_a_phone(page, admin, address):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address)
    bars = [one.bounding_box() for one in page.locator(".places, .create__foot").all()]
    kept = page.evaluate("parseFloat(getComputedStyle(document.documentElement).scrollPaddingBottom)")
    assert 740 - kept < min(bar["y"] for bar in bars)


def test_chosen_videos_go_into_a_collection_and_out_of_it_with_undo(page, admin):
    own = factories.make_video(by=admin)
    made = collections.create(by=admin, name="Boats", videos=[own])
    factories.make_video(by=admin)
    page.goto("/gallery/")
    page.click("[data-select]")
    page.locator(".select-bar summary").click()
    adding = page.locator(".select-bar .menu__item", has_text="Boats")
    assert adding.is_disabled()
    page.keyboard.press("Escape")
    assert page.locator(".select-bar .menu__list").is_hidden()
    assert page.locator(".select-bar").is_visible()
    page.locator("[data-tile-link]").first.click()
    page.locator(".select-bar summary").click()
    adding.click()
    page.wait_for_selector("text=1 video added to “Boats”.")
    page.goto(f"/collections/{made.id}/")
    assert page.locator("[data-tile]").count() == 2
    page.click("[data-select]")
    page.locator("[data-tile-link]").first.click()
    page.click("text=Take out")
    page.wait_for_selector("text=1 video taken out of “Boats”.")
    becomes_true(page, "document.querySelectorAll('[data-tile]').length === 1")
    page.click(".toast >> text=Undo")
    becomes_true(page, "document.querySelectorAll('[data-tile]').length === 2")


def test_only_own_videos_offer_the_trash(page, admin, member):
    factories.make_video(by=admin)
    factories.make_video(by=member)
    Video.objects.update(owner=member.user)
    admin.role = "creator"
    admin.save()
    page.goto("/gallery/?select=1")
    page.locator("[data-tile-link]").first.click()
    assert page.locator("[data-needs-mine]").is_disabled()
    assert page.locator("[data-count]").inner_text() == "1 chosen"


def test_new_collection_is_made_from_a_choice_renamed_deleted_and_brought_back(page, admin):
    factories.make_video(by=admin)
    page.goto("/gallery/?select=1")
    page.locator("[data-tile-link]").first.click()
    page.locator(".select-bar summary").click()
    page.click("text=New collection ...")
    becomes_true(page, "document.activeElement.id === 'id_name'")
    page.keyboard.type("Client A")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Client A')")
    page.click("[aria-label='More about this collection']")
    page.click("text=Rename")
    becomes_true(page, "document.activeElement.id === 'id_name'")
    page.keyboard.type("Client B")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Client B')")
    page.click("[aria-label='More about this collection']")
    page.click("text=Delete, videos stay")
    page.wait_for_selector("text=No collections yet.")
    page.click(".toast >> text=Undo")
    page.wait_for_selector("h1:has-text('Client B')")
    assert page.locator("[data-tile]").count() == 1


def test_video_is_approved_and_collected_while_it_plays_on(page, admin):
    video = factories.make_video(by=admin)
    made = collections.create(by=admin, name="Boats")
    page.goto(f"/videos/{video.id}/")
    page.evaluate("() => { window.kept = document.getElementById('player'); kept.loop = true; return kept.play(); }")
    page.click("#approve")
    page.wait_for_selector("#video-badges >> text=Approved")
    page.click("#collect")
    page.click(f"#collect-{made.id}")
    page.wait_for_selector(f"#collect-{made.id}[aria-pressed=true]")
    becomes_true(page, f"document.activeElement.id === 'collect-{made.id}'")
    page.click(f"#collect-{made.id}")
    page.wait_for_selector(f"#collect-{made.id}[aria-pressed=false]")
    assert page.evaluate("!kept.paused && kept === document.getElementById('player')")
    page.click(".toast >> text=Undo")
    page.wait_for_selector(".standing__collections >> text=Boats")
    assert made.items.count() == 1


def test_moment_is_taken_from_the_player_sent_by_key_and_sought_again(page, admin):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    becomes_true(page, "document.getElementById('player').readyState >= 1")
    page.evaluate("() => { window.stayed = true; document.getElementById('player').currentTime = 0.5; }")
    page.wait_for_selector("[data-at-now] >> text=At 0:00.5")
    page.keyboard.press("c")
    page.keyboard.type("Hold it\nlevel")
    page.click("[data-at-now]")
    assert page.input_value("#id_at") == "0:00.5"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".comment__text")
    assert page.input_value("#id_comment") == page.input_value("#id_at") == ""
    becomes_true(page, "document.activeElement.id === 'id_comment'")
    made = Comment.objects.get()
    assert (made.text, made.at_ms) == ("Hold it\nlevel", 500)
    page.evaluate("document.getElementById('player').currentTime = 0")
    page.click("[data-seek]")
    becomes_true(page, "Math.abs(document.getElementById('player').currentTime - 0.5) < 0.01")
    assert page.evaluate("window.stayed")
    page.goto(f"/videos/{video.id}/?t=0.5")
    becomes_true(page, "Math.abs(document.getElementById('player').currentTime - 0.5) < 0.01")


def test_comment_that_is_refused_stays_typed_and_removing_is_undone(page, admin):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    page.fill("#id_comment", "Hold it")
    page.fill("#id_at", "soon")
    page.click("text=Send comment")
    page.wait_for_selector("#id_at_error")
    becomes_true(page, "document.activeElement.id === 'id_at'")
    assert page.input_value("#id_comment") == "Hold it"
    page.fill("#id_at", "")
    page.click("text=Send comment")
    page.wait_for_selector(".comment__text")
    page.click(".comment__remove button")
    page.wait_for_selector("text=No comments yet.")
    page.click(".toast >> text=Undo")
    page.wait_for_selector(".comment__text")
    assert "#comments" in page.url
    page.complaints[:] = [line for line in page.complaints if "status of 422" not in line]


def test_half_written_comment_outlasts_the_way_to_another_team_and_a_refusal_but_not_its_sending(page, admin):
    video, other = factories.make_video(by=admin), factories.make_video(by=admin)
    factories.make_member(user=admin.user, team=factories.make_team("Second team"))
    page.goto(f"/videos/{video.id}/")
    page.fill("#id_comment", "Hold it")
    page.fill("#id_at", "soon")
    page.locator(".team-chip > summary").click()
    page.get_by_role("link", name="Second team").click()
    page.wait_for_url("**/gallery/?team=second-team")
    page.goto(f"/videos/{other.id}/")
    assert page.input_value("#id_comment") == ""
    page.goto(f"/videos/{video.id}/")
    assert (page.input_value("#id_comment"), page.input_value("#id_at")) == ("Hold it", "soon")
    page.click("text=Send comment")
    page.wait_for_selector("#id_at_error")
    page.goto(f"/videos/{video.id}/")
    assert page.input_value("#id_comment") == "Hold it"
    page.fill("#id_at", "")
    page.click("text=Send comment")
    page.wait_for_selector(".comment__text")
    page.goto(f"/videos/{video.id}/")
    assert page.input_value("#id_comment") == page.input_value("#id_at") == ""
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('draft:'))") == []
    page.complaints[:] = [line for line in page.complaints if "status of 422" not in line]


def test_half_written_comment_is_nobody_elses_and_ends_with_signing_out(page, admin):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    page.fill("#id_comment", "Hold it")
    kept = "Object.entries(sessionStorage).filter(([key]) => key.startsWith('draft:comment:')).map(([key]) => key)"
    assert page.evaluate(kept) == [f"draft:comment:{admin.user_id}:{video.id}"]
    page.goto("/account/logout/")
    page.locator("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/account/login/**")
    assert page.evaluate(kept) == []


def test_new_comments_of_others_appear_while_one_writes(page, admin, member):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    page.fill("#id_comment", "I am still writing")
    comments.add(by=member, video=video, text="from afar")
    page.evaluate("document.getElementById('comment-list').dispatchEvent(new CustomEvent('calm'))")
    page.wait_for_selector("text=from afar")
    assert page.input_value("#id_comment") == "I am still writing"


def test_keys_of_the_places_do_not_write_comments(page, admin):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/create/")


@pytest.fixture
def filled(admin, member):
    """Everything that can stand on these pages, with long and foreign words."""
    rows = [factories.make_video(by=admin) for _ in range(5)]
    made = collections.create(by=admin, name="Spring campaign, a long name " * 2, videos=rows)
    collections.create(by=admin, name="مسودات", seen_by="private", videos=rows[:2])
    collections.create(by=admin, name="Nothing yet")
    favourites.mark(by=admin, video=rows[-1], on=True)
    approvals.approve(by=member, video=rows[-1])
    comments.add(by=member, video=rows[-1], text="word" * 300, at_ms=300)
    comments.add(by=admin, video=rows[-1], text="عمل جميل جدا\nhttps://example.org")
    return {"video": f"/videos/{rows[-1].id}/", "collection": f"/collections/{made.id}/"}


ADDRESSES = [
    "/gallery/",
    "/gallery/?select=1",
    "/gallery/?favourite=1",
    "/gallery/?approved=1&shape=9:16",
    "/collections/",
    "/collections/new/",
    "collection",
    "video",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_axe_finds_nothing_in_both_themes_and_a_phone_scrolls_one_way(page, filled, address):
    page.goto(filled.get(address, address))
    for menu in page.locator("main details.menu").all():
        menu.evaluate("(one) => { one.open = true }")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert findings(page) == [], theme
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.scrollingElement.scrollWidth") == 360
    assert findings(page) == []


def test_page_without_scripts_stars_comments_and_collects(chromium, live_server, admin, browser_of):
    video = factories.make_video(by=admin)
    made = collections.create(by=admin, name="Boats")
    context = chromium.new_context(base_url=live_server.url, java_script_enabled=False)
    session = browser_of(admin).cookies["session"].value
    context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.goto(f"/videos/{video.id}/")
    page.click("text=Favourite")
    page.fill("#id_comment", "Without scripts")
    page.fill("#id_at", "0.5")
    page.click("text=Send comment")
    page.click("#approve")
    page.click("#collect")
    page.click(f"#collect-{made.id}")
    page.click(".comment__at")
    page.wait_for_url("**/?t=0.5#player")
    context.close()
    wait_until(lambda: made.items.exists(), within=5, what="the collection is filled")
    assert Favourite.objects.exists()
    assert Comment.objects.get().at_ms == 500
    assert Video.objects.get().approved_at
    assert Collection.objects.count() == 1
