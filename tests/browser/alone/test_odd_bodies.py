"""Bodies that stop, crawl or lie about their length, sent to the real server over sockets."""

import os
import socket
from contextlib import suppress
from pathlib import Path

from tests.browser.conftest import jpeg
from tests.support.processes import wait_until


def start(up, people, *, length: str | None, kind: str = "multipart/form-data; boundary=part") -> socket.socket:
    """A connection on which the head of a signed-in upload was sent."""
    who = people.get("odd")
    token = who.ask("/create/").value("csrfmiddlewaretoken")
    lines = ["POST /references/ HTTP/1.1", f"Host: localhost:{up.port}", f"Content-Type: {kind}", "Connection: close"]
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in who.cookies())
    lines += [f"Cookie: {cookies}", f"X-CSRFToken: {token}"]
    lines += [f"Content-Length: {length}"] if length else ["Transfer-Encoding: chunked"]
    connection = socket.create_connection(("127.0.0.1", up.port), timeout=30)
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection


def upload(rest: int = 0) -> bytes:
    """A form with a picture, with so many bytes behind it."""
    head = '--part\r\nContent-Disposition: form-data; name="team"\r\n\r\nodd\r\n--part\r\n'
    head += 'Content-Disposition: form-data; name="reference"; filename="a.jpg"\r\n\r\n'
    return head.encode() + jpeg((800, 600)) + bytes(rest) + b"\r\n--part--\r\n"


def hang_up(connection: socket.socket) -> None:
    """Says that nothing more comes; the server may have closed already."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)


def answer(connection: socket.socket) -> int:
    """The status, or 0 when the server only closed the connection."""
    with connection:
        got = b""
        with suppress(ConnectionResetError):
            while block := connection.recv(65536):
                got += block
    return int(got.split()[1]) if got else 0


def temporary(up) -> list[str]:
    """Files below tmp: those that have a name, and those without one that some process holds open."""
    folder = Path(up.environment["PLAYGROUND_DATA"], "tmp").resolve()
    held = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            held.append(os.readlink(link))
    return [path.name for path in folder.iterdir()] + [name for name in held if name.startswith(f"{folder}/")]


def log(up) -> str:
    return Path(up.environment["PLAYGROUND_DATA"], "logs", "web.log").read_text()


def test_whole_body_is_taken(up, people) -> None:
    connection = start(up, people, length=str(len(upload())))
    connection.sendall(upload())
    assert answer(connection) == 200


def test_body_that_stops_is_refused_and_leaves_no_file(up, people) -> None:
    body = upload(rest=1_000_000)
    connection = start(up, people, length=str(len(body)))
    connection.sendall(body[:-2000])
    wait_until(lambda: temporary(up), within=15, what="the file that is coming in")
    hang_up(connection)
    assert answer(connection) in (0, 400, 422)
    wait_until(lambda: not temporary(up), within=15, what="the temporary file gone")
    assert "request_failed" not in log(up)


def test_visitor_who_hangs_up_leaves_no_file_and_no_fault_in_the_log(up, people) -> None:
    body = upload(rest=1_000_000)
    connection = start(up, people, length=str(len(body)))
    connection.sendall(body[:-2000])
    wait_until(lambda: temporary(up), within=15, what="the file that is coming in")
    connection.close()
    wait_until(lambda: not temporary(up), within=15, what="the temporary file gone")
    assert "request_failed" not in log(up)
    assert "Traceback" not in log(up)


def test_slow_bodies_do_not_hold_up_the_others(up, people) -> None:
    slow = [start(up, people, length="1000000") for _ in range(20)]
    for connection in slow:
        connection.sendall(b"--part\r\n")
    assert people.get("odd").ask("/create/").status == 200
    assert people.get("odd").ask("/healthz").status == 200
    for connection in slow:
        connection.close()
    wait_until(lambda: not temporary(up), what="no temporary file")


def test_lies_about_the_length_are_never_a_fault_of_ours(up, people) -> None:
    for length in ("0", "10", "-1", "abc", "1" * 40):
        connection = start(up, people, length=length)
        connection.sendall(upload()[:200])
        hang_up(connection)
        assert answer(connection) in (0, 400, 413, 422), length
    connection = start(up, people, length=None)
    connection.sendall(b"5\r\n--par\r\nzz\r\n")
    hang_up(connection)
    assert answer(connection) in (0, 400, 422)
    assert "request_failed" not in log(up)
    assert not temporary(up)
