"""Every page that a link leads to, opened in a real browser: none breaks the content security policy."""

from urllib.parse import urlsplit

import pytest
from django.urls import resolve

from playground.models import Role
from tests import factories
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTEN = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
INJECTED = """
() => {
  const script = document.createElement("script");
  script.textContent = "window.ran = true";
  document.body.append(script);
  const box = document.createElement("div");
  box.innerHTML = '<p style="color: red" onclick="1">x</p><img src="https://evil.example/x.png">';
  document.body.append(box);
}
"""
SEEN = """
() => ({
  violations: window.violations,
  links: [...document.querySelectorAll("a[href]")].filter((a) => !a.download).map((a) => a.href),
  wide: document.documentElement.scrollWidth > innerWidth,
})
"""
FILES = (".export", "download", "_recovery_codes")
"""Ends of the names of addresses that a browser saves instead of showing, or that only a fresh proof opens."""
SKIPPED = {"spend.export", "media.video", "media.download", "media.poster", "media.preview", "media.reference"}


def kind_of(url: str) -> str:
    try:
        return resolve(urlsplit(url).path).view_name or url
    except Exception:  # an address of none of our pages: a page of its own here, the one for what is not found
        return "nothing"


def crawl(page, start: list[str], base: str) -> dict[str, dict]:
    """Each kind of page once, and what it said; `start` and all that links lead to."""
    waiting, seen = [base + path for path in start], {}
    while waiting:
        url = waiting.pop(0)
        kind = kind_of(url)
        if kind in seen or kind in SKIPPED or kind.endswith(FILES) or not url.startswith(base + "/"):
            continue
        page.goto(url)
        page.wait_for_load_state("load")
        for menu in page.locator("details > summary").all():
            if menu.is_visible():
                menu.click()
                menu.page.keyboard.press("Escape")  # a menu covers what stands below it
        seen[kind] = page.evaluate(SEEN)
        waiting += seen[kind]["links"]
    return seen


@pytest.fixture
def with_rows(admin):
    model = factories.make_model("kling-v3", gateway=factories.make_gateway(slug="sandbox", is_default=True))
    factories.make_video(by=admin, model=model)
    factories.make_generation(by=admin, model=model, status="running", upstream_id="video_1")
    factories.make_generation(by=admin, model=model, status="unknown")


def test_no_page_breaks_the_policy(page, admin, with_rows, live_server):
    page.add_init_script(LISTEN)
    page.set_viewport_size({"width": 360, "height": 740})
    seen = crawl(page, ["/", "/styleguide/", "/unclear/", "/trash/", "/account/password/change/"], live_server.url)
    assert {kind: said["violations"] for kind, said in seen.items() if said["violations"]} == {}
    assert [kind for kind, said in seen.items() if said["wide"]] == []
    assert {"create.index", "gallery.index", "videos.detail", "runs.index", "spend.index", "limits.index"} <= set(seen)
    assert {"team.index", "audit.index", "collections.index", "sharing.video", "account.index"} <= set(seen)
    page.complaints[:] = [words for words in page.complaints if "404" not in words]


def test_pages_of_visitors_and_refusals_do_not_either(chromium, live_server, db):
    factories.make_member(role=Role.ADMIN)
    with chromium.new_context(base_url=live_server.url) as context:
        page = context.new_page()
        page.add_init_script(LISTEN)
        for path in ("/account/login/", "/sign-in/x/", "/welcome/x/", "/nothing/", "/videos/x/", "/account/logout/"):
            page.goto(path)
            assert page.evaluate("window.violations") == [], path


def test_policy_stops_what_is_injected_and_the_listener_hears_it(page):
    page.add_init_script(LISTEN)
    page.goto("/gallery/")
    page.evaluate(INJECTED)
    becomes_true(page, "window.violations.length >= 3")
    assert page.evaluate("window.ran") is None
    page.complaints.clear()


def test_signing_out_forgets_what_was_typed_and_shows_no_page_on_the_way_back(page, with_rows):
    page.goto("/create/")
    page.fill("#prompt", "A secret heron")
    becomes_true(page, "Object.keys(localStorage).some((key) => key.startsWith('draft:'))")
    page.evaluate("localStorage.setItem('theme', 'dark')")
    page.goto("/account/logout/")
    page.click("main button[type=submit]")
    page.wait_for_url("**/account/login/**")
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "heron" not in kept
    assert "draft:" not in kept
    assert '"theme":"dark"' in kept
    page.go_back()
    page.wait_for_url("**/account/login/**")
    page.go_back()
    page.wait_for_url("**/account/login/**")
    assert "A secret heron" not in page.content()
