"""Finding a Chromium, and installing Debian's where that is allowed.

The headless shell is preferred: the same engine without the windows of a desktop browser, which `--headless` of the
whole one makes too. A new context takes it a fifth of the time (0.2 against 0.9 s of CPU, Chromium 156).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.packages import apt_install, last_line

SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = [
    "--no-sandbox",  # its own does not start for root or in most containers; we open our own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]
PACKAGES = (SHELL, "fonts-dejavu-core", "fonts-noto-color-emoji")


class NoChromium(Exception):
    """Why there is none, as one line."""


def find_chromium() -> str:
    """$CHROMIUM, a browser on the path, else the one that playwright has downloaded. Installs nothing."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not shutil.which(named):
            raise NoChromium(f"CHROMIUM={named} is not a program")
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    own = _of_playwright()
    if own is None:
        raise NoChromium("no Chromium: set CHROMIUM, or install `chromium` with the package manager")
    return own


def _of_playwright() -> str | None:
    root = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    whole = sorted([*root.glob("chromium-*/chrome-*/chrome"), *root.glob("chromium-*/chrome-mac*/*.app/*/MacOS/*")])
    found = whole + sorted(root.glob("chromium_headless_shell-*/chrome-*/*headless*shell"))
    return str(found[-1]) if found else None


def ensure_chromium() -> str:
    """As `find_chromium`, and where there is no headless shell: Debian's package when root, else what there is, else
    playwright's own download.
    """
    reasons = []
    if os.environ.get("CHROMIUM"):
        return find_chromium()
    if not shutil.which(SHELL):
        reasons.append(_install_with_apt())
    try:
        return find_chromium()
    except NoChromium:
        reasons.append(_install_with_playwright())
    try:
        return find_chromium()
    except NoChromium:
        raise NoChromium("no Chromium, and none could be installed: " + "; ".join(filter(None, reasons))) from None


def _install_with_apt() -> str:
    return apt_install(*PACKAGES)


def _install_with_playwright() -> str:
    done = subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"playwright: {last_line(done.stderr or done.stdout)}"
