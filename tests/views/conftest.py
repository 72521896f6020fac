"""People for the tests of pages: a member, an admin of the same team, a member of another one; and their browsers."""

import threading

import pytest
from django.test import Client

from playground.models import Membership, Role
from tests import factories
from tests.support.processes import wait_until


class MemberClient(Client):
    """A browser whose forms carry the team they were made in, as those of the pages do."""

    team = ""

    def post(self, path, data=None, *args, **kwargs):
        return super().post(path, {"team": self.team, **(data or {})}, *args, **kwargs)


@pytest.fixture
def member(db) -> Membership:
    return factories.make_member()


@pytest.fixture
def admin(member) -> Membership:
    return factories.make_member(team=member.team, role=Role.ADMIN)


@pytest.fixture
def viewer(member) -> Membership:
    return factories.make_member(team=member.team, role=Role.VIEWER)


@pytest.fixture
def stranger(db) -> Membership:
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def browser_of():
    """A browser that a member is signed in with; `htmx=True` sends what htmx sends."""

    def browser(membership: Membership | None = None, *, htmx: bool = False) -> Client:
        headers = {"HX-Request": "true", "HX-Request-Type": "partial"} if htmx else {}
        client = MemberClient(headers=headers)
        if membership:
            client.team = membership.team.slug
            client.force_login(membership.user)
        return client

    return browser


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages are drawn without `collectstatic`; the hashed names are the business of the browser lane."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def page(chromium, live_server, admin, browser_of):
    context = chromium.new_context(base_url=live_server.url)
    session = browser_of(admin).cookies["session"].value
    context.add_cookies([{"name": "session", "value": session, "url": live_server.url}])
    page = context.new_page()
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda line: page.complaints.append(line.text) if line.type == "error" else None)
    yield page
    complaints = page.complaints
    context.close()
    # A question of the page that is answered after the test would write rows into the next one's tables.
    wait_until(lambda: not asked(), within=20, what="requests of a closed page")
    assert complaints == []


def asked() -> bool:
    """Whether the live server is answering; it has a thread for each connection."""
    return any("process_request_thread" in thread.name for thread in threading.enumerate())


def becomes_true(page, expression: str) -> None:
    """Playwright's own wait needs `eval` in the page, which the CSP forbids."""
    wait_until(lambda: page.evaluate(expression), within=20, what=expression)
