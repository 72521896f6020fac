"""Connections that take over a listener's limit."""

import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from playground.front.sockets import limit_unread, limit_unread_once_listening

pytestmark = pytest.mark.pure


def limit_of(one: socket.socket) -> int:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def test_connections_of_a_listener_that_was_found_have_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as other:
        assert limit_unread(7) >= 1
        assert limit_of(other) == 0
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert limit_of(accepted) == 7000


def test_a_listener_that_comes_later_is_found() -> None:
    with socket.socket() as later:
        later.bind(("127.0.0.1", 0))
        looking = limit_unread_once_listening()
        later.listen()
        looking.join(10)
        assert not looking.is_alive()


def test_a_listener_in_a_folder_ends_the_search(tmp_path: Path) -> None:
    before = limit_unread()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "web.sock"))
        listener.listen()
        assert limit_unread() == before + 1


WRITES = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], timeout=0.1)
try:
    other.execute("INSERT INTO t VALUES (2)")
except sqlite3.OperationalError as error:
    sys.exit(str(error))
"""


def test_the_search_drops_no_lock_of_a_database(tmp_path: Path) -> None:
    """Whoever closes a descriptor of a file, of whatever origin, gives up all locks of the process on it."""
    file = tmp_path / "x.sqlite3"
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO t VALUES (1)")
    limit_unread()
    other = subprocess.run([sys.executable, "-c", WRITES, file], capture_output=True, text=True)
    assert other.stderr == "database is locked\n"
    connection.execute("COMMIT")
    assert connection.execute("SELECT a FROM t").fetchall() == [(1,)]
    connection.close()
