"""The pages around signing in, with mail and with what went wrong: axe, both themes, a phone, no complaint."""

import re

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import expect

from playground.models import Heartbeat
from playground.services import people
from tests import factories
from tests.browser.conftest import PHONE, WATCH_CSP
from tests.browser.test_pages import THEMES, findings, is_wider_than_the_screen, settled
from tests.views.test_account import with_mail  # noqa: F401  a fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("with_mail")]

SIGN_IN, CODE, RESET = "/account/login/", "/account/login/code/", "/account/password/reset/"
PAGES = {
    "sign-in with mail": SIGN_IN,
    "code": CODE,
    "forgotten": RESET,
    "forgotten, sent": f"{RESET}done/",
    "forgotten, ended": f"{RESET}key/abc-def/",
    "forgotten, set": f"{RESET}key/done/",
    "switched off": "/account/inactive/",
}


@pytest.fixture
def open_page(chromium, live_server, browser_of):
    """Opens a page for somebody or nobody, on a wide screen or a phone. A complaint but of a status fails the test."""
    cache.clear()
    Heartbeat.objects.create(name="worker", at=timezone.now())
    complaints, contexts = [], []

    def open_it(path: str, who=None, **options):
        context = chromium.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        context.add_init_script(WATCH_CSP)
        context.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        if who:
            session = browser_of(who).cookies["session"].value
            context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
        page = context.new_page()
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert [line for line in complaints if "the server responded with a status of" not in line] == []


def assert_fine(page) -> None:
    page.set_viewport_size(PHONE["viewport"])
    assert not is_wider_than_the_screen(page)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        settled(page)
        assert findings(page) == [], theme


def send(page, **values: str) -> None:
    for name, value in values.items():
        page.fill(f"main [name={name}]", value)
    with page.expect_navigation():
        page.locator("main form [type=submit]").first.click()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_fine(open_page, name):
    factories.make_user()
    assert_fine(open_page(PAGES[name]))


def test_welcome_and_its_refusal_are_fine(open_page):
    page = open_page(people.first_admin_link(""))
    assert_fine(page)
    send(page, name="Ada", team_name="Studio", email="ada", password="short")
    assert page.locator(".field__error").count() >= 1
    assert_fine(page)


def test_refused_sign_in_is_fine_and_goes_on_at_the_password(open_page):
    factories.make_user("a@example.com")
    page = open_page(SIGN_IN)
    for _ in range(6):
        send(page, login="a@example.com", password="wrong")
        expect(page.locator("[name=password]")).to_be_focused()
    assert page.get_by_role("alert").inner_text().startswith("Too many tries. Wait 1 minute,")
    assert page.input_value("[name=login]") == "a@example.com"
    assert_fine(page)


def test_code_and_a_wrong_one_are_fine(open_page, mailoutbox):
    member = factories.make_member()
    page = open_page(CODE)
    send(page, email=member.user.email)
    page.wait_for_url("**/login/code/confirm/")
    assert_fine(page)
    send(page, code="WRONG1")
    assert page.locator(".field__error").count() == 1
    assert_fine(page)
    send(page, code=re.search(r"^[A-Z0-9]{3,}-[A-Z0-9]{3,}$", mailoutbox[0].body, re.MULTILINE)[0])
    page.wait_for_url("**/create/")


def test_password_set_and_refused_are_fine(open_page):
    member = factories.make_member()
    member.user.set_unusable_password()
    member.user.save()
    page = open_page("/account/password/set/", member)
    assert_fine(page)
    send(page, password1="short", password2="other")
    assert page.locator(".field__error").count() >= 1
    assert_fine(page)


def test_person_without_a_team_and_error_pages_are_fine(open_page):
    member = factories.make_member()
    page = open_page("/nothing-here/", member)
    assert_fine(page)
    member.delete()
    page.goto("/create/")
    assert page.get_by_role("heading", name="You are in no team yet.").is_visible()
    assert_fine(page)


def test_toast_says_what_a_refused_press_met(open_page):
    """htmx swaps no error into the page: the words come as a toast, from the server."""
    member = factories.make_member()
    page = open_page("/styleguide/", member)
    post = """(prompt) => htmx.ajax("POST", "/create/price/", {source: "#main", target: "#main", values: {prompt}})"""
    page.evaluate(post, "x" * 2_000_000)
    page.locator("[data-toast]", has_text="too large to send").wait_for()
