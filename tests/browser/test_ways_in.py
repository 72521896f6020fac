"""The whole flow by keyboard alone, by touch on a small phone, and without scripts."""

import pytest

from tests.browser.conftest import FOCUS_SHOWS, PHONE, becomes, picture, ready_card, stays, still_there

IN_VIEW = """() => {
  const box = (document.activeElement.closest("label") ?? document.activeElement).getBoundingClientRect();
  return box.bottom > 0 && box.top < innerHeight;
}"""


def tab_to(page, selector: str, *, at_most: int = 40) -> None:
    """Tab on until `selector` has the focus; at every stop the focus can be seen."""
    for _ in range(at_most):
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS_SHOWS), page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        assert page.evaluate(IN_VIEW), page.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        if page.evaluate(f"document.activeElement.matches({selector!r})"):
            return
    raise AssertionError(f"{selector} is not reached by Tab")


def test_video_is_ordered_by_keyboard_alone(visit, up) -> None:
    page = visit("/create/?model=p-video", who="keys")
    page.keyboard.press("n")
    page.keyboard.type("By keyboard alone")
    tab_to(page, ".picker__face")
    page.keyboard.press("Enter")
    tab_to(page, "[name=model]")
    page.keyboard.press("ArrowDown")
    becomes(page, "document.querySelector('[name=model_shown]').value !== 'p-video'")
    becomes(page, "document.activeElement.name === 'model'")
    page.keyboard.press("ArrowUp")
    becomes(page, "document.querySelector('[name=model_shown]').value === 'p-video'")
    becomes(page, "document.activeElement.name === 'model'")
    page.keyboard.press("Enter")
    becomes(page, "!document.querySelector('.picker').open")
    tab_to(page, "[name=seconds]")
    before = page.locator("#generate").inner_text()
    page.keyboard.press("ArrowRight")
    becomes(page, f"document.querySelector('#generate').innerText !== {before!r}")
    becomes(page, "document.activeElement.name === 'seconds'")
    tab_to(page, "#generate")
    stays(page)
    page.keyboard.press("Enter")
    ready_card(page, "By keyboard alone")
    assert still_there(page)

    tab_to(page, ".job a, .job button")
    page.keyboard.press("?")
    assert page.locator("#shortcuts").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#shortcuts").is_hidden()
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'By keyboard alone'") == [(1,)]


def test_enter_in_a_field_never_orders(visit, up) -> None:
    page = visit("/create/?model=p-video", who="keys")
    page.fill("#prompt", "Not ordered by Enter")
    page.fill("#seconds-other", "7")
    page.press("#seconds-other", "Enter")
    page.locator("#generate", has_text="Generate - about $0.14").wait_for()
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt LIKE 'Not ordered%'") == [(0,)]


def test_whole_flow_by_touch_on_a_small_phone(visit) -> None:
    page = visit("/create/", who="phone", **PHONE)
    button = page.locator("#generate")
    box = button.bounding_box()
    assert box["y"] + box["height"] <= 740
    assert box["height"] >= 44
    assert "about $" in button.inner_text()
    page.locator(".picker__face").tap()
    page.locator(".picker__row", has_text="P-Video").first.tap()
    becomes(page, "document.querySelector('[name=model_shown]').value === 'p-video'")
    page.locator("#prompt").tap()
    page.keyboard.type("Made on a phone")
    page.set_input_files("#reference", picture())
    page.locator("#crop img").wait_for()
    page.locator("label[for=shape-916], .chip", has_text="9:16").first.tap()
    page.locator("#lengths .chip").first.tap()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    button.tap()
    card = ready_card(page, "Made on a phone")
    assert button.bounding_box() == box
    card.locator(".job__title a").tap()
    page.wait_for_url("**/videos/*/")
    becomes(page, "document.querySelector('#player').readyState >= 1")
    assert page.evaluate("player.videoHeight > player.videoWidth")
    assert not page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_whole_flow_without_scripts(visit, up) -> None:
    page = visit("/create/", who="plain", java_script_enabled=False)
    page.fill("#prompt", "Made without scripts")
    page.locator(".picker__face").click()
    page.locator(".picker__row", has_text="Veo 3.1 Fast").click()
    page.set_input_files("#reference", picture())
    page.get_by_role("button", name="Update choices and price").click()
    page.locator("#generate", has_text="Generate - about $0.80").wait_for()
    assert page.input_value("#prompt") == "Made without scripts"
    assert page.locator("#crop img").count() == 1
    page.locator("#generate").click()
    page.wait_for_url("**/create/#jobs")
    card = page.locator(".job", has_text="Made without scripts")
    assert card.count() == 1
    assert page.input_value("#prompt") == "Made without scripts"
    # A look by hand brings along what is typed meanwhile; the run's page, which has no form, reloads by itself.
    page.fill("#prompt", "The next one")
    page.get_by_role("button", name="Look again").click()
    assert page.input_value("#prompt") == "The next one"
    page.goto("/runs/")
    page.locator("a[href^='/runs/']", has_text="Made without scripts").first.click()
    card.locator(".job__word", has_text="Ready").wait_for(timeout=60_000)
    assert "http-equiv" not in page.content()
    card.locator(".job__title a").click()
    page.wait_for_url("**/videos/*/")
    assert page.locator("#player[controls]").count() == 1
    assert page.locator("img[alt='The reference image of this video']").count() == 1


def test_going_back_without_scripts_and_pressing_again_is_the_first_run(visit, up) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="plain", java_script_enabled=False)
    page.fill("#prompt", "Back and again")
    page.locator("#generate").click()
    page.wait_for_url("**/create/#jobs")
    page.go_back()
    page.locator("#generate").click()
    page.wait_for_url("**/create/#jobs")
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Back and again'") == [(1,)]


@pytest.mark.parametrize("scripts", [True, False])
def test_reload_after_a_press_orders_nothing_more(visit, up, scripts: bool) -> None:
    prompt = f"Reloaded with scripts {scripts}"
    page = visit("/create/?model=p-video&seconds=1", who="reloader", java_script_enabled=scripts)
    page.fill("#prompt", prompt)
    page.locator("#generate", has_text="Generate - about").click()
    for _ in range(2):
        page.locator(".job", has_text=prompt).first.wait_for()
        page.reload()
    assert up.query(f"SELECT count(*) FROM playground_run WHERE prompt = '{prompt}'") == [(1,)]


def test_errors_stand_beside_their_fields_without_scripts(visit, watch) -> None:
    watch.expected.append("status of 422")
    page = visit("/create/?model=p-video&seconds=3", who="plain", java_script_enabled=False)
    page.fill("#prompt", "x" * 5001)
    page.set_input_files("#reference", picture("notes.jpg", data=b"these are words"))
    page.locator(".chip", has_text="9:16").click()
    page.locator("#generate").click()
    assert "5,001 of 5,000 characters" in page.locator("#prompt-error").inner_text()
    assert page.locator("#reference-error").is_visible()
    assert page.input_value("#prompt") == "x" * 5001
    assert page.locator("#shape-916").is_checked()
    assert page.locator("#seconds-other").input_value() == "3" or page.locator("#seconds-3").is_checked()
    assert page.locator("#prompt:focus").count() == 1


def test_choice_made_while_an_older_price_is_on_its_way_stays(visit, people) -> None:
    """The first answer is held until another choice is made: it must not put the old one back."""
    page = visit("/create/?model=p-video", who="quick")
    held = []
    page.route("**/create/price/", lambda route: held.append(route) if not held else route.continue_())
    page.locator("#sizes .chip", has_text="1:1").click()
    becomes(page, "document.querySelector('#order').classList.contains('is-checking')")
    with page.expect_response("**/create/price/"):
        while not held:
            page.wait_for_timeout(20)
        page.locator("#sizes .chip", has_text="9:16").click()
        held[0].continue_()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    assert page.locator("#shape-916").is_checked()


def test_press_while_a_price_is_on_its_way_shows_its_card_and_leaves_a_fresh_form(visit, up) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="quick")
    page.fill("#prompt", "Pressed before the price came")
    sent = page.input_value("#order [name=token]")
    held = []
    page.route("**/create/price/", lambda route: held.append(route) if not held else route.continue_())
    page.locator("#sizes .chip", has_text="9:16").click()
    while not held:
        page.wait_for_timeout(20)
    page.route("**/create/", lambda route: held.append(route))
    page.locator("#generate").click()
    while len(held) < 2:
        page.wait_for_timeout(20)
    with page.expect_response("**/create/price/"):
        held[0].continue_()
    held[1].continue_()
    ready_card(page, "Pressed before the price came")
    assert page.input_value("#order [name=token]") != sent
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt LIKE 'Pressed before%'") == [(1,)]


def press_as_a_price_arrives(page, chosen: str, target) -> None:
    """Choose a shape, hold its price, press the pointer down on `target`, let the price come, release the pointer."""
    held = []
    page.route("**/create/price/", lambda route: held.append(route) if not held else route.continue_())
    page.locator("#sizes .chip", has_text=chosen).click()
    while not held:
        page.wait_for_timeout(20)
    box = target.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    held[0].continue_()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    page.mouse.up()


def test_choice_pressed_while_a_price_arrives_is_not_lost(visit) -> None:
    page = visit("/create/?model=p-video", who="quick")
    press_as_a_price_arrives(page, "1:1", page.locator("#sizes .chip", has_text="9:16"))
    assert page.locator("#shape-916").is_checked()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    assert page.locator("#shape-916").is_checked()


def test_generate_pressed_while_a_price_arrives_is_not_lost(visit, up) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="quick")
    page.fill("#prompt", "Pressed as a price arrived")
    press_as_a_price_arrives(page, "1:1", page.locator("#generate"))
    ready_card(page, "Pressed as a price arrived")
    assert page.locator("#shape-11").is_checked()
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Pressed as a price arrived'") == [(1,)]


def test_shape_that_the_next_model_lacks_is_shown_as_what_it_became(visit) -> None:
    """A chosen chip keeps its own idea of being chosen: the answer's word counts."""
    page = visit("/create/?model=p-video", who="quick")
    page.locator("#sizes .chip", has_text="9:16").click()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    page.locator("#sizes .chip", has_text="16:9").click()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    checked = "[...document.querySelectorAll('#sizes :checked')].map((chip) => chip.value).join()"
    assert page.evaluate(checked) == "16:9,720p"
    assert page.evaluate(checked.replace(":checked", "[checked]")) == "16:9,720p"
