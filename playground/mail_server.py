"""A mail server that is slow or hangs: the whole conversation about a mail has one end, `EMAIL_TIMEOUT` seconds away.

Python's client waits so long for each answer of the server. One that takes nearly as long for each of ten answers would
hold the request of a person for minutes, and with a few of these a web process.
"""

import smtplib
import time
from typing import Any

from django.core.mail.backends import smtp


class _Bounded:
    """Mixed into a client of smtplib: every answer has to come before the end."""

    def __init__(self, *args: Any, timeout: float, **kwargs: Any) -> None:
        self._ends_at = time.monotonic() + timeout
        super().__init__(*args, timeout=timeout, **kwargs)  # type: ignore[call-arg]

    def getreply(self) -> tuple[int, bytes]:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            self.close()  # type: ignore[attr-defined]
            raise smtplib.SMTPServerDisconnected("The mail server took too long.")
        if self.sock is not None:  # type: ignore[attr-defined]
            self.sock.settimeout(left)  # type: ignore[attr-defined]
        answer: tuple[int, bytes] = super().getreply()  # type: ignore[misc]
        return answer


class Client(_Bounded, smtplib.SMTP):
    pass


class EncryptedClient(_Bounded, smtplib.SMTP_SSL):
    pass


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
