"""nginx in front of an installation, with the very configuration that docs/operations.md gives."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.packages import apt_install
from tests.support.processes import free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]
PLACES = "/usr/sbin:/usr/local/sbin"


class NoNginx(Exception):
    """Why there is none, as one line."""


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path=PLACES)


def ensure_nginx() -> str:
    """As `find_nginx`; where there is none, Debian's package when root."""
    reason = "" if find_nginx() else apt_install("nginx-light")
    found = find_nginx()
    if found is None:
        raise NoNginx(f"no nginx: {reason}")
    return found


def documented(*, port: int, upstream: int, media: Path) -> str:
    """The server block of docs/operations.md on free ports, without TLS, over this media folder."""
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(server \{.*?\n\})\n```", text, re.DOTALL)
    assert found is not None, "docs/operations.md has lost its nginx configuration"
    block = found[1]
    for documented_words, here in (
        ("listen 443 ssl;", f"listen 127.0.0.1:{port};"),
        ("server_name videos.example.com;", "server_name localhost;"),
        ("http://127.0.0.1:8000;", f"http://127.0.0.1:{upstream};"),
        ("alias /var/lib/playground/media/;", f"alias {media}/;"),
    ):
        assert documented_words in block, f"docs/operations.md no longer says {documented_words}"
        block = block.replace(documented_words, here)
    return block


@contextmanager
def serving(folder: Path, server: str, *, port: int) -> Iterator[int]:
    """nginx with this server block until the end; everything it writes lies below `folder`. Yields the port."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log;"
        f" {'user root;' if os.geteuid() == 0 else ''}"
        f" events {{ worker_connections 512; }} http {{ access_log {folder}/access.log; sendfile on;"
        f" keepalive_requests 1000000; {kinds}\n{server}\n}}"
    )
    process = subprocess.Popen([ensure_nginx(), "-c", str(config), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), within=20, what="nginx")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield port
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def in_front_of(folder: Path, *, upstream: int, media: Path, port: int | None = None) -> Iterator[int]:
    """The documented nginx before a web process on `upstream`; yields the port that browsers use."""
    port = port or free_port()
    with serving(folder, documented(port=port, upstream=upstream, media=media), port=port):
        yield port


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
