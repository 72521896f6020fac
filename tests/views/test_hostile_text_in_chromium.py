"""The hostile corpus before a real parser, with the page's policy switched off: escaping alone has to hold."""

import pytest

from playground.walls import Actor
from tests.views.conftest import becomes_true
from tests.walls import hostile
from tests.walls import world as worlds
from tests.walls.conftest import whole_installation  # noqa: F401 (a fixture)
from tests.walls.test_hostile_text import pages_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]

WATCH = "window.struck = (n) => { window.hit = [...(window.hit ?? []), n]; };"
NOT_DRAWN = {"styleguide.index", "health.readyz", "metrics.index", "account_logout"}


@pytest.fixture
def unguarded(chromium, live_server, whole_installation):  # noqa: F811
    """A browser that obeys no Content-Security-Policy, and what it asked the hostile address for."""
    context = chromium.new_context(base_url=live_server.url, bypass_csp=True)
    context.add_init_script(WATCH)
    asked: list[str] = []
    context.on(
        "request", lambda request: asked.append(request.url) if "/struck/" in request.url.split("?")[0] else None
    )
    yield context, lambda: [url for url in asked if "/struck/" in url.split("?")[0]]
    context.close()


@pytest.mark.parametrize(("round", "actor"), [(0, Actor.ADMIN), (1, Actor.HOLDER)])
def test_nothing_runs_and_nothing_is_asked(unguarded, live_server, round, actor):
    context, asked = unguarded
    world = worlds.make()
    pages = pages_of(world, actor)
    hostile.poison(round)
    if cookie := world.browser(actor).cookies.get("session"):
        context.add_cookies([{"name": "session", "value": cookie.value, "url": live_server.url}])
    page = context.new_page()
    seen = 0
    for name, where in pages:
        if name in NOT_DRAWN or "media." in name or where.endswith(".csv"):
            continue
        answer = page.goto(where, wait_until="load")
        if answer is None or not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        becomes_true(page, "document.readyState === 'complete'")
        assert page.evaluate("window.hit ?? []") == [], name
        assert asked() == [], name
        seen += "struck" in page.content()
    assert seen >= {Actor.ADMIN: 9, Actor.HOLDER: 3}[actor]
