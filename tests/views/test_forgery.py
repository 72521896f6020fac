"""Nothing that changes something can be sent from another site: every address, found by walking the URL patterns."""

import re
import uuid
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver
from django.urls.converters import IntConverter, UUIDConverter

from playground.models import Membership, Role
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

EXEMPT = {"hooks.receive"}
"""What is let in by a signature of its own."""
LONG = "a" * 64


def patterns(found=None) -> Iterator[tuple[str, URLPattern]]:
    """Every pattern with the route that leads to it."""
    for pattern in found if found is not None else get_resolver().url_patterns:
        if isinstance(pattern, URLPattern):
            yield str(pattern.pattern), pattern
        else:
            for route, inner in patterns(pattern.url_patterns):
                yield str(pattern.pattern) + route.removeprefix("^"), inner


def address(route: str, pattern: URLPattern) -> str:
    """An address of the pattern with some value for each of its parts."""
    for name, converter in pattern.pattern.converters.items():
        value = {UUIDConverter: str(uuid.uuid4()), IntConverter: "1"}.get(type(converter), "x")
        route = re.sub(rf"<[^>]*\b{name}>", value, route)
    route = re.sub(r"\(\?P<\w+>[^)]*\)", "x", route)
    return "/" + route.lstrip("^").rstrip("$")


NAMES = [pattern.name for _route, pattern in patterns()]
ADDRESSES = {
    pattern.name if NAMES.count(pattern.name) == 1 else f"{pattern.name} {route}": address(route, pattern)
    for route, pattern in patterns()
}
GUARDED = sorted(set(ADDRESSES) - EXEMPT)
SOME = ("create.index", "members.change", "account_login", "shares.unlock", "team_gateways.key")
"""What an address may differ in is whether it is guarded; what counts as a right token is one middleware's."""


@pytest.fixture
def admin(db) -> Membership:
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def browser(admin) -> Client:
    """With a token, as after opening a page."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin.user)
    client.get("/create/")
    return client


def test_only_the_webhook_takes_what_has_no_token():
    exempt = {pattern.name for _route, pattern in patterns() if getattr(pattern.callback, "csrf_exempt", False)}
    assert exempt == EXEMPT


def test_every_address_is_looked_at():
    assert len(ADDRESSES) == len(list(patterns())) > 50
    assert not [path for path in ADDRESSES.values() if "<" in path or "(" in path]


def let_in(client: Client, fields: dict[str, str], *, names=GUARDED, **given) -> list[str]:
    """The names of the addresses that took the form."""
    return [name for name in names if client.post(ADDRESSES[name], fields, **given).status_code != 403]


def test_form_without_a_token_is_refused_everywhere(browser, admin):
    assert let_in(browser, {"team": admin.team.slug}) == []


@pytest.mark.parametrize("token", ["wrong", "empty", "of another browser"])
def test_form_with_another_token_is_refused(token, browser, admin):
    stale = Client(enforce_csrf_checks=True)
    stale.force_login(admin.user)
    stale.get("/create/")
    value = {"wrong": LONG, "empty": "", "of another browser": stale.cookies["csrf"].value}[token]
    fields = {"team": admin.team.slug, "csrfmiddlewaretoken": value}
    assert let_in(browser, fields, names=SOME) == []


@pytest.mark.parametrize(
    ("origin", "names"),
    [
        ("https://evil.example", GUARDED),
        ("null", SOME),
        ("http://testserver.evil.example", SOME),
        ("http://testserver:1", SOME),
    ],
)
def test_form_of_another_site_is_refused_also_with_a_right_token(origin, names, browser, admin):
    fields = {"team": admin.team.slug, "csrfmiddlewaretoken": browser.cookies["csrf"].value}
    assert let_in(browser, fields, names=names, headers={"Origin": origin}) == []


def test_visitors_without_a_session_are_guarded_alike(db):
    assert let_in(Client(enforce_csrf_checks=True), {}) == []


def test_right_token_from_here_is_let_in(browser, admin):
    fields = {"team": admin.team.slug, "csrfmiddlewaretoken": browser.cookies["csrf"].value}
    assert browser.post("/create/price/", fields, headers={"Origin": "http://testserver"}).status_code == 200


def test_tab_from_before_signing_in_is_told_to_reload_and_loses_nothing(admin):
    browser = Client(enforce_csrf_checks=True)
    browser.get("/account/login/")
    old = browser.cookies["csrf"].value
    fields = {"login": admin.user.email, "password": factories.PASSWORD, "csrfmiddlewaretoken": old}
    assert browser.post("/account/login/", fields).status_code == 302
    sent = {"csrfmiddlewaretoken": old, "team": admin.team.slug, "prompt": "A heron"}
    page = browser.post("/create/", sent)
    assert page.status_code == 403
    assert "Go back and reload the page" in page.text
    silent = browser.post("/create/", sent, headers={"HX-Request": "true"})
    assert silent.status_code == 403
    assert "Reload it: what you typed is kept." in silent.headers["HX-Trigger"]
