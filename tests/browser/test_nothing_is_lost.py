"""What was typed survives a reload, an ended session and wrong input."""

from http.client import HTTPConnection

import pytest

from tests.browser.conftest import PHONE, becomes, jpeg, picture, ready_card, stays, still_there
from tests.support.visitor import Visitor

RESTS = """document.querySelector('#order[data-state=estimated]:not(.is-checking)')
  && document.querySelector('#lengths:not([data-more])') && document.querySelector('#crop img')"""

FOCUSED = "document.activeElement.matches({!r})"


def fill(page, prompt: str) -> None:
    page.fill("#prompt", prompt)
    page.set_input_files("#reference", picture())
    page.locator("#crop img").wait_for()
    page.locator("#generate", has_text="Generate - about").wait_for()


def test_reload_keeps_prompt_picture_and_choices(visit) -> None:
    page = visit("/create/", who="reloads")
    page.locator(".picker__face").click()
    page.locator(".picker__row", has_text="Veo 3.1 Fast").click()
    becomes(page, "document.querySelector('[name=model_shown]').value === 'veo-3.1-fast'")
    page.locator("#generate", has_text="Generate - about $0.80").wait_for()
    fill(page, "Kept over a reload")
    picked = page.input_value("[name=reference_id]")
    page.reload()
    page.locator("#crop img").wait_for()
    assert page.input_value("#prompt") == "Kept over a reload"
    becomes(page, "document.querySelector('[name=model_shown]').value === 'veo-3.1-fast'")
    assert page.input_value("[name=reference_id]") == picked
    page.locator("#generate", has_text="Generate - about $0.80").wait_for()


def test_reload_keeps_a_typed_length_instead_of_the_chips_and_the_other_way_round(visit) -> None:
    page = visit("/create/?model=p-video&seconds=4", who="reloads")
    page.fill("#seconds-other", "7")
    page.locator("#generate", has_text="Generate - about $0.14").wait_for()
    page.reload()
    becomes(page, "document.querySelector('#seconds-other').value === '7'")
    assert page.locator("[name=seconds]:checked").count() == 0
    page.locator("#generate", has_text="Generate - about $0.14").wait_for()
    page.locator("#count-2").locator("..").click()
    page.locator("#generate", has_text="Generate - about $0.28").wait_for()
    assert page.input_value("#seconds-other") == "7"
    assert page.locator("[name=seconds]:checked").count() == 0
    page.locator("#count-1").locator("..").click()
    page.locator("#generate", has_text="Generate - about $0.14").wait_for()

    page.goto("/create/?model=p-video&seconds=9")
    page.locator("#lengths .chip", has_text="5 s").click()
    page.locator("#generate", has_text="Generate - about $0.10").wait_for()
    page.reload()
    becomes(page, "document.querySelector('#seconds-5').checked")
    assert page.input_value("#seconds-other") == ""
    page.locator("#generate", has_text="Generate - about $0.10").wait_for()


def test_signed_out_in_another_tab_signs_in_and_finds_the_prompt_again(visit, people, watch, up) -> None:
    watch.expected.append("status of 401")
    page = visit(people.link("leaver"))
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url("**/create/")
    fill(page, "Kept over a sign-in")
    becomes(page, RESTS)  # else a look for prices leads to signing in before the press does
    other = page.context.new_page()
    other.goto("/account/logout/")
    other.locator("main").get_by_role("button", name="Sign out").click()
    other.wait_for_url("**/account/login/**")

    page.locator("#generate").click()
    page.wait_for_url("**/account/login/?next=**")
    assert page.get_by_text("You were signed out. Sign in and your prompt is back.").is_visible()
    page.evaluate("localStorage.clear()")
    page.goto(people.link("leaver"))
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url("**/create/")

    assert page.input_value("#prompt") == "Kept over a sign-in"
    assert page.locator("#crop img").count() == 1
    assert up.query("SELECT count(*) FROM playground_run WHERE prompt = 'Kept over a sign-in'") == [(0,)]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("   ", "Write what the video should show."),
        ("y" * 5001, "5,001 of 5,000 characters for p-video. Shorten it by 1."),
    ],
)
def test_refused_prompt_takes_the_focus_and_everything_is_kept(visit, watch, prompt: str, words: str) -> None:
    watch.expected.append("status of 422")
    page = visit("/create/?model=p-video", who="wrong")
    fill(page, "A picture first")
    page.fill("#seconds-other", "7")
    page.locator(".chip", has_text="9:16").first.click()
    page.locator("#generate", has_text="Generate - about $0.14").wait_for()
    page.fill("#prompt", prompt)
    stays(page)
    with page.expect_response("**/create/") as answered:
        page.locator("#generate").click()
    assert answered.value.status == 422
    page.locator("#prompt-error", has_text=words).wait_for()
    becomes(page, FOCUSED.format("#prompt"))
    assert page.input_value("#prompt") == prompt
    assert page.input_value("#seconds-other") == "7"
    assert page.locator("#shape-916").is_checked()
    assert page.locator("#crop img").count() == 1
    assert still_there(page)


WRONG_FILES = {
    "words called a picture": (picture("notes.jpg", data=b"these are words, not a picture"), True),
    "a GIF called a JPEG": (picture("moving.jpg", data=jpeg(kind="GIF")), True),
    "a GIF": (picture("moving.gif", "image/gif", jpeg(kind="GIF")), False),
    "13 MiB": (picture("large.jpg", data=b"\xff\xd8\xff" + bytes(13 * 2**20)), False),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_wrong_picture_is_refused_beside_its_field_and_the_prompt_is_kept(visit, watch, tmp_path, name: str) -> None:
    watch.expected.append("status of 422")
    file, is_sent = WRONG_FILES[name]
    chosen = tmp_path / file["name"]
    chosen.write_bytes(file["buffer"])
    page = visit("/create/?model=p-video", who="wrong")
    page.fill("#prompt", "Kept beside a wrong picture")
    page.locator("#generate", has_text="Generate - about").wait_for()
    page.set_input_files("#reference", chosen)  # by its path: many bytes take the browser seconds to be told
    error = page.locator("#reference-field .field__error")
    error.wait_for()
    assert error.get_attribute("role") == "alert"
    assert error.inner_text()
    becomes(page, FOCUSED.format("#reference"))
    assert page.locator("#reference").get_attribute("aria-invalid") == "true"
    assert page.input_value("#prompt") == "Kept beside a wrong picture"
    assert any("422" in line for line in watch.lines) == is_sent
    page.set_input_files("#reference", picture())
    page.locator("#crop img").wait_for()
    assert page.locator("#reference-field .field__error").count() == 0


def test_picture_over_the_limit_sent_by_a_form_gets_the_form_again(people) -> None:
    who: Visitor = people.get("wrong")
    page = who.ask("/create/?model=p-video")
    carried = {name: page.value(name) for name in ("team", "token", "quoted_micros")} | {
        "prompt": "Kept, too large",
        "model": "p-video",
    }
    answer = who.post("/create/", carried, page=page, files={"reference": ("a.jpg", "image/jpeg", bytes(13 * 2**20))})
    assert answer.status == 422
    assert 'id="reference-error"' in answer.text
    assert "Kept, too large</textarea>" in answer.text


def test_body_far_too_large_is_answered_with_a_page_before_it_is_read(people, up) -> None:
    who: Visitor = people.get("wrong")
    connection = HTTPConnection("127.0.0.1", up.port, timeout=30)
    connection.putrequest("POST", "/create/")
    connection.putheader("Cookie", "; ".join(f"{c['name']}={c['value']}" for c in who.cookies()))
    connection.putheader("Content-Type", "multipart/form-data; boundary=part")
    connection.putheader("Content-Length", str(40 * 2**20))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"<h1" in answer.read()
    connection.close()


def test_picture_comes_by_drop_and_by_paste(visit) -> None:
    page = visit("/create/?model=p-video", who="drops")
    bytes_ = list(jpeg())
    for event in ("drop", "paste"):
        page.evaluate(
            """([kind, bytes]) => {
              const carrier = new DataTransfer();
              carrier.items.add(new File([new Uint8Array(bytes)], "harbour.jpg", { type: "image/jpeg" }));
              const options = { bubbles: true, cancelable: true };
              document.getElementById("prompt").dispatchEvent(kind === "drop"
                ? new DragEvent("drop", { ...options, dataTransfer: carrier })
                : new ClipboardEvent("paste", { ...options, clipboardData: carrier }));
            }""",
            [event, bytes_],
        )
        page.locator("#crop img").wait_for()
        page.locator("[data-remove-reference]").click()
        page.locator("#crop").wait_for(state="detached")


def test_trash_is_undone_from_its_toast(visit, people) -> None:
    people.get("undoes").order("Thrown away", seconds=1)
    page = visit("/create/", who="undoes")
    ready_card(page, "Thrown away").locator(".job__title a").click()
    page.get_by_role("button", name="Move to trash").click()
    page.wait_for_url("**/gallery/")
    assert page.locator("[data-tile]").count() == 0
    page.locator(".toast").get_by_role("button", name="Undo").click()
    page.locator("[data-tile]").wait_for()


def test_crop_is_moved_by_key_and_by_hand_kept_over_a_reload_and_sent(visit, up) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="crops")
    page.fill("#prompt", "The right end of a picture")
    page.set_input_files("#reference", picture(data=jpeg((640, 360))))
    page.locator("#crop img").wait_for()
    assert page.locator("[name=crop_at][type=range]").count() == 0
    page.locator("#sizes .chip", has_text="9:16").click()
    slider = page.locator("[name=crop_at][type=range]")
    slider.wait_for()
    left = "document.querySelector('.crop__mark').x.baseVal.value"
    assert page.evaluate(left) == 219

    slider.press("Home")
    becomes(page, f"{left} === 0")
    box = page.locator(".crop").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20 + box["width"], box["y"] + 20, steps=5)
    page.mouse.up()
    becomes(page, f"{left} === 438")
    assert page.evaluate("document.querySelector('.crop__out').getAttribute('d')").endswith("M438 0h202v360h-202Z")

    page.reload()
    becomes(page, f"document.querySelector('.crop__mark') && {left} === 438")
    page.locator("#generate", has_text="Generate - about").click()
    ready_card(page, "The right end of a picture")
    found = up.query(
        "SELECT r.cut_x, r.width FROM playground_reference r JOIN playground_generationreference g ON"
        " g.reference_id = r.id JOIN playground_generation n ON n.id = g.generation_id JOIN playground_run u ON"
        " u.id = n.run_id WHERE u.prompt = 'The right end of a picture'"
    )
    assert found == [(438, 202)]


def test_nothing_moves_when_the_picture_has_loaded(visit) -> None:
    page = visit("/create/?model=p-video&seconds=1", who="crops", **PHONE)
    held = []
    page.route("**/references/*/thumb/", lambda route: held.append(route))
    page.set_input_files("#reference", picture(data=jpeg((360, 640))))
    page.locator("#crop img").wait_for()
    becomes(page, "!document.querySelector('#order').classList.contains('is-checking')")
    while not held:
        page.wait_for_timeout(20)
    before = page.locator("#sizes").bounding_box()["y"]
    for route in held:
        route.continue_()
    becomes(page, "document.querySelector('#crop img').naturalWidth > 0")
    assert abs(page.locator("#sizes").bounding_box()["y"] - before) < 1
    assert page.evaluate("Math.abs((i => i.width / i.height)(document.querySelector('#crop img')) - 360 / 640)") < 0.01
