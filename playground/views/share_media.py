"""The bytes behind a share link: only of its videos, only while it is open, and after its password if it has one."""

import time
from uuid import UUID

import structlog
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from playground.media.serve import Guest, release_connections, serve_media
from playground.models import ShareLink, Video
from playground.services import sharing
from playground.views.holders import HolderRequest, for_holders, is_unlocked, video_of
from playground.views.media import CONTENT_TYPES
from playground.views.shared_things import file_name

log = structlog.get_logger(__name__)

KEPT_S = 60
"""By the browser, before it asks again whether it may."""
LOOK_AGAIN_S = 2.0
"""While a file is being sent: how soon a revoked link stops it."""


class Watch:
    """Asked before each block of a file; looks into the database now and then."""

    def __init__(self, link: ShareLink, video: Video) -> None:
        self._link, self._video = link, video
        self._look_at = time.monotonic() + LOOK_AGAIN_S

    def __call__(self) -> bool:
        if time.monotonic() < self._look_at:
            return True
        try:
            shows = sharing.still_shows(link=self._link, video=self._video)
        finally:
            release_connections()
            self._look_at = time.monotonic() + LOOK_AGAIN_S
        if not shows:
            log.info("shared_file_broken_off", link=str(self._link.id), video=str(self._video.id))
        return shows


def _guest(link: ShareLink, video: Video) -> Guest:
    end = link.expires_at
    left = (end - timezone.now()).total_seconds() if end else None
    return Guest(may_go_on=Watch(link, video), seconds_left=None if left is None else max(1, int(left)))


def _found(request: HolderRequest, id: UUID) -> Video:
    if not is_unlocked(request):
        raise Http404("its password was not said")
    return video_of(request, id)


def _serve(
    request: HolderRequest, video: Video, key: str, content_type: str, *, kind: str, name: str | None = None
) -> HttpResponseBase:
    return serve_media(
        request,
        key,
        content_type=content_type,
        etag=video.sha256 + kind,
        last_modified=video.created_at,
        download_name=name,
        max_age=KEPT_S,
        guest=_guest(request.link, video),
    )


def _kind_of(key: str) -> str:
    return next((kind for ending, kind in CONTENT_TYPES.items() if key.endswith(ending)), "video/mp4")


@require_safe
@for_holders
def video(request: HolderRequest, id: UUID) -> HttpResponseBase:
    found = _found(request, id)
    return _serve(request, found, found.key, found.content_type, kind="")


@require_safe
@for_holders
def poster(request: HolderRequest, id: UUID) -> HttpResponseBase:
    found = _found(request, id)
    return _serve(request, found, found.poster_key, _kind_of(found.poster_key), kind="-poster")


@require_safe
@for_holders
def preview(request: HolderRequest, id: UUID) -> HttpResponseBase:
    found = _found(request, id)
    if not found.preview_key:
        raise Http404("this video has no preview")
    return _serve(request, found, found.preview_key, _kind_of(found.preview_key), kind="-preview")


@require_safe
@for_holders
def download(request: HolderRequest, id: UUID) -> HttpResponseBase:
    if not request.link.allows_download:
        raise Http404("this link allows no download")
    found = _found(request, id)
    return _serve(request, found, found.key, found.content_type, kind="", name=file_name(request.link, found))
