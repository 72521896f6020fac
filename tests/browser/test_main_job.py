"""The main job as a new user sees it: from the printed link to a playing video, without a reload."""

from tests.browser.conftest import ready_card


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
