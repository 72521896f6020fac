"""Bringing a finished file home, from a place that an answer named.

Nothing about that place is trusted: not its address (egress.py), its length, its type or its patience. The API key goes
along only to the gateway's own `/content`, never to a media host, and not across a redirect to another place.
"""

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO
from urllib.parse import quote, urljoin

import httpx  # noqa: TID251

from playground.gateway.egress import Egress, Resolver, origin
from playground.gateway.errors import Deadline, GatewayError, OutputBad, OutputGone, OutputLength, TooSlow, Unclear
from playground.gateway.types import Downloaded, GatewayConfig, Job
from playground.gateway.wire import Answer, Wire

MAX_HOPS = 3
HEARTBEAT_S = 2.0
_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (403, 404, 410)
CRAWL_S, LEAST_BYTES, DRIP_BYTES = 60.0, 6 * 1024 * 1024, 1024 * 1024
"""A download that brings less than this in a minute (100 KiB a second) crawls, and one that brings less than the last
(17 KiB a second) drips: it gives way to one that waits for its place. Nothing is given up while nobody waits."""
ENDS_SOON = 5
"""Nor one that has all of its bytes within so many more minutes at its pace: a slow line would bring nothing home any
more if what it has brought were thrown away again and again."""
MUCH_LONGER, MUCH_BYTES = 4, 16 * 1024 * 1024
"""A longer file than was told is read to its end, which tells its length: up to so many times that and so many bytes
more.
"""
SLOW_PART = 4
"""One that has brought a quarter of its bytes when its time is over is slow, not endless."""
_PACKINGS = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress")
"""Words for a packed file. What else stands there (`aws-chunked`, `utf-8`, `none`) says nothing of the bytes."""
_WHOLE_RANGE = re.compile(r"bytes 0-([0-9]{1,18})/([0-9]{1,18})")
_UNTOLD = ("", "application/octet-stream", "binary/octet-stream", "application/mp4", "application/x-mp4", "text/plain")
"""Types of a host that does not look into its files, and older names: what is in the file decides."""


def download(
    config: GatewayConfig,
    job: Job,
    sink: BinaryIO,
    *,
    headers: dict[str, str],
    auth: Callable[[httpx.Request], None],
    resolver: Resolver,
    progress: Callable[[int], None] | None = None,
    heartbeat: Callable[[], None] | None = None,
    gives_way: Callable[[bool], bool] | None = None,
) -> Downloaded:
    """See GatewayClient.download."""
    if job.output is None:
        raise OutputGone("The gateway says the video is finished but gives no file.", code="output_missing")
    own = origin(httpx.URL(config.base_url))
    from_content = job.output.url is None
    first = job.output.url or f"{config.base_url}/videos/{quote(job.id, safe='')}/content"
    trusted = config.allow_loopback or (from_content and not config.guarded)
    egress = Egress(exempt=own if trusted else None, resolver=resolver)
    expected = job.output.size_bytes or None
    url = egress.check_url(first)
    pace = _Pace(heartbeat, gives_way)
    with Wire(egress, config.limits.download, on_read=pace) as wire:
        for _ in range(MAX_HOPS + 1):
            request = httpx.Request("GET", url, headers={**headers, "Accept": "video/*, application/octet-stream, */*"})
            if from_content and origin(url) == own:
                auth(request)
            with wire.stream(request) as (head, pieces):
                if head.status not in _REDIRECTS:
                    check_head(head, expected, config.limits.max_download_bytes)
                    pace.length = promised_length(head) or expected
                    return _save(head, pieces, sink, expected, config.limits.max_download_bytes, progress)
                url = egress.check_url(_next_hop(url, head))
    raise OutputBad("The address of the finished file redirects too often.", code="output_redirects")


class _Pace:
    """Looks at each read off the network, those of a head and of what lies between pieces too: a host that drips there
    holds a place as well.

    Calls `heartbeat` at most every two seconds: a long download keeps its claim that way. Raises TooSlow for one that
    crawls and is to give way, never when the rest of its `length` in bytes comes soon.
    """

    def __init__(self, heartbeat: Callable[[], None] | None, gives_way: Callable[[bool], bool] | None) -> None:
        self.length: int | None = None
        self._heartbeat, self._gives_way = heartbeat, gives_way
        self._last = self._minute = time.monotonic()
        self._size = self._before = 0

    def __call__(self, count: int) -> None:
        now = time.monotonic()
        if self._heartbeat is not None and now - self._last >= HEARTBEAT_S:
            self._heartbeat()
            self._last = now
        self._size += count
        if now - self._minute < CRAWL_S:
            return
        brought = self._size - self._before
        ends_soon = self.length is not None and self.length - self._size <= brought * ENDS_SOON
        if (
            brought < LEAST_BYTES
            and not ends_soon
            and self._gives_way is not None
            and self._gives_way(brought < DRIP_BYTES)
        ):
            raise TooSlow("The download is too slow, and others wait.")
        self._minute, self._before = now, self._size


def _next_hop(url: httpx.URL, head: Answer) -> str:
    try:
        return urljoin(str(url), str(head.headers.get("location", "")))
    except ValueError:
        return ""  # refused as no web address


def check_head(head: Answer, expected: int | None, max_bytes: int) -> None:
    """Refuse by status, type, packing and promised length before a byte is stored."""
    if head.status in _GONE:
        raise OutputGone("The link to the finished file no longer works.", status=head.status)
    if head.status != 200 and not _is_whole(head):
        raise status_error(head.status)
    if head.headers.get("content-encoding", "").strip().lower() in _PACKINGS:
        raise OutputBad("The finished file is packed.", code="output_encoded")
    kind = content_type(head)
    if not kind.startswith("video/") and kind not in _UNTOLD:
        raise OutputBad("The finished file is not a video.", code="output_type")
    promised = promised_length(head)
    if (promised or 0) > max_bytes:
        raise OutputBad("The finished file is too large.", code="output_too_large")
    if promised is not None and expected is not None and promised != expected:
        raise _other_length(expected, promised)


def _is_whole(head: Answer) -> bool:
    """A part that is all of it, as some stores answer whoever asks."""
    found = _WHOLE_RANGE.fullmatch(str(head.headers.get("content-range", "")).strip())
    return head.status == 206 and found is not None and int(found[1]) + 1 == int(found[2])


def status_error(status: int) -> GatewayError:
    if status >= 500 or status in (401, 408, 425, 429):
        return Unclear(f"The media host answered with status {status}.", status=status)
    return OutputBad(f"The media host answered with status {status}.", code="output_bad", status=status)


def content_type(head: Answer) -> str:
    return str(head.headers.get("content-type", "")).partition(";")[0].strip().lower()


def promised_length(head: Answer) -> int | None:
    told = head.headers.get("content-length", "")
    return int(told) if told.isascii() and told.isdigit() and len(told) < 19 else None


def _save(
    head: Answer,
    pieces: Iterator[bytes],
    sink: BinaryIO,
    expected: int | None,
    max_bytes: int,
    progress: Callable[[int], None] | None,
) -> Downloaded:
    digest = hashlib.sha256()
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise OutputBad("The finished file is too large.", code="output_too_large")
            if expected is not None and size > expected * MUCH_LONGER + MUCH_BYTES:
                raise OutputBad("The finished file is much longer than was told.", code=OutputLength.default_code)
            digest.update(piece)
            sink.write(piece)
            # fault: half-file
            if progress is not None:
                progress(size)
    except TooSlow:
        raise
    except Deadline:
        length = promised_length(head) or expected
        if length is None or size * SLOW_PART < length:
            raise
        raise Unclear("The file came too slowly to be fetched in time.", code=TooSlow.default_code) from None
    except Unclear as lost:
        received = size if lost.code == "connection_lost" else None
        raise Unclear(
            "The download broke off.", code="download_broken", status=lost.status, received_bytes=received
        ) from None
    if size == 0:
        raise OutputBad("The finished file is empty.", code="output_empty")
    if expected is not None and size != expected:
        raise _other_length(expected, size)
    return Downloaded(size_bytes=size, sha256=digest.hexdigest(), content_type=content_type(head) or "video/mp4")


def _other_length(told: int, came: int) -> OutputLength:
    return OutputLength(
        "The finished file does not have the length the gateway told.", told_bytes=told, came_bytes=came
    )
