"""What members say of a video. Whoever sees it may say something; own words can be taken back, and by an admin any.

One that was taken back keeps its row for a day, so that this can be undone.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from playground.models import Comment, Membership, Video

log = structlog.get_logger(__name__)

MOST_OF_A_VIDEO = 500
"""All of them stand on one page."""
SAME_WITHIN = timedelta(minutes=1)
"""The same words of the same person again are a form that was sent twice."""
KEPT = timedelta(days=1)


class Full(Exception):
    """The video has MOST_OF_A_VIDEO comments."""


def of(video: Video) -> list[Comment]:
    """Oldest first."""
    return list(Comment.objects.filter(video=video, removed_at__isnull=True).select_related("by").order_by("id"))


def add(*, by: Membership, video: Video, text: str, at_ms: int | None = None, now: datetime | None = None) -> Comment:
    """The comment that was made, or the one that the same form made a moment ago."""
    now = now or timezone.now()
    with transaction.atomic():
        # A form that was sent twice at once waits here for its first, and finds it.
        Membership.objects.select_for_update().get(id=by.id)
        same = Comment.objects.filter(by=by.user, video=video, text=text, at_ms=at_ms, removed_at__isnull=True)
        if twin := same.filter(created_at__gt=now - SAME_WITHIN).first():
            return twin
        if Comment.objects.filter(video=video, removed_at__isnull=True).count() >= MOST_OF_A_VIDEO:
            raise Full
        made = Comment.objects.create(video=video, by=by.user, text=text, at_ms=at_ms, created_at=now)
    log.info("comment_made", video=str(video.id), comment=str(made.id), user=str(by.user_id))
    return made


def remove(*, by: Membership, video: Video, id: UUID, now: datetime | None = None) -> bool:
    """Take back an own comment, as an admin any. False where there is none that this member may take back."""
    rows = Comment.objects.filter(_theirs(by), video=video, id=id, removed_at__isnull=True)
    if not rows.update(removed_at=now or timezone.now(), removed_by=by.user):
        return False
    log.info("comment_removed", video=str(video.id), comment=str(id), user=str(by.user_id))
    return True


def restore(*, by: Membership, video: Video, id: UUID) -> bool:
    """Undo what this member took back; what an admin took back its author cannot bring back."""
    rows = Comment.objects.filter(video=video, id=id, removed_at__isnull=False, removed_by=by.user)
    return bool(rows.update(removed_at=None, removed_by=None))


def forget_removed(*, now: datetime) -> int:
    """Delete what was taken back so long ago that nobody undoes it."""
    return Comment.objects.filter(removed_at__lt=now - KEPT).delete()[0]


def _theirs(by: Membership) -> Q:
    return Q() if by.is_admin else Q(by_id=by.user_id)
