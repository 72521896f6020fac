"""With nginx in front, set up as docs/operations.md says, the web process decides and nginx sends the bytes."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import nginx
from tests.support.processes import free_port, wait_until
from tests.support.running import Running
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    front = {"MEDIA_ACCEL_PREFIX": "/stored/", "TRUST_PROXY": "true", "PUBLIC_URL": f"http://localhost:{port}"}
    running = Running(folder / "up", SANDBOX_JOB_SECONDS="0", **front)
    running.prepared()
    media = Path(running.variables["PLAYGROUND_DATA"]) / "media"
    try:
        running.ready_to_order()
        with nginx.in_front_of(folder / "nginx", upstream=running.port, media=media, port=port):
            yield running
    finally:
        running.remove()


def address(up: Running) -> str:
    return up.variables["PUBLIC_URL"]


def someone(up: Running, name: str, team: str) -> Visitor:
    link = up.command("signin_link", f"{name}@example.com", "--team", team, "--role", "admin").strip()
    return Visitor(address(up)).sign_in(urlsplit(link).path)


@pytest.fixture(scope="module")
def ana(up: Running) -> Visitor:
    return someone(up, "ana", "studio")


@pytest.fixture(scope="module")
def video(up: Running, ana: Visitor) -> str:
    """The path of a finished video's bytes."""
    answer = ana.order("A harbour at dawn")
    assert answer.status in (302, 303), answer.text[:500]
    wait_until(lambda: up.query("SELECT count(*) FROM playground_video") == [(1,)], within=60, what="a video")
    page = ana.ask("/gallery/").values(r"/videos/([0-9a-f-]{36})/")[0]
    return f"/media/videos/{page}/"


def stored(up: Running) -> tuple[str, bytes]:
    (key,) = up.query("SELECT key FROM playground_video")[0]
    return key, (Path(up.variables["PLAYGROUND_DATA"]) / "media" / key).read_bytes()


def test_nginx_sends_whole_files_and_ranges_with_every_header(up, ana, video):
    data = stored(up)[1]
    whole = ana.ask(video)
    assert (whole.status, whole.body) == (200, data)
    part = ana.ask(video, Range="bytes=100-299")
    assert (part.status, part.body) == (206, data[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(data)}"
    for answer in (whole, part):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["Content-Type"] == "video/mp4"
    assert ana.ask(f"{video}download/").headers["Content-Disposition"].startswith('attachment; filename="')


def test_web_process_sends_no_byte_of_a_video_itself(up, ana, video):
    direct = Visitor(f"http://127.0.0.1:{up.port}")
    direct.jar = ana.jar
    session = "; ".join(f"{cookie.name}={cookie.value}" for cookie in ana.jar)
    answer = direct.ask(video, Cookie=session, Host=urlsplit(address(up)).netloc)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["X-Accel-Redirect"] == f"/stored/{stored(up)[0]}"
    assert "X-Accel-Redirect" not in ana.ask(video).headers


def test_who_may_not_see_it_gets_nothing_from_nginx_either(up, video):
    assert Visitor(address(up)).ask(video).status == 302
    assert someone(up, "otto", "others").ask(video).status == 404


def test_place_of_the_files_is_no_address(up, ana, video):
    assert ana.ask(f"/stored/{stored(up)[0]}").status == 404
