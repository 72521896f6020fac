"""The main job as a new user sees it: from the printed link to a playing video, without a reload."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.alone.conftest import quiet
from tests.browser.conftest import Watch, becomes, jpeg, picture, stays, still_there
from tests.support.processes import wait_until
from tests.support.running import Running
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
def fresh(up: Running, tmp_path: Path) -> Iterator[Running]:
    """An installation that nobody has an account on: that of the others here, unless one of them was first."""
    if up.query("SELECT count(*) FROM playground_user") == [(0,)]:
        yield up
        return
    running = quiet(tmp_path / "fresh")
    try:
        yield running.with_models()
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
