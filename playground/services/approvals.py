"""What the team has approved. Any creator or admin says so and takes it back; the history of the video tells who."""

from datetime import datetime

import structlog
from django.db import transaction
from django.utils import timezone

from playground.models import Event, Membership, Video

log = structlog.get_logger(__name__)


def approve(*, by: Membership, video: Video, now: datetime | None = None) -> bool:
    """Mark it as approved. False where it was already: whoever was first stays named."""
    now = now or timezone.now()
    with transaction.atomic():
        rows = Video.objects.visible_to(by).filter(id=video.id, approved_at__isnull=True)
        if not rows.update(approved_at=now, approved_by=by.user):
            return False
        _remember(video, "approved", by=by, now=now)
    return True


def take_back(*, by: Membership, video: Video, now: datetime | None = None) -> bool:
    """Not approved any more. False where it was not."""
    now = now or timezone.now()
    with transaction.atomic():
        rows = Video.objects.visible_to(by).filter(id=video.id, approved_at__isnull=False)
        if not rows.update(approved_at=None, approved_by=None):
            return False
        _remember(video, "approval_taken_back", by=by, now=now)
    return True


def _remember(video: Video, kind: str, *, by: Membership, now: datetime) -> None:
    """In the history of its generation; an import has none, there the log has to do."""
    if video.generation_id:
        Event.objects.create(generation_id=video.generation_id, kind=kind, by=by.user, at=now)
    log.info(f"video_{kind}", video=str(video.id), user=str(by.user_id))
