"""The main job as a new user sees it: from the printed link to a playing video, without a reload."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Watch, becomes, jpeg, picture, ready_card, stays, still_there
from tests.journeys.conftest import Running
from tests.support.processes import wait_until
from tests.support.visitor import charges

BAR = """async (part) => {
  const video = document.querySelector("#player");
  video.pause();
  await new Promise((done) => {
    video.addEventListener("seeked", done, { once: true });
    video.currentTime = video.duration * part;
  });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  const row = context.getImageData(0, canvas.height - 2, canvas.width, 1).data;
  let lit = 0;
  for (let x = 0; x < canvas.width; x += 1) lit += row[4 * x] + row[4 * x + 1] + row[4 * x + 2] > 450;
  return lit / canvas.width;
}"""


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An installation that nobody has an account on."""
    running = Running(tmp_path_factory.mktemp("fresh"), SANDBOX_JOB_SECONDS="5-6")
    try:
        yield running.start().ready()
    finally:
        running.remove()


def make_account(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Team name").fill("Studio")
    page.get_by_label("E-mail address").fill("ana@example.com")
    page.get_by_label("Password").fill("a harbour at dawn 7")
    page.get_by_role("button", name="Make the account and begin").click()
    page.wait_for_url("**/create/")


def test_new_user_makes_a_video_and_plays_it(chromium: Browser, fresh: Running, watch: Watch) -> None:
    wait_until(lambda: fresh.query("SELECT count(*) FROM playground_videomodel") != [(0,)], what="models")
    context = chromium.new_context(base_url=fresh.url)
    watch.on(context)
    page = context.new_page()
    make_account(page, fresh.text.split("First admin: ")[1].split()[0])

    assert page.locator(".example").count() == 3
    assert "about $" in page.locator(".example").first.inner_text()
    button = page.locator("#generate")
    assert "about $" in button.inner_text()
    stays(page)
    choose(page)
    page.fill("#prompt", "A red lighthouse above a stormy sea")
    page.set_input_files("#reference", picture(data=jpeg((640, 360))))
    page.locator("#crop img").wait_for()
    button.filter(has_text="Generate - about $0.80").wait_for()
    assert charges(fresh.sandbox_port) == []

    button.click()

    card = page.locator(".job").first
    seen = steps_of(card)
    assert seen[0] in {"Waiting to send", "Sending", "Queued at the provider"}
    assert seen[-1] == "Ready"
    assert "Generating" in seen
    assert still_there(page)
    assert page.input_value("#prompt") == "A red lighthouse above a stormy sea"
    assert len(charges(fresh.sandbox_port)) == 1
    page.locator(".toast", has_text="Ready").wait_for()

    card.locator(".job__title a").click()
    play_and_seek(page)
    page.goto("/gallery/")
    assert page.locator("[data-tile]").count() == 1
    page.locator("[data-tile-link]").click()
    page.wait_for_url("**/videos/*/")
    context.close()
    assert watch.unexpected() == []


def choose(page: Page) -> None:
    """Another model, length, shape and quality; the price on the button follows."""
    page.locator(".picker__face").click()
    page.locator(".picker__row", has_text="Veo 3.1 Fast").click()
    page.locator("#generate", has_text="Generate - about $0.80").wait_for()
    page.locator(".chip", has_text="8 s").click()
    page.locator("#generate", has_text="Generate - about $1.60").wait_for()
    page.locator(".chip", has_text="4 s").click()
    page.locator(".chip", has_text="9:16").click()
    page.locator(".chip", has_text="1080p").click()
    page.locator("#generate", has_text="Generate - about $0.80").wait_for()
    page.locator(".chip", has_text="16:9").click()
    page.locator(".chip", has_text="720p").click()


def steps_of(card) -> list[str]:
    """The words that the card shows one after another until it says Ready."""
    words: list[str] = []

    def is_ready() -> bool:
        word = card.locator(".job__word").inner_text()
        if not words or words[-1] != word:
            words.append(word)
        return word == "Ready"

    wait_until(is_ready, what="Ready")
    return words


def play_and_seek(page: Page) -> None:
    becomes(page, "document.querySelector('#player')?.readyState >= 1")
    assert page.evaluate("[player.videoWidth, player.videoHeight]") == [1280, 720]
    page.evaluate("player.muted = true; player.play()")
    becomes(page, "player.currentTime > 0.3")
    for part in (0.85, 0.2):
        assert page.evaluate(BAR, part) == pytest.approx(part, abs=0.03)


def test_playing_video_is_not_disturbed_when_the_cards_are_refreshed(visit, people, filled) -> None:
    """The page refreshes its cards; the video that plays in one of them must be the same one, still playing."""
    people.get("filled").order("While another plays", seconds=1)
    page = visit("/create/", who="filled")
    page.get_by_role("link", name="Play A quiet harbour in the morning").click()
    becomes(page, "document.querySelector('.job video')?.currentTime > 0")
    page.evaluate(
        """() => {
          window.kept = document.querySelector(".job video");
          kept.loop = true;
          for (const name of ["pause", "emptied"]) kept.addEventListener(name, () => (window.disturbed = name));
        }"""
    )

    ready_card(page, "While another plays")

    assert page.evaluate("!window.disturbed && !kept.paused && kept === document.querySelector('.job video')")
    began = page.evaluate("kept.currentTime")
    becomes(page, f"kept.currentTime !== {began}")


def test_ctrl_enter_held_down_orders_once(visit, people, up) -> None:
    before = len(charges(up.sandbox_port))
    page = visit("/create/?model=p-video&seconds=1", who="hasty")
    page.fill("#prompt", "Pressed in haste")
    page.locator("#generate", has_text="Generate - about").wait_for()
    page.evaluate(
        """() => {
          const press = { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
          const field = document.getElementById("prompt");
          for (let n = 0; n < 3; n += 1) field.dispatchEvent(new KeyboardEvent("keydown", press));
        }"""
    )
    ready_card(page, "Pressed in haste")
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Pressed in haste'") == [(1,)]
    assert len(charges(up.sandbox_port)) == before + 1


def test_double_click_on_the_button_is_one_run(visit, up) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="double")
    page.fill("#prompt", "Two clicks")
    page.locator("#generate", has_text="Generate - about").dblclick()
    ready_card(page, "Two clicks")
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Two clicks'") == [(1,)]
    assert page.locator(".job").count() == 1


HOLD_ENTER = """() => {
  const held = { key: "Enter", ctrlKey: true, repeat: true, bubbles: true, cancelable: true };
  document.getElementById("prompt").dispatchEvent(new KeyboardEvent("keydown", held));
}"""


COUNT_PRESSES = """() => {
  window.presses = 0;
  addEventListener("submit", (event) => {
    window.presses += 1;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);
}"""
"""Counts presses that would order, and lets none through."""


def test_second_click_of_a_double_click_and_a_held_key_order_nothing_though_the_first_answer_has_come(visit) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="slow")
    page.fill("#prompt", "A slow second click")
    page.locator("#generate", has_text="Generate - about").click()
    ready_card(page, "A slow second click")
    page.evaluate(COUNT_PRESSES)
    button = page.locator("#generate", has_text="Generate - about")
    box = button.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    page.evaluate(HOLD_ENTER)
    assert page.evaluate("window.presses") == 0
    button.click()
    assert page.evaluate("window.presses") == 1
