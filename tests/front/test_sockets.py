"""Connections that take over a listener's limit."""

import socket

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
