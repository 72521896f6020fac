"""Who of the team sees a video or a collection: all, or its owner alone. Only the owner decides that.

Share links are made on purpose and go on when their video becomes private; whoever switches is told of them first and
may end them. Links of others, and those to collections of the team, leave it out from then on.
"""

from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from playground.domain.status import Status
from playground.models import Collection, Membership, Run, ShareLink, Video, Visibility
from playground.services import sharing

log = structlog.get_logger(__name__)

WITHOUT_VIDEO = (Status.FAILED, Status.REJECTED)


def switch(
    *, by: Membership, of: Video | Collection, to: Visibility, ends_links: bool = False, now: datetime | None = None
) -> bool:
    """False where it was so already, or is not this member's own."""
    now = now or timezone.now()
    with transaction.atomic():
        if not (_of_video(by, of, to) if isinstance(of, Video) else _of_collection(by, of, to, now)):
            return False
        if ends_links:
            end_links(by=by, links=lasting_links(of), now=now)
    log.info("visibility_switched", of=str(of.id), to=to, user=str(by.user_id))
    return True


def _of_video(by: Membership, video: Video, to: Visibility) -> bool:
    rows = Video.objects.visible_to(by).filter(id=video.id, owner=by.user).exclude(visibility=to)
    if not rows.update(visibility=to):
        return False
    if video.generation:
        _run_follows(video.generation.run, by, to)
    return True


def _of_collection(by: Membership, collection: Collection, to: Visibility, now: datetime) -> bool:
    rows = Collection.objects.fillable_by(by).kept().filter(id=collection.id, owner=by.user).exclude(visibility=to)
    return bool(rows.update(visibility=to, changed_at=now))


def _run_follows(run: Run, by: Membership, to: Visibility) -> None:
    """A run shows its prompt, which is that of its videos: it is for the team while one of them is.

    One that may still bring videos keeps what was chosen for them.
    """
    if run.created_by_id != by.user_id or run.generations.filter(video=None).exclude(status__in=WITHOUT_VIDEO).exists():
        return
    if to == Visibility.PRIVATE and Video.objects.filter(generation__run=run, visibility=Visibility.TEAM).exists():
        return
    Run.objects.filter(id=run.id).update(visibility=to)


def lasting_links(of: Video | Collection) -> QuerySet[ShareLink]:
    """Its owner's links that go on showing this once it is private, newest first: to it alone, and of a video those to
    private collections that were private when the link was made. No other link shows what is private.
    """
    links = ShareLink.objects.open().filter(created_by_id=of.owner_id).order_by("-id")
    if isinstance(of, Collection):
        return links.filter(collection=of)
    holding = Collection.objects.kept().filter(items__video=of, visibility=Visibility.PRIVATE, owner_id=of.owner_id)
    return links.filter(Q(video=of) | Q(collection__in=holding.values("id"), shows_private=True))


def stops_links(of: Video | Collection) -> bool:
    """Whether there are links that show this only while it is for the team."""
    links = ShareLink.objects.open().exclude(id__in=lasting_links(of).values("id"))
    if isinstance(of, Collection):
        return links.filter(collection=of).exists()
    holding = Collection.objects.kept().filter(items__video=of)
    return links.filter(Q(video=of) | Q(collection__in=holding.values("id"))).exists()


def end_links(*, by: Membership, links: QuerySet[ShareLink], now: datetime, is_undone: bool = False) -> int:
    """Call it inside the transaction that makes them end; returns how many ended. `is_undone`: with a deletion, which
    can be undone.
    """
    ending = list(links.select_for_update())
    rows = ShareLink.objects.filter(id__in=[link.id for link in ending])
    rows.update(revoked_at=now, revoked_by=by.user, ended_with_collection=is_undone)
    for link in ending:
        sharing.record("link_revoked", by, link, now)
    return len(ending)
