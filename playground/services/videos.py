"""What is done with finished videos: name, trash, bring back, delete for good."""

from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import IntegrityError, transaction
from django.utils import timezone

from playground.media import storage
from playground.models import Membership, SearchDocument, Video

log = structlog.get_logger(__name__)


def rename(*, by: Membership, video: Video, title: str) -> None:
    """Give it a title of at most 200 characters; an empty one takes the title away."""
    with transaction.atomic():
        Video.objects.visible_to(by).filter(id=video.id).update(title=title.strip()[:200])
        video.refresh_from_db(fields=["title"])
        SearchDocument.objects.update_or_create(
            video=video, defaults={"team_id": video.team_id, "text": f"{video.title}\n{video.prompt}"}
        )


def trash(*, by: Membership, videos: Iterable[Video], now: datetime | None = None) -> int:
    """Move to the trash; returns how many moved."""
    ids = [video.id for video in videos]
    rows = Video.objects.visible_to(by).kept().filter(id__in=ids)
    return rows.update(trashed_at=now or timezone.now(), trashed_by=by.user)


def restore(*, by: Membership, videos: Iterable[Video], now: datetime | None = None) -> int:
    """Bring back from the trash; returns how many. The team's time for old videos begins anew for them."""
    ids = [video.id for video in videos]
    back = {"trashed_at": None, "trashed_by": None, "restored_at": now or timezone.now()}
    return Video.objects.visible_to(by).trashed().filter(id__in=ids).update(**back)


def purge(*, by: Membership, videos: Iterable[Video]) -> int:
    """Delete trashed videos for good, rows first, then files; returns how many. What is not in the trash stays."""
    ids = [video.id for video in videos]
    return purge_rows(Video.objects.visible_to(by).trashed().filter(id__in=ids))


def purge_rows(videos: Iterable[Video]) -> int:
    """Delete those of `videos` that are in the trash; one that something else still needs is passed over."""
    count = 0
    for video in videos:
        try:
            with transaction.atomic():
                deleted, _ = Video.objects.filter(id=video.id, trashed_at__isnull=False).delete()
        except IntegrityError:
            log.warning("video_needed_by_something_else", video=str(video.id))
            continue
        if deleted:
            count += 1
            storage.forget(video.key, video.poster_key, video.preview_key)
    return count
