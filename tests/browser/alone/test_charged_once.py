"""What one press costs, counted over the whole installation."""

from tests.browser.conftest import ready_card
from tests.support.visitor import charges


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
