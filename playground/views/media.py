"""The bytes of videos and reference images, for members of their team. What is in the trash stays visible to them."""

from functools import partial
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from playground.media.serve import serve_media
from playground.media.watching import Watch
from playground.models import Reference, Video
from playground.services import sessions
from playground.views.access import MemberRequest, for_members
from playground.views.video_facts import download_name

CONTENT_TYPES = {".webp": "image/webp", ".jpg": "image/jpeg", ".png": "image/png", ".webm": "video/webm"}


def _video(request: MemberRequest, id: UUID) -> Video:
    return get_object_or_404(
        Video.objects.visible_to(request.membership).select_related("generation", "generation__model"), id=id
    )


def _content_type(key: str, default: str) -> str:
    return next((kind for ending, kind in CONTENT_TYPES.items() if key.endswith(ending)), default)


def _watch(request: MemberRequest, thing: Video | Reference) -> Watch:
    by, among = request.membership, type(thing)._default_manager.all().visible_to(request.membership)
    key = str(request.session.session_key)
    look = partial(sessions.still_sees, by=by, session_key=key, among=among, id=thing.id)
    return Watch(look, member=str(by.id), file=str(thing.id))


def _serve(request: MemberRequest, video: Video, key: str, *, kind: str, name: str | None = None) -> HttpResponseBase:
    """The ETag is the checksum of the video; what was made from it is told apart by the name of the variant."""
    content_type = video.content_type if key == video.key else _content_type(key, "video/mp4")
    return serve_media(
        request,
        key,
        content_type=content_type,
        etag=video.sha256 + kind,
        last_modified=video.created_at,
        download_name=name,
        may_go_on=_watch(request, video),
    )


@require_safe
@for_members
def video(request: MemberRequest, id: UUID) -> HttpResponseBase:
    found = _video(request, id)
    return _serve(request, found, found.key, kind="")


@require_safe
@for_members
def poster(request: MemberRequest, id: UUID) -> HttpResponseBase:
    found = _video(request, id)
    return _serve(request, found, found.poster_key, kind="-poster")


@require_safe
@for_members
def preview(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """The small muted loop for hovering; 404 where none was made."""
    found = _video(request, id)
    if not found.preview_key:
        raise Http404("this video has no preview")
    return _serve(request, found, found.preview_key, kind="-preview")


@require_safe
@for_members
def download(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """The file itself under a name that says when, with which model and from which words it was made."""
    found = _video(request, id)
    return _serve(request, found, found.key, kind="", name=download_name(found))


@require_safe
@for_members
def reference(request: MemberRequest, id: UUID) -> HttpResponseBase:
    found = get_object_or_404(Reference.objects.visible_to(request.membership), id=id)
    return serve_media(
        request,
        found.key,
        content_type=found.content_type,
        etag=found.sha256,
        last_modified=found.created_at,
        may_go_on=_watch(request, found),
    )


@require_safe
@for_members
def reference_thumb(request: MemberRequest, id: UUID) -> HttpResponseBase:
    found = get_object_or_404(Reference.objects.visible_to(request.membership), id=id)
    return serve_media(
        request,
        found.thumb_key,
        content_type="image/webp",
        etag=f"{found.sha256}-thumb",
        last_modified=found.created_at,
        may_go_on=_watch(request, found),
    )
