"""Gallery and video page in a real browser: keyboard, previews, choosing, more tiles, the used frame, no CSP report."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Generation, Run
from playground.services import estimates
from tests import factories
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_more_tiles_come_without_a_new_address_and_take_the_focus(page, admin):
    model = factories.make_model()
    videos = [factories.make_video(by=admin, model=model) for _ in range(26)]
    page.goto("/gallery/")
    page.click("text=Show more")
    becomes_true(page, "document.querySelectorAll('[data-tile]').length === 26")
    assert page.url.endswith("/gallery/")
    becomes_true(page, "document.activeElement.matches('[data-tile-link]')")
    assert str(videos[1].id) in page.evaluate("document.activeElement.href")


def test_keys_move_choose_and_open(page, admin):
    older, newer = (factories.make_video(by=admin) for _ in range(2))
    page.goto("/gallery/")
    for key, expected in (("j", newer), ("j", older), ("k", newer)):
        page.keyboard.press(key)
        assert str(expected.id) in page.evaluate("document.activeElement.href")
    page.keyboard.press("x")
    assert page.locator("[data-count]").inner_text() == "1 chosen"
    page.keyboard.press("Escape")
    assert page.locator(".select-bar").is_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/videos/{newer.id}/")
    page.keyboard.press("j")
    page.wait_for_url(f"**/videos/{older.id}/")


LEAVING = """
addEventListener("pageswap", (event) => {
  const named = [...document.querySelectorAll("[data-tile-link]")].filter(
    (link) => getComputedStyle(link.querySelector(".stage")).viewTransitionName === "poster");
  sessionStorage.setItem("left", JSON.stringify([!!event.viewTransition, named.map((link) => link.pathname)]));
});
"""
"""What a gallery says as it is left: whether the change is animated, and which posters have the player's name."""
PLAYER = "getComputedStyle(document.querySelector('.player__stage')).viewTransitionName"


def test_long_ids_do_not_widen_the_page_of_a_run_on_a_phone(page, admin):
    row = factories.make_generation(by=admin, upstream_id="v" * 255, request_id="r" * 255)
    kept = f"orphans/refused/{row.id}.mp4"
    factories.make_event(row, "output_lost", data={"code": "BadVideo", "kept": kept})
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/runs/{row.run_id}/")
    page.click("text=History")
    assert page.locator("#ids").is_visible()
    assert page.locator(f"text={kept}").is_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth") == 360


CUT = """[...document.querySelectorAll(".job")].filter((job) => {
  const state = job.querySelector(".job__state"), told = state.getBoundingClientRect();
  const seen = [...job.querySelectorAll(".job__actions :is(a, button)")].filter((one) => one.checkVisibility());
  const places = seen.map((one) => one.getBoundingClientRect()), card = job.getBoundingClientRect();
  return state.scrollHeight > state.clientHeight + 1 || told.bottom > card.bottom ||
    places.some((place) => place.top < told.bottom || place.bottom > card.bottom || place.right > card.right);
}).map((job) => job.innerText)"""
"""Cards of which words are cut off, or lie under a button, or reach out of their frame."""


def test_no_card_cuts_off_what_happened_and_what_it_cost(page, admin):
    """At each width, with larger text, and with a gateway's own long words."""
    message = "Invalid value: '9'. The length of this model must be one of the values in its reference. " * 3
    ended = {"sent_at": timezone.now(), "ended_at": timezone.now()}
    gateway = factories.make_gateway(is_sandbox=False, is_default=True, has_dry_run=False)
    given = {"by": admin, "model": factories.make_model(gateway=gateway)}
    refused = {"error_kind": "other", "error_message": message}
    factories.make_generation(**given, status=Status.REJECTED, **refused, **ended)
    factories.make_generation(**given, status=Status.UNKNOWN, estimate_micros=840_000, sent_at=timezone.now())
    factories.make_generation(**given, status=Status.OUTPUT_LOST, error_code="BadVideo", **ended)
    page.goto("/create/")
    assert page.locator(".job").count() == 3
    for width, text in ((1280, 100), (1280, 130), (1024, 100), (900, 100), (768, 100), (360, 130), (320, 100)):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("(size) => { document.documentElement.style.fontSize = size }", f"{text}%")
        assert page.evaluate(CUT) == [], (width, text)
        assert page.evaluate("document.scrollingElement.scrollWidth") == width


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_poster_of_the_tile_opened_last_grows_into_the_player_unless_motion_is_reduced(page, admin, motion):
    videos = [factories.make_video(by=admin) for _ in range(3)][::-1]
    page.emulate_media(reduced_motion=motion)
    page.add_init_script(LEAVING)
    for number in (2, 1):
        page.goto("/gallery/")
        page.locator("[data-tile-link]").nth(number).click()
        page.wait_for_url(f"**/videos/{videos[number].id}/")
        moves = motion == "no-preference"
        named = [f"/videos/{videos[number].id}/"] if moves else []
        assert page.evaluate("JSON.parse(sessionStorage.getItem('left'))") == [moves, named]
        assert page.evaluate(PLAYER) == ("poster" if moves else "none")


def test_chosen_videos_go_to_the_trash_and_undo_brings_them_back(page, admin):
    for _ in range(2):
        factories.make_video(by=admin)
    page.goto("/gallery/")
    page.click("[data-select]")
    assert page.locator("[data-needs-mine]").is_disabled()
    for tile in page.locator("[data-tile-link]").all():
        tile.click()
    page.click("text=Move to trash")
    page.wait_for_selector("text=2 videos moved to the trash.")
    page.click("text=Undo")
    becomes_true(page, "document.querySelectorAll('[data-tile]').length === 2")


def test_preview_plays_muted_while_hovered_and_stops_on_leave(page, admin):
    factories.make_video(by=admin)
    page.goto("/gallery/")
    page.hover("[data-tile-link]")
    page.wait_for_selector("video.preview.is-playing")
    assert page.evaluate("document.querySelector('video.preview').muted")
    page.hover("h1")
    page.wait_for_selector("video.preview", state="detached")


def test_reduced_motion_plays_nothing_before_a_press(page, admin):
    factories.make_video(by=admin)
    page.emulate_media(reduced_motion="reduce")
    page.goto("/gallery/")
    page.hover("[data-tile-link]")
    page.click("[data-preview-press]")
    page.wait_for_selector("video.preview.is-playing")
    assert page.locator("video.preview").count() == 1


def test_title_is_changed_without_leaving_the_page(page, admin):
    video = factories.make_video(by=admin)
    page.goto(f"/videos/{video.id}/")
    page.evaluate("window.stayed = true")
    page.click("text=Rename")
    page.fill("#id_title", "Harbour, take 3")
    page.click("text=Save title")
    page.wait_for_selector("h1:has-text('Harbour, take 3')")
    page.click("text=Rename")
    page.fill("#id_title", "x" * 201)
    page.click("text=Save title")
    page.wait_for_selector("#id_title_error")
    assert page.evaluate("window.stayed")
    page.complaints[:] = [line for line in page.complaints if "422" not in line]  # the browser notes every 4xx


def test_frame_steps_and_becomes_the_reference_image_of_a_new_video(page, admin):
    model = factories.make_model("sora-2")
    video = factories.make_video(by=admin, model=model)
    page.goto(f"/videos/{video.id}/")
    becomes_true(page, "document.getElementById('player').readyState >= 2")
    for _ in range(3):
        page.keyboard.press(".")
    becomes_true(page, "document.getElementById('player').currentTime > 0.1")
    page.keyboard.press(",")
    becomes_true(page, "document.getElementById('player').currentTime < 0.1")
    page.click("text=Use this frame")
    page.wait_for_url("**/create/?*reference_id=*")
    assert f"parent={video.id}" in page.url


@pytest.fixture
def made(admin):
    """A finished video, and a price for one more."""
    model = factories.make_model(gateway=factories.make_gateway(slug="sandbox", is_default=True))
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    answer = {"state": "estimated", "unit_micros": 400_000, "checked_at": timezone.now().timestamp()}
    cache.set(estimates._key(wanted), answer, 60)
    return factories.make_video(by=admin, model=model)


ONCE_EACH = """(() => {
  const ids = [...document.querySelectorAll(".job")].map((job) => job.id);
  return new Set(ids).size === ids.length && ids.length;
})()"""


def test_one_more_is_one_order_for_each_press_on_purpose(page, made):
    page.goto("/create/")
    button = page.locator(f"#job-{made.generation_id} button", has_text="One more")
    for orders in (1, 2):
        button.click()
        becomes_true(page, f"{ONCE_EACH} === {1 + orders}")
        assert Run.objects.count() == 1 + orders
    page.evaluate("addEventListener('submit', () => (window.submits = (window.submits ?? 0) + 1), true)")
    # The second half of a double click, when the answer to the first is there already.
    button.hover()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    assert page.evaluate("window.submits") is None
    # A key held down.
    button.focus()
    page.keyboard.down("Enter")
    becomes_true(page, f"{ONCE_EACH} === 4")
    page.keyboard.down("Enter")
    assert page.evaluate("window.submits") == 1
    assert Run.objects.count() == 4


def test_poster_plays_in_its_place_and_goes_on_while_cards_are_drawn_anew(page, admin, made):
    running = factories.make_generation(
        run=factories.make_run(by=admin, model=made.generation.model), status=Status.RUNNING
    )
    page.goto("/create/")
    page.evaluate("window.stayed = true")
    page.get_by_role("link", name="Play A harbour at dawn").focus()
    page.keyboard.press("Enter")
    becomes_true(page, "document.querySelector('.job video')?.currentTime > 0")
    page.evaluate(
        """() => {
          const video = document.querySelector(".job video");
          video.loop = true;
          for (const name of ["pause", "emptied"]) video.addEventListener(name, () => (window.disturbed = name));
          window.kept = video;
        }"""
    )
    Generation.objects.filter(id=running.id).update(status=Status.FAILED, version=9)
    page.locator(f"#job-{running.id}", has_text="Failed").wait_for()
    page.locator(f"#job-{made.generation_id} button", has_text="One more").click()
    becomes_true(page, f"{ONCE_EACH} === 3")
    assert page.evaluate("kept === document.querySelector('.job video') && !kept.paused && !window.disturbed")
    assert page.evaluate("window.stayed")


def test_late_result_comes_to_the_page_at_a_calm_pace_and_without_a_reload(page, admin, made):
    row = made.generation
    later = timezone.now() + timedelta(hours=1)
    Generation.objects.filter(id=row.id).update(status=Status.EXPIRED, version=2, next_check_at=later)
    page.clock.install()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/generations/cards/" in request.url else None)
    page.goto(f"/runs/{row.run_id}/")  # Create asks for prices too, and a clock that jumps ends what is on its way
    card = page.locator(f"#job-{row.id}")
    card.locator(".job__word", has_text="Late").wait_for()
    assert card.locator(".stripe").count() == 0
    Generation.objects.filter(id=row.id).update(status=Status.DONE, version=3, is_late=True, next_check_at=None)
    page.clock.run_for(14_000)
    assert asked == []
    page.clock.run_for(1_500)
    card.locator(".job__word", has_text="Ready").wait_for()
    assert "Arrived late." in card.inner_text()
    page.clock.run_for(60_000)
    assert len(asked) == 1
