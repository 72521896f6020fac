"""Sending stored bytes to a browser: Range requests, conditional requests, headers, and a bound on streams.

The caller has already decided that this viewer may see this file; nothing here knows about people. There are three ways
out, by setting: our own reader (default), an empty answer with `X-Accel-Redirect` for a reverse proxy
(MEDIA_ACCEL_PREFIX), or a redirect to a signed link when the media store is remote.

With a proxy, nginx takes over Range and validators and passes on only Content-Type, Content-Disposition, Cache-Control,
Expires, Accept-Ranges and Set-Cookie of our answer: its internal location has to add SECURITY_HEADERS itself.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from urllib.parse import quote

from django.conf import settings
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date, parse_http_date_safe
from django.utils.translation import gettext as _

from playground.media import storage
from playground.media.ranges import ByteRange, RangeNotSatisfiable, parse_range
from playground.media.streams import BLOCK_BYTES, FileSlice, StreamSlots

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DEFAULT_STREAMS = 32
DEFAULT_MAX_AGE = 300
SMALL_FILE_BYTES = 256 * 1024
RETRY_AFTER_SECONDS = 2
# A player asks the link that it was sent to again for every seek, so it has to outlive a viewing; whoever it is handed
# on to can use it for as long.
SIGNED_URL_SECONDS = 3600
# What a stranger was sent to outlives a revoked link by no more than this.
GUEST_URL_SECONDS = 300

slots = StreamSlots()


def release_connections() -> None:
    """Give this thread's database connections back; a transaction that is still open keeps its own."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


@dataclass(frozen=True, slots=True)
class Guest:
    """A viewer without an account, who leaves a quarter of the streams to members.

    A signed link lives for `seconds_left` at most.
    """

    seconds_left: int | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """One stored file as it goes out. `etag` is the SHA-256 of the bytes in hex, so it is a strong validator."""

    key: str
    content_type: str
    etag: str
    last_modified: datetime
    download_name: str | None = None
    max_age: int = DEFAULT_MAX_AGE
    may_go_on: Callable[[], bool] | None = None
    guest: Guest | None = None

    @property
    def quoted_etag(self) -> str:
        return f'"{self.etag}"'

    @property
    def disposition(self) -> str:
        return content_disposition(self.download_name)

    @property
    def modified_seconds(self) -> int:
        return int(self.last_modified.timestamp())

    def headers(self) -> dict[str, str]:
        """What every answer that carries or describes the bytes says about them."""
        return {
            **SECURITY_HEADERS,
            "Content-Type": self.content_type,
            "Content-Disposition": self.disposition,
            "Accept-Ranges": "bytes",
            "ETag": self.quoted_etag,
            "Last-Modified": http_date(self.modified_seconds),
            "Cache-Control": f"private, max-age={self.max_age}, must-revalidate",
            "Vary": "Cookie",
        }


def serve_media(
    request: HttpRequest,
    key: str,
    *,
    content_type: str,
    etag: str,
    last_modified: datetime,
    download_name: str | None = None,
    max_age: int = DEFAULT_MAX_AGE,
    may_go_on: Callable[[], bool] | None = None,
    guest: Guest | None = None,
    release: Callable[[], None] = release_connections,
) -> HttpResponseBase:
    """The answer to GET or HEAD for one stored file; the route has to refuse other methods.

    200, 206, 304, 412 or 416 as RFC 9110 asks; several ranges or a malformed one are answered with the whole file. 503
    with Retry-After when MEDIA_STREAMS streams run in this process already. `download_name` makes it an attachment.
    `release` is called in the sending thread before the first byte, `may_go_on` before each block: where that says no,
    the connection is broken off. Raises Http404 when the file is gone.
    """
    media = Media(key, content_type, etag, last_modified, download_name, max_age, may_go_on, guest)
    path = storage.local_path(key)
    if path is None:
        return _remote(request, media)
    prefix: str = getattr(settings, "MEDIA_ACCEL_PREFIX", "") or ""
    if prefix:
        return _accelerated(media, prefix)
    try:
        file = path.open("rb", buffering=0)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise Http404("the media file is gone") from error
    return _local(request, media, file, release)


def content_disposition(download_name: str | None) -> str:
    """`inline`, or `attachment` with a name of RFC 6266: plain ASCII for old programs, UTF-8 for the rest."""
    if download_name is None:
        return "inline"
    name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', "_", download_name).strip(" .")[:150] or "download"
    plain = re.sub(r"[^A-Za-z0-9._ ()-]+", "_", name)
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{extended}'


def _local(request: HttpRequest, media: Media, file: BinaryIO, release: Callable[[], None]) -> HttpResponseBase:
    """Owns `file`: it is closed here unless a streaming answer takes it over."""
    handed_over = False
    try:
        size = os.fstat(file.fileno()).st_size
        bare = HttpResponse(headers=media.headers())
        bare.headers["Content-Length"] = str(size)
        conditional = get_conditional_response(request, media.quoted_etag, media.modified_seconds, bare)
        if conditional is not bare or request.method == "HEAD":
            return _described(conditional, media)
        try:
            part = _wanted(request, media, size)
        except RangeNotSatisfiable:
            return _unsatisfiable(media, size)
        answer = _body(media, file, part, size, release)
        handed_over = isinstance(answer, StreamingHttpResponse)
        return answer
    finally:
        if not handed_over:
            file.close()


def _described(answer: HttpResponseBase | None, media: Media) -> HttpResponseBase:
    assert answer is not None
    for name, value in SECURITY_HEADERS.items():
        answer.headers[name] = value
    return answer


def _wanted(request: HttpRequest, media: Media, size: int) -> ByteRange | None:
    header = request.headers.get("Range")
    if header is None or not _if_range_holds(request.headers.get("If-Range"), media):
        return None
    return parse_range(header, size)


def _if_range_holds(header: str | None, media: Media) -> bool:
    """Whether the part the client holds is of these very bytes: the strong ETag, or exactly our date."""
    if header is None:
        return True
    value = header.strip()
    if value.startswith(('"', "W/")):
        return value == media.quoted_etag
    return parse_http_date_safe(value) == media.modified_seconds


def _unsatisfiable(media: Media, size: int) -> HttpResponse:
    answer = HttpResponse(status=416, headers={**SECURITY_HEADERS, "Cache-Control": "no-store", "Vary": "Cookie"})
    answer.headers["Content-Range"] = f"bytes */{size}"
    answer.headers["Accept-Ranges"] = "bytes"
    answer.headers["Content-Length"] = "0"
    return answer


def _body(
    media: Media, file: BinaryIO, part: ByteRange | None, size: int, release: Callable[[], None]
) -> HttpResponseBase:
    headers = media.headers()
    status, start, length = 200, 0, size
    if part is not None:
        status, start, length = 206, part.start, part.length
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    headers["Content-Length"] = str(length)
    file.seek(start)
    if size < SMALL_FILE_BYTES:
        return HttpResponse(_read_all(file, length), status=status, headers=headers)
    if not slots.take(_streams(media.guest)):
        return _busy()
    body = FileSlice(
        file, length, on_start=release, on_close=slots.give_back, block_size=BLOCK_BYTES, may_go_on=media.may_go_on
    )
    return StreamingHttpResponse(body, status=status, headers=headers)


def _streams(guest: Guest | None) -> int:
    most: int = getattr(settings, "MEDIA_STREAMS", DEFAULT_STREAMS)
    return most if guest is None else max(1, most * 3 // 4)


def _read_all(file: BinaryIO, length: int) -> bytes:
    """A raw file may return less than asked; a loop makes it whole."""
    data = bytearray()
    while len(data) < length:
        block = file.read(length - len(data))
        if not block:
            raise OSError(f"the media file ended {length - len(data)} bytes early")
        data += block
    return bytes(data)


def _busy() -> HttpResponse:
    answer = HttpResponse(
        _("Too many videos are being watched at once. Try again in a moment."),
        status=503,
        content_type="text/plain; charset=utf-8",
    )
    answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _accelerated(media: Media, prefix: str) -> HttpResponse:
    """The proxy sends the file, with its own length and validators."""
    headers = media.headers()
    for name in ("ETag", "Last-Modified", "Accept-Ranges"):
        del headers[name]
    headers["X-Accel-Redirect"] = f"{prefix.rstrip('/')}/{quote(media.key)}"
    return HttpResponse(headers=headers)


def _remote(request: HttpRequest, media: Media) -> HttpResponseBase:
    """A signed link is made for one method, GET; HEAD is answered from here."""
    if request.method == "HEAD":
        try:
            size = storage.size(media.key)
        except FileNotFoundError as error:
            raise Http404("the media file is gone") from error
        answer = HttpResponse(headers=media.headers())
        answer.headers["Content-Length"] = str(size)
        return answer
    seconds = SIGNED_URL_SECONDS
    if media.guest:
        seconds = min(GUEST_URL_SECONDS, media.guest.seconds_left or GUEST_URL_SECONDS)
    url = storage.signed_url(media.key, seconds, content_type=media.content_type, disposition=media.disposition)
    assert url is not None
    return HttpResponseRedirect(url, headers={"Cache-Control": "private, no-store", "Vary": "Cookie"})
