"""Favourites: each member's own, and nobody else's business."""

from collections.abc import Iterable
from uuid import UUID

from playground.models import Favourite, Membership, Video


def mark(*, by: Membership, video: Video, on: bool) -> None:
    """Set or take away this member's star. Doing it twice changes nothing."""
    if on:
        Favourite.objects.get_or_create(user=by.user, video=video)
    else:
        Favourite.objects.filter(user=by.user, video=video).delete()


def among(*, by: Membership, videos: Iterable[Video]) -> set[UUID]:
    """Which of these carry this member's star. One query."""
    ids = [video.id for video in videos]
    return set(Favourite.objects.filter(user=by.user, video_id__in=ids).values_list("video_id", flat=True))
