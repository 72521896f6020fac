"""A mail server that is slow or hangs: the whole conversation about a mail has one end, `EMAIL_TIMEOUT` seconds away.

Python's client waits so long for each piece of an answer. A server that sends a line now and then would hold the
request of a person for as long as it likes, and with a few of these a web process.
"""

import smtplib
import socket
import time
from contextlib import suppress
from threading import Timer
from typing import Any

from django.core.mail.backends import smtp


class Client(smtplib.SMTP):
    """Hangs up at the end, whatever is being waited for then."""

    _line: socket.socket | None = None
    _end: Timer | None = None

    def _get_socket(self, host: Any, port: Any, timeout: Any) -> socket.socket:
        began = time.monotonic()
        found: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]
        # A second handle: encryption takes the first one over.
        self._line = found.dup()
        self._end = Timer(max(0.0, timeout - (time.monotonic() - began)), self._hang_up)
        self._end.daemon = True
        self._end.start()
        return found

    def connect(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        try:
            return super().connect(*args, **kwargs)
        except Exception:
            self.close()
            raise

    def _hang_up(self) -> None:
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._end is not None:
            self._end.cancel()
        if self._line is not None:
            self._line.close()
        super().close()


class EncryptedClient(smtplib.SMTP_SSL, Client):
    """The order matters: the end is set before the first word of the encryption."""


class EmailBackend(smtp.EmailBackend):
    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return EncryptedClient if self.use_ssl else Client

    def open(self) -> bool | None:
        """Django leaves the socket of a server that refused the login to the garbage collector."""
        try:
            return super().open()
        except Exception:
            for client in (self.connection, getattr(self, "_partial_connection", None)):
                if client is not None:
                    client.close()
            self.connection = None
            raise
