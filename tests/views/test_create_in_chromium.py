"""The Create form in a real browser, with prices from the test: what stands in it is what would be sent."""

from dataclasses import replace

import pytest
from django.core.cache import cache
from django.utils import timezone

from playground.domain.capabilities import Capabilities, Lengths
from playground.models import Run, VideoModel
from playground.services import ahead, estimates, places
from tests import factories
from tests.browser.conftest import jpeg, picture
from tests.services.test_ahead import really_start
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SLIDER = "document.querySelector('[name=crop_at]')?.value"
MARK = """(() => {
  const mark = document.querySelector(".crop__mark");
  const room = mark.ownerSVGElement.viewBox.baseVal.width - mark.width.baseVal.value;
  return String(Math.round((100 * mark.x.baseVal.value) / room));
})()"""
PRICED = "!document.querySelector('#order').classList.contains('is-checking')"
UNCOVERED = """(() => {
  const field = document.getElementById("reference-field");
  const { left, top, width, height } = field.getBoundingClientRect();
  return [top + 1, top + height - 1].every((y) => field.contains(document.elementFromPoint(left + width / 2, y)));
})()"""
TAKES = Capabilities(
    sizes=("720x1280", "720x720", "1280x720"), lengths=Lengths(minimum=1, maximum=10), image_to_video=True
)


@pytest.fixture
def whole(admin, monkeypatch):
    """A wide picture, and a model of three shapes whose price is always the same."""
    cache.clear()
    factories.make_model("m", gateway=factories.make_gateway(slug="sandbox", is_default=True), takes=TAKES)
    price = {"state": "estimated", "unit_micros": 400_000, "provider": "fal"}
    monkeypatch.setattr(estimates, "_ask", lambda wanted: price | {"checked_at": timezone.now().timestamp()})
    return factories.make_reference(by=admin, size=(640, 360))


@pytest.fixture
def cropping(page, whole):
    """The form with that picture beside an upright shape."""
    page.goto(f"/create/?model=m&size=720x1280&reference_id={whole.id}")
    becomes_true(page, f"{SLIDER} === '50'")
    return page


@pytest.mark.parametrize("how", ["key", "hand"])
def test_crop_moved_while_a_price_is_on_its_way_stays_where_it_is(cropping, how):
    page = cropping
    held = []
    page.route("**/create/price/", lambda route: held.append(route) if not held else route.continue_())
    page.locator("#sizes .chip", has_text="1:1").click()
    while not held:
        page.wait_for_timeout(20)
    if how == "key":
        page.locator("[name=crop_at]").press("Home")
    else:
        page.locator(".crop").scroll_into_view_if_needed()
        box = page.locator(".crop").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] - 20, box["y"] + 20, steps=3)
        page.mouse.up()
    becomes_true(page, f"{MARK} === '0'")
    held[0].continue_()
    becomes_true(page, PRICED)
    becomes_true(page, "document.querySelector('.crop__mark').width.baseVal.value === 360")
    assert (page.evaluate(SLIDER), page.evaluate(MARK)) == ("0", "0")


def test_left_end_of_a_picture_is_kept_through_another_shape(cropping):
    page = cropping
    page.locator("[name=crop_at]").press("Home")
    page.locator("#sizes .chip", has_text="16:9").click()
    becomes_true(page, "!document.querySelector('.crop__mark')")
    page.locator("#sizes .chip", has_text="9:16").click()
    becomes_true(page, "document.querySelector('.crop__mark') !== null")
    assert (page.evaluate(SLIDER), page.evaluate(MARK)) == ("0", "0")


def test_reload_of_an_address_with_a_picture_keeps_its_crop(cropping):
    page = cropping
    page.locator("[name=crop_at]").press("Home")
    page.reload()
    becomes_true(page, f"document.querySelector('.crop__mark') && {MARK} === '0'")
    assert page.evaluate(SLIDER) == "0"


def test_reload_of_an_address_with_a_picture_keeps_the_other_one_chosen_since(cropping, whole):
    page = cropping
    page.set_input_files("#reference", picture(data=jpeg((400, 300))))
    becomes_true(page, f"document.querySelector('[name=reference_id]')?.value !== '{whole.id}'")
    becomes_true(page, PRICED)
    mine = page.input_value("[name=reference_id]")
    page.reload()
    becomes_true(page, f"document.querySelector('[name=reference_id]')?.value === '{mine}'")


def test_reload_of_an_address_with_a_picture_that_an_order_uses_keeps_it_removed(cropping, whole, admin):
    page = cropping
    generation = factories.make_generation(by=admin)
    generation.generation_references.create(reference=whole)
    page.locator("[data-remove-reference]").click()
    becomes_true(page, "!document.querySelector('[name=reference_id]')")
    becomes_true(page, PRICED)
    page.reload()
    becomes_true(page, "!document.querySelector('[name=reference_id]')")


def test_what_was_typed_is_not_replaced_by_what_an_address_fills_in(page, whole):
    page.goto("/create/?model=m")
    page.goto("/create/")
    page.fill("#prompt", "A long idea of mine")
    page.goto("/create/?example=1")
    page.locator("#sizes .chip", has_text="1:1").click()
    becomes_true(page, PRICED)
    page.go_back()
    becomes_true(page, "document.querySelector('#prompt').value === 'A long idea of mine'")
    page.goto("/create/")
    assert page.input_value("#prompt") == "A long idea of mine"


def test_consent_to_an_unknown_price_is_for_what_it_was_given(page, admin):
    cache.clear()
    gateway = factories.make_gateway(slug="other", is_default=True, has_dry_run=False)
    admin.team.allow_unpriced = True
    admin.team.save()
    for slug, owner in (("cheap", "a"), ("dear", "b")):
        factories.make_model(slug, gateway=gateway, owner=owner)
    page.goto("/create/?model=cheap")
    page.locator("[name=accept_unpriced]").check()
    page.locator(".picker__face").click()
    page.locator(".picker__row", has_text="dear").click()
    becomes_true(page, "document.querySelector('[name=model_shown]').value === 'dear'")
    becomes_true(page, PRICED)
    assert not page.locator("[name=accept_unpriced]").is_checked()


def test_typed_length_stands_alone_even_when_it_is_too_long(page, whole):
    page.goto("/create/?model=m&seconds=4")
    page.fill("#seconds-other", "99")
    becomes_true(page, f"document.querySelector('#generate').textContent.includes('$0.40') && {PRICED}")
    assert page.input_value("#seconds-other") == "99"
    assert page.locator("[name=seconds]:checked").count() == 0


def test_wrong_parameters_are_said_as_they_are_left_and_a_cleared_provider_stays_cleared(page, whole):
    page.goto("/create/?model=m&route=fal")
    page.fill("#parameters", "cfg_scale=1")
    page.fill("#route", "")
    page.locator("#prompt").focus()
    becomes_true(page, "document.querySelector('#parameters-said').textContent.includes('not a JSON object')")
    assert page.get_attribute("#parameters", "aria-invalid") == "true"
    page.reload()
    becomes_true(page, "document.querySelector('#parameters').value === 'cfg_scale=1'")
    becomes_true(page, PRICED)
    assert page.input_value("#route") == ""
    page.fill("#parameters", '{"cfg_scale": 1}')
    page.locator("#prompt").focus()
    becomes_true(page, "document.querySelector('#parameters').getAttribute('aria-invalid') === 'false'")
    assert page.locator("#parameters-said").inner_text() == ""


def test_cheaper_choice_pressed_lowers_the_price_keeps_what_was_typed_and_orders_nothing(page, admin, monkeypatch):
    """Prices are 5 cents a second, twice that with sound, and come one after the other as the gateway gives them."""
    cache.clear()
    monkeypatch.setattr(ahead, "start", really_start)
    asked = []

    def dry_run(wanted, *, ends_at):
        asked.append((wanted.model.slug, wanted.seconds, wanted.audio))
        micros = 50_000 * wanted.seconds * (2 if wanted.audio else 1)
        return {"state": "estimated", "unit_micros": micros, "provider": "fal"}

    monkeypatch.setattr(estimates, "_dry_run", dry_run)
    gateway = factories.make_gateway(slug="sandbox", is_default=True)
    takes = Capabilities(sizes=("1280x720",), lengths=Lengths(choices=(4, 8)), audio_switch=True)
    factories.make_model("m", gateway=gateway, takes=takes)
    factories.make_model("other", gateway=gateway, takes=replace(takes, audio_switch=False))
    page.goto("/create/?model=m&seconds=8")
    page.fill("#prompt", "A long idea of mine")
    becomes_true(page, "document.querySelectorAll('.cheaper__choice').length === 2")
    assert page.locator("#lengths .money").all_inner_texts() == ["$0.40", "$0.80"]
    assert page.locator(".cheaper__choice").all_inner_texts() == [
        "4 s\n$0.40\n, saves $0.40",
        "silent\n$0.40\n, saves $0.40",
    ]
    assert ("other", 8, None) not in asked  # it would lose the sound, and its list is closed

    page.locator("#cheaper-audio").focus()
    page.keyboard.press("Enter")
    becomes_true(page, "document.querySelector('#generate').textContent.includes('$0.40')")
    assert page.evaluate("document.activeElement.id") == "cheaper"
    assert page.locator("[name=audio][value=false]").is_checked()
    assert page.input_value("#prompt") == "A long idea of mine"
    becomes_true(page, "document.querySelector('.cheaper').textContent.includes('$0.20')")
    page.locator("#cheaper-seconds").click()
    becomes_true(page, "document.querySelector('#generate').textContent.includes('$0.20')")
    assert page.locator("#seconds-4").is_checked()

    page.locator(".picker__face").click()
    becomes_true(page, "document.querySelectorAll('.picker__price').length === 2")
    becomes_true(page, "!document.querySelector('#lengths').hasAttribute('data-more')")
    assert not Run.objects.exists()
    assert len(asked) == len(set(asked))


def test_a_press_that_ordered_holds_the_button_for_two_seconds_and_leads_to_its_card_on_a_phone(page, whole):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/create/?model=m&size=1280x720")
    page.fill("#prompt", "Pressed twice on a phone")
    page.locator("#generate", has_text="about $0.40").click()
    becomes_true(page, "document.querySelector('#generate').textContent === 'Ordered'")
    page.wait_for_timeout(700)  # no double click any more
    page.locator("#generate").click(force=True)
    page.locator("#prompt").press("Control+Enter")
    assert page.locator("#toasts").inner_text().startswith("Ordered, about $0.40.")
    becomes_true(page, "document.querySelector('#generate').textContent.includes('about $0.40')")
    assert page.locator("#generate").get_attribute("aria-disabled") is None
    assert Run.objects.count() == 1
    page.get_by_role("link", name="Show it").click()
    becomes_true(page, "document.querySelector('.job').getBoundingClientRect().top < innerHeight - 250")


@pytest.fixture
def typed(page, whole):
    """The form with a prompt in it, ready to be sent."""
    page.goto("/create/?model=m")
    page.get_by_label("Prompt", exact=True).fill("A paper boat in the rain")
    becomes_true(page, PRICED)
    yield page
    page.complaints[:] = [line for line in page.complaints if "429" not in line]  # the browser notes every 4xx


def test_press_without_room_in_the_line_says_so_beside_the_button_and_keeps_the_prompt(typed, settings):
    settings.WAITING_PER_MEMBER = 0
    typed.locator("#generate").click()
    words = typed.locator(".price__problem")
    words.wait_for()
    assert "0 of your videos wait to be sent; at most 0 may. Nothing was sent." in words.inner_text()
    assert typed.get_by_label("Prompt", exact=True).input_value() == "A paper boat in the rain"
    assert not Run.objects.exists()


def test_press_in_a_crowd_gets_a_toast_and_the_next_one_orders(typed, monkeypatch):
    monkeypatch.setattr(places, "WAIT_S", 0.01)
    with places._free:
        typed.locator("#generate").click()
        toast = typed.locator("[data-toast]", has_text="The server is busy with other orders.")
        toast.wait_for()
    assert not Run.objects.exists()
    assert typed.locator("#order #generate").is_enabled()
    typed.locator("#generate").click()
    typed.locator(".job").first.wait_for()
    assert Run.objects.count() == 1


@pytest.mark.parametrize("width", [360, 1280])
def test_change_image_leads_to_the_field_of_the_picture(page, admin, whole, width):
    row = factories.make_generation(by=admin, model=VideoModel.objects.get())
    page.set_viewport_size({"width": width, "height": 640})
    page.goto(f"/create/?from={row.id}&image=change")
    becomes_true(page, "document.activeElement.id === 'reference'")
    becomes_true(page, UNCOVERED)
