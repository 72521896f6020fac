"""Every page: axe without a finding in both themes, nothing on the console, no sideways scroll on a phone."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from tests.browser.conftest import PHONE, becomes

THEMES = ("light", "dark")
PAGES = {
    "sign-in": ("", "/account/login/"),
    "create empty": ("newcomer", "/create/"),
    "create with an example": ("newcomer", "/create/?example=2"),
    "create with jobs": ("filled", "/create/"),
    "create with an image model": ("filled", "/create/?model=veo-3.1-fast"),
    "create needs an image": ("filled", "/create/?model=p-video-avatar"),
    "gallery empty": ("newcomer", "/gallery/"),
    "gallery filled": ("filled", "/gallery/"),
    "gallery choosing": ("filled", "/gallery/?select=1"),
    "gallery without a match": ("filled", "/gallery/?shape=9:16"),
    "favourites empty": ("filled", "/gallery/?favourite=1"),
    "collections empty": ("newcomer", "/collections/"),
    "new collection": ("filled", "/collections/new/"),
    "video": ("filled", "video"),
    "runs": ("filled", "/runs/"),
    "runs empty": ("newcomer", "/runs/"),
    "run": ("filled", "run"),
    "trash": ("filled", "/trash/"),
    "trash empty": ("newcomer", "/trash/"),
    "gateway": ("filled", "/team/gateways/"),
    "limits": ("filled", "/spend/limits/"),
    "notices": ("filled", "/notices/"),
    "style page": ("filled", "/styleguide/"),
    "password": ("filled", "/account/password/change/"),
    "sign-out": ("filled", "/account/logout/"),
    "switched off": ("", "/account/inactive/"),
    "not found": ("filled", "/nothing-here/"),
    "an ended link": ("", "/sign-in/no-such-link/"),
}
ANSWERED = {"not found": "status of 404", "an ended link": "status of 410"}


COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
"""All that a theme changes."""


LOOK = "(options) => axe.run({resultTypes: ['violations'], ...options}).then((found) => found.violations)"
"""What is fine is neither described nor sent: it is by far the most."""


def findings(page, **options) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(LOOK, options)
    return [f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]]


FADES = """document.getAnimations().some(
  (one) => one.playState === "running" && one.effect.getTiming().iterations !== Infinity)"""


def settled(page) -> None:
    """Pictures are there and nothing fades any more, so that colours are final."""
    becomes(page, "document.readyState === 'complete'")
    becomes(page, f"!({FADES})")


def is_wider_than_the_screen(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.fixture
def address(filled):
    return lambda name: filled.get(PAGES[name][1], PAGES[name][1])


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_either_theme_and_360_pixels_never_scroll_sideways(visit, watch, address, name) -> None:
    watch.expected += [ANSWERED[name]] if name in ANSWERED else []
    page = visit(address(name), who=PAGES[name][0], color_scheme="light")
    settled(page)
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    settled(page)
    assert findings(page, **COLOURS) == []
    page.set_viewport_size(PHONE["viewport"])
    settled(page)
    assert not is_wider_than_the_screen(page)


@pytest.mark.parametrize("name", ["create with jobs", "gallery filled", "video", "run"])
def test_targets_for_fingers_fit_into_360_pixels(visit, address, name: str) -> None:
    """A screen that is touched has taller controls."""
    page = visit(address(name), who=PAGES[name][0], **PHONE)
    settled(page)
    assert not is_wider_than_the_screen(page)
    if name == "create with jobs":
        assert findings(page) == []


def test_one_time_link_and_refused_form_have_no_finding(visit, watch, people) -> None:
    watch.expected.append("status of 422")
    page = visit(people.link("linked"), color_scheme="dark")
    assert findings(page) == []
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url("**/create/")
    page.locator("#generate", has_text="Generate").click()
    page.locator("#prompt-error").wait_for()
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        settled(page)
        assert findings(page) == [], theme


def test_menus_and_dialogs_have_no_finding(visit) -> None:
    page = visit("/create/", who="filled")
    page.locator(".picker__face").click()
    page.locator("summary[aria-label='Account and settings']").click()
    settled(page)
    assert findings(page) == []
    page.keyboard.press("Escape")
    page.locator("[data-shortcuts]").click()
    assert findings(page) == []


def test_style_that_the_policy_refuses_is_noticed(visit, watch) -> None:
    """All tests here rely on it. Playwright's own screenshots leave an empty `style` on inputs, which htmx copies to
    the inputs of its next answer, and the policy refuses that: take them with caret="initial".
    """
    page = visit("/account/login/")
    page.evaluate("document.getElementById('main').setAttribute('style', 'color: red')")
    becomes(page, "document.readyState === 'complete'")
    assert any("CSP: style-src-attr" in line for line in watch.unexpected())
    watch.expected += ["CSP: style-src-attr", "inline style violates"]


STATIC_FILES = """[...document.querySelectorAll("link[rel=stylesheet], script[src]")].map(
  (element) => element.href || element.src)"""


def test_static_files_carry_a_hash_and_are_kept_for_good(visit, up, people) -> None:
    page = visit("/create/", who="filled")
    files = page.evaluate(STATIC_FILES)
    assert len(files) > 8
    for file in files:
        answer = people.get("filled").ask(file)
        assert answer.status == 200, file
        assert "immutable" in answer.headers["Cache-Control"], file


def test_reduced_motion_has_no_moving_stripe(visit, people) -> None:
    people.get("still").order("Never ends [[sandbox:stuck]]", seconds=1)
    page = visit("/create/", who="still", reduced_motion="no-preference")
    moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
    becomes(page, f"document.querySelector('.job .stripe') && {moving} > 0")
    page.emulate_media(reduced_motion="reduce")
    becomes(page, f"{moving} === 0")
    assert page.locator(".job .stripe").count() == 1
