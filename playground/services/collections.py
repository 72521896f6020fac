"""Collections: made, filled, named anew, deleted, and all of it undone.

Videos are never touched by any of it. A deleted collection keeps its rows for a day; its share links end with it, and
those come back with it too, but for those that somebody revoked meanwhile, or whose maker left.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from playground.models import Collection, CollectionItem, Membership, ShareLink, Video, Visibility
from playground.services import sharing, visibility

log = structlog.get_logger(__name__)

KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken out of a collection, enough to put it back at its old place."""

    id: UUID
    video: UUID
    by: UUID | None
    at: datetime

    def to_json(self) -> list[str]:
        return [str(self.id), str(self.video), str(self.by or ""), self.at.isoformat()]

    @classmethod
    def from_json(cls, row: Sequence[str]) -> Self:
        id, video, by, at = row
        return cls(UUID(id), UUID(video), UUID(by) if by else None, datetime.fromisoformat(at))


def create(
    *,
    by: Membership,
    name: str,
    seen_by: str = Visibility.TEAM,
    videos: Iterable[Video] = (),
    now: datetime | None = None,
) -> Collection:
    now = now or timezone.now()
    with transaction.atomic():
        made = Collection.objects.create(
            team=by.team, owner=by.user, name=name, visibility=seen_by, created_at=now, changed_at=now
        )
        add(by=by, collection=made, videos=videos, now=now)
    log.info("collection_made", collection=str(made.id), user=str(by.user_id))
    return made


def add(*, by: Membership, collection: Collection, videos: Iterable[Video], now: datetime | None = None) -> int:
    """Put these in, the newest video last; returns how many were not in it before."""
    now = now or timezone.now()
    with transaction.atomic():
        _lock(collection)
        ids = Video.objects.visible_to(by).filter(id__in=[video.id for video in videos]).values_list("id", flat=True)
        held = set(collection.items.filter(video_id__in=ids).values_list("video_id", flat=True))
        fresh = sorted(set(ids) - held)
        rows = [CollectionItem(collection=collection, video_id=id, added_by=by.user, added_at=now) for id in fresh]
        CollectionItem.objects.bulk_create(rows)
        if rows:
            _changed(collection, now)
    return len(rows)


def remove(
    *, by: Membership, collection: Collection, videos: Iterable[Video], now: datetime | None = None
) -> list[Taken]:
    """Take these out; what this member does not see stays. Returns what `put_back` needs."""
    with transaction.atomic():
        _lock(collection)
        ids = [video.id for video in videos]
        rows = CollectionItem.objects.shown_to(by).filter(collection=collection, video_id__in=ids)
        taken = [Taken(row.id, row.video_id, row.added_by_id, row.added_at) for row in rows]
        CollectionItem.objects.filter(id__in=[one.id for one in taken]).delete()
        if taken:
            _changed(collection, now or timezone.now())
    return taken


def put_back(*, by: Membership, collection: Collection, taken: Iterable[Taken], now: datetime | None = None) -> int:
    """Undo `remove`, each at its old place. What is gone, or in it again, is passed over."""
    rows = {one.video: one for one in taken}
    with transaction.atomic():
        _lock(collection)
        there = set(Video.objects.visible_to(by).filter(id__in=rows).values_list("id", flat=True))
        there -= set(collection.items.filter(video_id__in=there).values_list("video_id", flat=True))
        back = [
            CollectionItem(id=one.id, collection=collection, video_id=one.video, added_by_id=one.by, added_at=one.at)
            for one in rows.values()
            if one.video in there
        ]
        CollectionItem.objects.bulk_create(back)
        if back:
            _changed(collection, now or timezone.now())
    return len(back)


def rename(*, by: Membership, collection: Collection, name: str, now: datetime | None = None) -> None:
    rows = Collection.objects.managed_by(by).kept().filter(id=collection.id)
    rows.update(name=name, changed_at=now or timezone.now())
    log.info("collection_renamed", collection=str(collection.id), user=str(by.user_id))


def delete(*, by: Membership, collection: Collection, now: datetime | None = None) -> int | None:
    """Delete it, its videos stay, its open links end. How many links that were; None where it was deleted already."""
    now = now or timezone.now()
    with transaction.atomic():
        rows = Collection.objects.managed_by(by).kept().filter(id=collection.id)
        if not rows.update(removed_at=now):
            return None
        open_links = ShareLink.objects.open(now).filter(collection=collection)
        links = visibility.end_links(by=by, links=open_links, now=now, is_undone=True)
    log.info("collection_deleted", collection=str(collection.id), user=str(by.user_id), links=links)
    return links


def restore(*, by: Membership, collection: Collection, now: datetime | None = None) -> bool:
    """Undo `delete`, with the links that ended by it. False where it is not deleted."""
    with transaction.atomic():
        removed = Collection.objects.managed_by(by).select_for_update().filter(id=collection.id).first()
        if removed is None or removed.removed_at is None:
            return False
        ended = ShareLink.objects.filter(collection=removed, ended_with_collection=True)
        for link in ended.select_for_update():
            sharing.record("link_restored", by, link, now or timezone.now())
        ended.update(revoked_at=None, revoked_by=None, ended_with_collection=False)
        Collection.objects.filter(id=removed.id).update(removed_at=None)
    log.info("collection_restored", collection=str(collection.id), user=str(by.user_id))
    return True


def forget_removed(*, now: datetime) -> int:
    """Delete for good what was deleted so long ago that nobody undoes it; returns how many collections."""
    return Collection.objects.filter(removed_at__lt=now - KEPT).delete()[1].get("playground.Collection", 0)


def _lock(collection: Collection) -> None:
    """Two who add the same video at once: the second waits and finds it there."""
    Collection.objects.select_for_update().get(id=collection.id)


def _changed(collection: Collection, now: datetime) -> None:
    Collection.objects.filter(id=collection.id).update(changed_at=now)
