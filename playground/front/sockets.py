"""A limit that the kernel keeps for the server's connections: how long a client may take nothing of its answer.

The server has none, and makes its listening socket itself after the program was loaded, so that one is looked for among
the open files of the process. Connections take the option over from it. Linux only.
"""

import os
import socket
import stat
import threading
from collections.abc import Iterator

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
    """Connections accepted from now on break off when nothing is taken for so long. How many sockets listen here."""
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        return 0
    done = 0
    for listener in _listeners():
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, seconds * 1000)
        done += 1
    return done


def _listeners() -> Iterator[socket.socket]:
    """Each is closed when the next one is asked for; the process keeps its own."""
    for name in os.listdir("/dev/fd"):
        try:
            copy = os.dup(int(name))
        except OSError:
            continue  # closed meanwhile, as that of the listing itself
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            continue
        with socket.socket(fileno=copy) as found:
            if found.family in (socket.AF_INET, socket.AF_INET6) and _listens(found):
                yield found


def _listens(found: socket.socket) -> bool:
    return found.type == socket.SOCK_STREAM and bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
