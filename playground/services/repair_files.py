"""Videos whose file is gone: fetched again where the gateway still has it, else marked, so that the pages say it."""

from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from playground.gateway.errors import GatewayError
from playground.gateway.types import JobState
from playground.media import storage
from playground.media.boxes import BadVideo
from playground.models import Video
from playground.services import gateways

if TYPE_CHECKING:
    from playground.services.repair import Finding, InTime

log = structlog.get_logger(__name__)

NEWEST = 1_000
"""Videos that a periodic run looks at; `manage.py repair` looks at all."""


def missing(*, now: datetime, dry_run: bool, newest_only: bool, in_time: "InTime") -> "Iterator[Finding]":
    """One finding for each video whose file has gone or come back since it was last looked at."""
    from playground.services.repair import Finding

    rows = Video.objects.kept().select_related("team", "generation__gateway").order_by("-id")
    for video in takewhile(in_time, rows[:NEWEST] if newest_only else rows.iterator(chunk_size=500)):
        try:
            done = _put_right(video, now=now, dry_run=dry_run, ask=not newest_only)
        except storage.StoreUnavailable as error:
            yield Finding("files of rows", "the media store", str(error))
            return
        if done:
            yield Finding("file missing", f"video {video.id}", done, video.team)


def _put_right(video: Video, *, now: datetime, dry_run: bool, ask: bool) -> str:
    """What was done, in words; "" when there was nothing to do. One that is marked is asked for only by hand."""
    if storage.exists(video.key):
        return _back(video, dry_run=dry_run)
    if video.missing_at is not None and not ask:
        return ""
    if dry_run:
        return "" if video.missing_at else "its file is gone"
    if _fetched(video):
        Video.objects.filter(id=video.id).update(missing_at=None)
        return "fetched again from the gateway"
    if video.missing_at is not None:
        return ""
    Video.objects.filter(id=video.id).update(missing_at=now)
    return "the gateway no longer has it either; marked as gone"


def _back(video: Video, *, dry_run: bool) -> str:
    pictures = not storage.exists(video.poster_key) or bool(video.preview_key and not storage.exists(video.preview_key))
    if video.missing_at is None and not pictures:
        return ""
    if not dry_run:
        Video.objects.filter(id=video.id).update(missing_at=None)
        if pictures and not _drawn_from_store(video):
            return ""
    return "its pictures were gone; drawn again" if pictures else "it is back"


def _drawn_from_store(video: Video) -> bool:
    with storage.temporary(".mp4") as copy:
        with storage.open(video.key) as source, copy.open("wb") as sink:
            while block := source.read(1024 * 1024):
                sink.write(block)
        return _draw(video, copy)


def _draw(video: Video, file: Path) -> bool:
    from playground.media import stills

    with storage.temporary(".webp") as poster, storage.temporary(".mp4") as preview:
        try:
            stills.poster(file, poster)
            stills.preview(file, preview)
        except BadVideo as error:
            log.warning("pictures_not_drawn", video=str(video.id), why=str(error))
            return False
        storage.adopt(poster, video.poster_key)
        if video.preview_key:
            storage.adopt(preview, video.preview_key)
    return True


def _fetched(video: Video) -> bool:
    """Download it again under the same key. Only the very same bytes are taken for it: nothing else was looked at."""
    generation = video.generation
    if generation is None or not generation.upstream_id:
        return False
    with storage.temporary(".mp4") as file:
        try:
            with gateways.client_for(generation.gateway) as client, file.open("wb") as sink:
                job = client.retrieve(generation.upstream_id)
                if job.state is not JobState.COMPLETED or job.output is None:
                    return False
                downloaded = client.download(job, sink)
        except (GatewayError, gateways.GatewayNotConfigured) as error:
            log.info("file_not_fetched_again", video=str(video.id), why=str(error)[:200])
            return False
        if (downloaded.size_bytes, downloaded.sha256) != (video.size_bytes, video.sha256):
            log.warning("file_fetched_again_is_another", video=str(video.id))
            return False
        if not storage.exists(video.poster_key) or not storage.exists(video.preview_key or video.poster_key):
            _draw(video, file)
        storage.adopt(file, video.key)
    return True
