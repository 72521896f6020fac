"""Videos that a team does not want to keep for ever move to its trash by themselves."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from playground.models import ShareLink, Team, Video
from playground.models.video import VideoQuerySet
from playground.services import audit


def trash_old(*, now: datetime) -> int:
    """Returns how many moved. In the trash they stay as long as others do, and can be brought back."""
    return sum(_trash_old(team, now=now) for team in Team.objects.exclude(retention_days=None).order_by("id"))


def _trash_old(team: Team, *, now: datetime) -> int:
    with transaction.atomic():
        count = old(team, now=now).update(trashed_at=now, trashed_by=None)
        if count:
            data = {"videos": count, "days": team.retention_days}
            audit.record("videos_trashed_by_age", by=None, team=team, data=data, now=now)
    return count


def old(team: Team, *, now: datetime, days: int | None = None) -> VideoQuerySet:
    """Past the team's time, or past so many `days`, and kept for no reason: not approved, in no collection, with no
    link open. Of one that was brought back from the trash the time counts from then.
    """
    days = days or team.retention_days
    if days is None:
        return Video.objects.none()
    lasting = Q(expires_at=None) | Q(expires_at__gt=now)
    links = ShareLink.objects.filter(lasting, video=OuterRef("id"), revoked_at=None)
    since = now - timedelta(days=days)
    is_old = Q(restored_at=None) | Q(restored_at__lt=since)
    rows = Video.objects.kept().filter(is_old, team=team, created_at__lt=since)
    return rows.filter(~Exists(links), approved_at=None, collection_items=None)
