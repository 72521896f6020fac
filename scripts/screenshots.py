"""Makes the pictures in docs/images from the running product.

Starts everything with `manage.py up` in a throw-away data folder, signs in by the printed welcome link, makes a few
videos in the sandbox through the form, and photographs Create, the gallery and a video in both themes, and Create on a
phone.

    ./scripts/screenshots [folder]
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.chromium import ARGUMENTS, ensure_chromium  # noqa: E402

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
EMPTY = ("LUMENFALL_API_KEY", "GATEWAY_BASE_URL", "GATEWAY_API_KEY", "GATEWAY_DIALECT")
THEMES = ("light", "dark")
READY_WITHIN = 180.0
VIDEO_WITHIN = 120.0
JOB_SECONDS = "25"
"""Long enough for one to be still on its way while the pictures of Create are taken."""
# Prompt, shape.
VIDEOS = (
    ("Rain on a neon city street at night, reflections in the puddles", "16:9"),
    ("A lone balloon over desert dunes at golden hour", "16:9"),
    ("Northern lights above a quiet pine forest in the snow", "9:16"),
    ("A ringed planet rising behind a mountain ridge", "16:9"),
    ("Gulls over a stormy sea, long slow waves", "1:1"),
    ("A harbour at dawn, fishing boats leaving in a line, soft fog over the water", "16:9"),
)
SHOWN = "A harbour at dawn"
RUNNING = "A paper lantern drifting over a still lake at dusk"
MODEL = "kling-v3"
TYPED = "A glass greenhouse in the rain, slow push in, warm light from inside"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def product(data: Path) -> Iterator[str]:
    """The welcome link of a fresh installation that runs while the block does."""
    port = free_port()
    environment = os.environ | {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "SANDBOX_PORT": str(free_port()),
        "PUBLIC_URL": f"http://localhost:{port}",
        "PLAYGROUND_DATA": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'playground.sqlite3'}",
        "SANDBOX_JOB_SECONDS": JOB_SECONDS,
        "SANDBOX_PROFILE": "lumenfall",
        "WEB_THREADS": "16",
        "DEBUG": "false",
        **dict.fromkeys(EMPTY, ""),
    }
    up = subprocess.Popen(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        yield welcome_link(up)
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(timeout=30)


def welcome_link(up: subprocess.Popen[str]) -> str:
    """Reads what `up` prints, for as long as it prints, and returns the address after "First admin:"."""
    links: Queue[str | None] = Queue()

    def read() -> None:
        assert up.stdout is not None
        for line in up.stdout:
            sys.stderr.write(line)
            if line.startswith("First admin: "):
                links.put(line.removeprefix("First admin: ").strip())
        links.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        link = links.get(timeout=READY_WITHIN)
    except Empty:
        raise SystemExit(f"screenshots: not ready after {READY_WITHIN:.0f} s") from None
    if link is None:
        raise SystemExit("screenshots: it ended without a welcome link")
    return link


def until(condition: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + VIDEO_WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"screenshots: {what} did not happen within {VIDEO_WITHIN:.0f} s")
        time.sleep(0.25)


def welcome(page: Page, link: str) -> str:
    """Makes the first account. Returns the address of the installation."""
    page.goto(link)
    page.fill("[name=name]", "Admin")
    page.fill("[name=team_name]", "Studio")
    page.fill("[name=email]", "robin@example.org")
    page.fill("[name=password]", secrets.token_urlsafe(16))
    page.click("main button[type=submit]")
    page.wait_for_url("**/create/")
    return page.url.removesuffix("/create/")


def choose(page: Page, name: str, value: str) -> None:
    """Presses a chip, if this model has it and it is not chosen already."""
    box = page.locator(f"input[name={name}][value='{value}']")
    if box.count() and not box.is_checked():
        with page.expect_response("**/create/price/"):
            page.locator("label.chip", has=box).click()


def order(page: Page, prompt: str, shape: str) -> None:
    before = page.locator("#jobs article").count()
    page.fill("#prompt", prompt)
    choose(page, "shape", shape)
    page.locator("#generate:enabled", has_text="$").click()
    until(lambda: page.locator("#jobs article").count() > before, what="the order's card")


def ready(page: Page) -> int:
    return page.locator("#jobs article[data-status=done]").count()


def make_videos(page: Page, base: str) -> None:
    """All of VIDEOS finished, and RUNNING on its way."""
    page.goto(f"{base}/create/?model={MODEL}")
    for prompt, shape in VIDEOS:
        order(page, prompt, shape)
    until(lambda: ready(page) == len(VIDEOS), what="the last of the videos")
    order(page, RUNNING, "16:9")
    running = page.locator("#jobs article[data-status=running]")
    until(lambda: running.count() == 1, what="the running card")


def settle(page: Page) -> None:
    """Waits until the fonts are there and every picture in view has been decoded and painted."""
    page.wait_for_load_state()
    page.evaluate(
        "async () => { await document.fonts.ready;"
        " const seen = [...document.images].filter((image) => {"
        "   const box = image.getBoundingClientRect(); return box.top < innerHeight && box.bottom > 0; });"
        " await Promise.all(seen.map((image) => { image.loading = 'eager'; return image.decode(); }));"
        " for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame); }"
    )


def photograph(page: Page, path: Path) -> None:
    settle(page)
    page.screenshot(path=path, animations="disabled", caret="initial")
    with Image.open(path) as picture:
        picture.convert("RGB").save(path, optimize=True)
    sys.stdout.write(f"{path}\n")


def viewer(browser: Browser, state: Path, *, theme: str, phone: bool = False) -> BrowserContext:
    return browser.new_context(
        storage_state=state,
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        viewport=PHONE if phone else DESK,  # type: ignore[arg-type]
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
    )


def create_page(page: Page, base: str) -> None:
    page.goto(f"{base}/create/?model={MODEL}")
    page.fill("#prompt", TYPED)
    page.locator("#prompt").blur()


def detail_page(page: Page, base: str) -> None:
    """One wide video, stopped after its first second."""
    page.goto(f"{base}/gallery/")
    page.locator("[data-tile-link]", has_text=SHOWN).click()
    page.wait_for_selector("video")
    page.evaluate(
        "async () => { const video = document.querySelector('video');"
        " const once = (name) => new Promise((done) => video.addEventListener(name, done, { once: true }));"
        " video.muted = true; video.preload = 'auto';"
        " if (video.readyState < 1) { const there = once('loadedmetadata'); video.load(); await there; }"
        " const there = once('seeked'); video.currentTime = 1; await there;"
        " if (video.readyState < 4) await once('canplaythrough'); }"
    )
    page.wait_for_timeout(1000)  # the player fades its own "loading" sign out, without an event for it


def take_all(browser: Browser, state: Path, base: str, folder: Path) -> None:
    """Create first, while a video is still being made."""
    for theme in THEMES:
        with viewer(browser, state, theme=theme) as context:
            page = context.new_page()
            create_page(page, base)
            photograph(page, folder / f"create-{theme}.png")
    with viewer(browser, state, theme="light", phone=True) as context:
        page = context.new_page()
        create_page(page, base)
        photograph(page, folder / "create-phone.png")
    for theme in THEMES:
        with viewer(browser, state, theme=theme) as context:
            page = context.new_page()
            page.goto(f"{base}/gallery/")
            photograph(page, folder / f"gallery-{theme}.png")
            detail_page(page, base)
            photograph(page, folder / f"detail-{theme}.png")


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0]) if arguments else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="playground-pictures-") as name,
        product(Path(name)) as link,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=ensure_chromium(), headless=True, args=ARGUMENTS)
        context = browser.new_context(viewport=DESK, reduced_motion="reduce")  # type: ignore[arg-type]
        page = context.new_page()
        base = welcome(page, link)
        make_videos(page, base)
        state = Path(name) / "signed-in.json"
        context.storage_state(path=state)
        take_all(browser, state, base, folder)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
