"""What the web server's processes run: `playground.wsgi` behind a gate for bodies.

A body is read before a thread is taken, and only where some view could want it: one that is longer than any form may be
is left unread, and Django refuses it by its announced length.
"""

import io
import re
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import IO

import structlog
from django.conf import settings
from django.db import connections
from django.utils.translation import gettext as _

from playground.clients import address_in
from playground.front.bodies import Bodies, Gone, Message, Receive, Refused, TooSlow
from playground.front.bridge import Bridge, Environ, Send, environ_of, head_of
from playground.front.sockets import limit_unread_once_listening
from playground.upload_handlers import MAX_BODY_BYTES
from playground.wsgi import application as program

log = structlog.get_logger(__name__)

LENGTH = re.compile("[0-9]{1,15}")
"""What is longer is too long, or no number that Python would make of it."""
RETRY_AFTER_S = 5
LINE_EVERY_S = 10.0

_refused = 0
_told_at = -LINE_EVERY_S

bodies = Bodies(settings.FILE_UPLOAD_TEMP_DIR, stretch_s=settings.BODY_SECONDS)
bridge = Bridge(program, threads=settings.WEB_THREADS, at_end=connections.close_all)
limit_unread_once_listening()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    environ = environ_of(scope)
    try:
        async with _body(environ, receive) as body:
            await bridge.answer(environ, body, receive, send)
    except Gone:
        await _end(send, 400, _("The request ended before all of it had come."))
    except Refused as refused:
        _tell(refused)
        await _refuse(send, refused)


def _tell(refused: Refused) -> None:
    """One line in LINE_EVERY_S at most: a flood of requests is no flood of lines."""
    global _refused, _told_at
    _refused += 1
    now = time.monotonic()
    if now - _told_at >= LINE_EVERY_S:
        log.warning(
            "request_refused",
            kind=type(refused).__name__,
            status=refused.status,
            reason=str(refused),
            since_last_line=_refused,
        )
        _refused, _told_at = 0, now


def _body(environ: Environ, receive: Receive) -> AbstractAsyncContextManager[IO[bytes]]:
    if not _wanted(environ):
        return nullcontext(io.BytesIO())
    return bodies.read(receive, client=address_in(environ), length=int(environ["CONTENT_LENGTH"]))


def _wanted(environ: Environ) -> bool:
    """Whether any view may read it: Django takes no body without a length, and has a limit for each kind."""
    length = environ.get("CONTENT_LENGTH", "")
    if environ["REQUEST_METHOD"] != "POST" or not LENGTH.fullmatch(length) or int(length) == 0:
        return False
    is_form_with_files = environ.get("CONTENT_TYPE", "").lower().startswith("multipart/form-data")
    return int(length) <= (MAX_BODY_BYTES if is_form_with_files else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


async def _refuse(send: Send, refused: Refused) -> None:
    if isinstance(refused, TooSlow):
        await _end(send, refused.status, _("This came too slowly and was given up. Try again."))
        return
    words = _("Too much is asked for at once. Try again in a moment.")
    await _end(send, refused.status, words, ("Retry-After", str(RETRY_AFTER_S)))


async def _end(send: Send, status: int, words: str, *more: tuple[str, str]) -> None:
    """The rest of the body stays unread, so the connection ends with the answer."""
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close"), ("Cache-Control", "no-store")]
    await send(head_of(status, [*headers, *more]))
    await send({"type": "http.response.body", "body": words.encode()})
