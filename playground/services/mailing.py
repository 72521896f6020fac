"""Handing a mail to the mail server, and what is said when it does not take it.

There are two kinds of failure. When the *server* fails (away, hangs, refuses our login or sender), no mail goes out to
anybody, so the page may say so to whoever asks: every page on which a stranger types an address mails known and unknown
addresses alike, so the answer tells nothing of an account. When the server refuses *this mail* (its recipient, or its
text), the answer hangs on the address, and on which of two texts was written to it. A page for strangers then shows its
usual words; a page of somebody who is signed in, and wrote the address for that, says it.

Nobody hands a mail over inside a transaction, which would hold rows, on SQLite all writes, for as long as the server
is slow (tests/views/test_mails_and_transactions.py walks all that mails).

Either way there is one line at level error, without address or link, and `/readyz` says so until a mail is taken again.
"""

from smtplib import SMTPDataError, SMTPException, SMTPRecipientsRefused
from threading import BoundedSemaphore

import structlog
from django.core.cache import cache
from django.core.mail import EmailMessage

log = structlog.get_logger(__name__)

AT_ONCE = 6
"""Mails that a process hands over at the same time; each holds a thread for as long as the server is slow."""
PLACE_S = 1.0
"""Seconds that one more waits for its turn; a server that works takes a mail in less."""
FAILING = "mail.failing"
REMEMBERED_S = 7 * 24 * 3600


class NotMailed(Exception):
    """The mail was not taken. `is_refusal`: the server works, and refused this mail."""

    def __init__(self, *, is_refusal: bool) -> None:
        super().__init__()
        self.is_refusal = is_refusal


_places = BoundedSemaphore(AT_ONCE)


def send(message: EmailMessage, *, what: str) -> None:
    """Send it. Raises NotMailed, after a line in the log that says `what` it was; at once where as many as may be are
    being handed over.
    """
    if not _places.acquire(timeout=PLACE_S):
        log.error("not_mailed", what=what, why="many at once", code=None, is_refusal=False)
        raise NotMailed(is_refusal=False)
    try:
        _handed_over(message, what)
    finally:
        _places.release()


def _handed_over(message: EmailMessage, what: str) -> None:
    try:
        message.send()
    except (SMTPException, OSError, UnicodeError) as error:
        is_refusal = isinstance(error, SMTPRecipientsRefused | SMTPDataError | UnicodeError)
        log.error("not_mailed", what=what, why=type(error).__name__, code=_code(error), is_refusal=is_refusal)
        if not is_refusal:
            cache.set(FAILING, type(error).__name__, REMEMBERED_S)
        raise NotMailed(is_refusal=is_refusal) from error
    if cache.get(FAILING):
        cache.delete(FAILING)


def failing() -> str:
    """What the mail server did to the last mail, as the name of an error; empty when it took it."""
    return str(cache.get(FAILING) or "")


def _code(error: Exception) -> int | None:
    """The number that the server answered with. Its words are not ours to log: they name the address."""
    if isinstance(error, SMTPRecipientsRefused):
        return next((code for code, _words in error.recipients.values()), None)
    return getattr(error, "smtp_code", None)
