"""The bytes behind a share link: only of its videos, only while it is open, and after its password if it has one."""

from functools import partial
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from playground.media.serve import Guest, serve_media
from playground.media.watching import Watch
from playground.models import ShareLink, Video
from playground.services import sharing
from playground.views.holders import HolderRequest, for_holders, is_unlocked, video_of
from playground.views.media import CONTENT_TYPES
from playground.views.shared_things import file_name

KEPT_S = 60
"""By the browser, before it asks again whether it may."""


def _guest(link: ShareLink) -> Guest:
    end = link.expires_at
    left = (end - timezone.now()).total_seconds() if end else None
    return Guest(seconds_left=None if left is None else max(1, int(left)))


def _watch(link: ShareLink, video: Video) -> Watch:
    return Watch(partial(sharing.still_shows, link=link, video=video), link=str(link.id), video=str(video.id))


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
        may_go_on=_watch(request.link, video),
        guest=_guest(request.link),
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
