"""A limit that the kernel keeps for the server's connections: how long a client may take nothing of its answer.

The server has none, and makes its listening socket itself after the program was loaded, so that one is looked for among
the open files of the process. Connections take the option over from it. Linux only.

No descriptor is opened, copied or closed for it: closing any of a file drops the locks that SQLite holds on that file.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

UNREAD_S = 120
LOOK_EVERY_S = 0.05
LOOKS = 1200


def limit_unread_once_listening() -> threading.Thread:
    """Waits for the listening socket in a thread of its own, for a minute at most."""
    looking = threading.Thread(target=_look, name="listeners", daemon=True)
    looking.start()
    return looking


def _look() -> None:
    over = threading.Event()
    for _ in range(LOOKS):
        if limit_unread() or over.wait(LOOK_EVERY_S):
            return


def limit_unread(seconds: int = UNREAD_S) -> int:
    """Connections accepted from now on break off when nothing is taken for so long. How many sockets listen here.

    One in a folder counts, but needs no limit: what is behind it is on this machine.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return 0
    done = 0
    for found in _sockets():
        if not _listens(found):
            continue
        if found.family in (socket.AF_INET, socket.AF_INET6):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
        done += 1
    return done


def _sockets() -> Iterator[socket.socket]:
    """Those of the process itself, each until the next one is asked for."""
    for name in os.listdir("/dev/fd"):
        with suppress(OSError):  # no socket, or closed meanwhile
            found = socket.socket(fileno=int(name))
            try:
                yield found
            finally:
                found.detach()


def _listens(found: socket.socket) -> bool:
    return found.type == socket.SOCK_STREAM and bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
