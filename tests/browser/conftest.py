"""A real Chromium on a real installation: hashed static files, granian, worker and sandbox.

One installation serves the whole lane, all workers of pytest-xdist at once: tests work in teams that no other worker
knows. What stops the server or counts what all visitors do lies in `alone`. Whatever a page complains about (console,
script errors, CSP) fails the test that had it open, unless the test names it.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.processes import wait_until
from tests.support.running import Running, for_browsers
from tests.support.visitor import Visitor

WATCH_CSP = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}

FOCUS_SHOWS = """() => {
  const here = document.activeElement;
  const near = [here, here.nextElementSibling, here.closest("label"), here.closest(".drop")];
  return near.some((one) => one && getComputedStyle(one).outlineStyle !== "none");
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The installation of the lane, or for a run by hand one of its own."""
    if told := os.environ.get("PLAYGROUND_TEST_INSTALLATION"):
        yield Running.known(told)
        return
    running = for_browsers(tmp_path_factory.mktemp("browser"))
    running.prepared()
    try:
        yield running.ready_to_order()
    finally:
        running.remove()


@dataclass
class People:
    """Who is signed in. Each is admin of a team of their own, unless another is named.

    `prefix` stands before the names of people and teams, in lower case: other workers have other people.
    """

    up: Running
    prefix: str = ""
    known: dict[str, Visitor] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """The name that the installation knows."""
        return self.prefix + name

    def link(self, name: str, team: str = "") -> str:
        email = f"{self.named(name)}@example.com"
        return self.up.command("signin_link", email, "--team", self.named(team or name), "--role", "admin").strip()

    def get(self, name: str) -> Visitor:
        if name not in self.known:
            self.known[name] = Visitor(self.up.url).sign_in(self.link(name))
        return self.known[name]


@pytest.fixture(scope="session")
def people(up: Running) -> People:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return People(up, prefix=worker and f"{worker}-")


@dataclass
class Watch:
    """What the pages of a context complained about; `expected` are parts of lines that the test provokes."""

    lines: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def on(self, context: BrowserContext) -> None:
        context.add_init_script(WATCH_CSP)
        context.on("console", lambda line: self.lines.append(line.text) if line.type in ("error", "warning") else None)
        context.on("weberror", lambda error: self.lines.append(str(error.error)))

    def unexpected(self) -> list[str]:
        return [line for line in self.lines if not any(part in line for part in self.expected)]


@pytest.fixture
def watch() -> Watch:
    return Watch()


Visit = Callable[..., Page]


@pytest.fixture
def visit(chromium: Browser, up: Running, people: People, watch: Watch) -> Iterator[Visit]:
    """`visit("/create/", who="bo", **context options)`: a page in a browser of that person, or of nobody."""
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/create/", *, who: str = "", **options: Any) -> Page:
        context = chromium.new_context(base_url=up.url, **options)
        contexts.append(context)
        watch.on(context)
        if who:
            context.add_cookies(people.get(who).cookies())
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert watch.unexpected() == []


def becomes(page: Page, expression: str, *, within: float = 30) -> None:
    """Playwright's own waiting needs `eval` in the page, which the CSP forbids."""
    wait_until(lambda: page.evaluate(expression), within=within, what=expression)


def ready_card(page: Page, prompt: str, *, within: float = 60) -> Any:
    """The card of `prompt`, once it says Ready."""
    card = page.locator(".job", has_text=prompt).first
    card.locator(".job__word", has_text="Ready").wait_for(timeout=within * 1000)
    return card


def jpeg(size: tuple[int, int] = (320, 180), *, kind: str = "JPEG") -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, kind)
    return file.getvalue()


def picture(name: str = "harbour.jpg", mime: str = "image/jpeg", data: bytes | None = None) -> Any:
    return {"name": name, "mimeType": mime, "buffer": jpeg() if data is None else data}


def stays(page: Page) -> None:
    """Mark the document; `still_there` tells that no navigation happened since."""
    page.evaluate("window.stayed = true")


def still_there(page: Page) -> bool:
    return bool(page.evaluate("window.stayed === true"))


@pytest.fixture(scope="session")
def filled(people: People) -> dict[str, str]:
    """A team with two finished videos, a failed one and one in the trash; addresses by name."""
    who = people.get("filled")
    prompts = ("A ringed planet", "Lost [[sandbox:fail]] fog", "Old pier", "A quiet harbour in the morning")
    for number, prompt in enumerate(prompts):
        shot = ("harbour.jpg", "image/jpeg", jpeg()) if number == 3 else None
        assert who.order(prompt, seconds=2, picture=shot).status == 303
    done = r'data-status="(done|failed)"'
    wait_until(lambda: len(who.ask("/create/").values(done)) == 4, within=90, what="four ended videos")
    made = who.ask("/create/").values(r'<a href="(/videos/[0-9a-f-]{36}/)">([^<]+)</a></h3>')
    by_prompt = {prompt: address for address, prompt in made}
    carried = {"team": people.named("filled"), "video": by_prompt["Old pier"].split("/")[2], "next": "/gallery/"}
    assert who.post("/videos/trash/", carried, page=who.ask("/gallery/")).status in (302, 303)
    run = who.ask("/runs/").values(r'href="(/runs/[0-9a-f-]{36}/)"')[0]
    return {"video": by_prompt[prompts[3]], "other": by_prompt[prompts[0]], "run": run}
