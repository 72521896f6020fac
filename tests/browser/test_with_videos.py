"""What is done with videos that are there already."""

from tests.browser.conftest import FOCUS_SHOWS, becomes, ready_card


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


def test_frame_of_a_video_becomes_the_picture_of_a_new_one(visit, filled) -> None:
    page = visit(filled["video"], who="filled")
    becomes(page, "document.querySelector('#player').readyState >= 1")
    page.get_by_role("button", name="Use this frame").click()
    page.wait_for_url("**/create/?*reference_id=*")
    page.locator("#crop img").wait_for()
    assert page.input_value("#prompt") == "A quiet harbour in the morning"
    page.locator("#generate", has_text="Generate - about").wait_for()


def test_gallery_is_walked_and_opened_by_keyboard(visit, filled) -> None:
    page = visit("/gallery/", who="filled")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.href") != first
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.href") == first
    assert page.evaluate(FOCUS_SHOWS)
    page.keyboard.press("Enter")
    page.wait_for_url(first)
