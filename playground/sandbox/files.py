"""Serves finished clips: whole or by Range, no key needed, gone after their time; and the faults a file can have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from .http import ApiError, allow, is_openai
from .job import Job
from .server import Connection
from .state import jobs

CHUNK = 256 * 1024
NOT_A_VIDEO = (
    b"<!doctype html><title>Not a video</title><h1>Not a video</h1>" + b"<p>The sandbox was asked for this.</p>" * 40
)
SPAN = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """The bytes to send: a file up to `size`, or `body`. `breaks_off`: the connection ends halfway."""

    size: int
    path: str = ""
    body: bytes = b""
    content_type: str = "video/mp4"
    breaks_off: bool = False

    def read(self, first: int, length: int) -> Iterator[bytes]:
        if self.body:
            yield self.body[first : first + length]
            return
        with open(self.path, "rb") as file:
            file.seek(first)
            while length > 0 and (chunk := file.read(min(CHUNK, length))):
                length -= len(chunk)
                yield chunk


def delivery(job: Job, index: int = 0) -> Delivery:
    size = job.file_sizes[index]
    if job.fault == "not-video":
        return Delivery(len(NOT_A_VIDEO), body=NOT_A_VIDEO, content_type="text/html")
    if job.fault == "cut-file":
        size = size * 6 // 10
    return Delivery(size, path=str(jobs().file(job, index)), breaks_off=job.fault == "truncated")


def stated_size(job: Job, index: int) -> int:
    """`size_bytes` in the answer, which the wrong-size fault makes wrong."""
    return delivery(job, index).size + (1000 if job.fault == "wrong-size" else 0)


def media(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """`/media/<token>/<name>`: the clip, or its thumbnail as `thumbnail.webp`. 404, 410 after its time, 405."""
    allow(request, "GET", "HEAD")
    job = jobs().by_token(token)
    if job is None or job.outcome != "completed":
        raise ApiError(404, "NOT_FOUND", "No such file")
    if name == "thumbnail.webp":
        return _still(job, "webp", "image/webp")
    match = re.fullmatch(re.escape(job.id) + r"(?:-([2-4]))?\.mp4", name)
    index = int(match[1] or 1) - 1 if match else -1
    if not 0 <= index < job.count:
        raise ApiError(404, "NOT_FOUND", "No such file")
    return send(request, job, index)


def send(request: HttpRequest, job: Job, index: int = 0) -> HttpResponseBase:
    """The clip itself; raises ApiError 410 once its time is over."""
    expires = jobs().expires_at(job)
    if job.purged or expires is None or jobs().now() >= expires:
        raise ApiError(410, "GONE", "This file has expired")
    return _ranged(request, delivery(job, index), etag=f'"{job.media_token}-{index}"')


def content(request: HttpRequest, job: Job, variant: str) -> HttpResponseBase:
    """`/videos/{id}/content` of the openai profile; `variant` is video, thumbnail or spritesheet."""
    if variant not in ("video", "thumbnail", "spritesheet"):
        raise ApiError(400, "INVALID_REQUEST", f"Unknown variant '{variant}'")
    if job.outcome != "completed" or job.fault == "missing-output":
        raise ApiError(404, "NOT_FOUND", "The video has no content yet")
    if variant == "video":
        return send(request, job)
    return _still(job, *{"thumbnail": ("webp", "image/webp"), "spritesheet": ("jpg", "image/jpeg")}[variant])


def _still(job: Job, ending: str, content_type: str) -> HttpResponseBase:
    try:
        return FileResponse(jobs().file(job, ending=ending).open("rb"), content_type=content_type)
    except FileNotFoundError as error:
        raise ApiError(410, "GONE", "This file has expired") from error


def _span(header: str, size: int) -> tuple[int, int] | None:
    """(first, length) for a single byte range, (0, 0) if it cannot be met, None if the header is not one range."""
    match = SPAN.fullmatch(header.replace(" ", ""))
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = min(int(match[2]), size)
        return (size - length, length) if length else (0, 0)
    first, last = int(match[1]), min(int(match[2] or size), size - 1)
    if match[2] and int(match[2]) < first:
        return None
    return (first, last - first + 1) if first < size else (0, 0)


def _ranged(request: HttpRequest, item: Delivery, *, etag: str) -> HttpResponseBase:
    header = request.headers.get("Range", "")
    if request.headers.get("If-Range") not in (None, etag):
        header = ""
    span = _span(header, item.size)
    first, length = span if span is not None else (0, item.size)
    if span == (0, 0):
        response: HttpResponseBase = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{item.size}"
        return response
    if request.method == "HEAD":
        response = HttpResponse(content_type=item.content_type)
    else:
        response = StreamingHttpResponse(_body(request, item, first, length), content_type=item.content_type)
    response["Content-Length"], response["Accept-Ranges"], response["ETag"] = str(length), "bytes", etag
    if span is not None:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{first + length - 1}/{item.size}"
    if is_openai():
        response["Content-Disposition"] = "attachment"
    return response


def _body(request: HttpRequest, item: Delivery, first: int, length: int) -> Iterator[bytes]:
    if not item.breaks_off:
        yield from item.read(first, length)
        return
    yield from item.read(first, length // 2)
    Connection.of(request.META).cut()
