"""Videos that a team does not want to keep for ever move to its trash by themselves."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from playground.models import AuditEntry, Membership, ShareLink, Team, Video, Visibility
from playground.models.video import VideoQuerySet
from playground.services import audit

LEFT = ("member_removed", "member_left", "owner_found_gone")
"""Entries from which the time of a gone owner counts. The last is written for one whom no other tells of."""
LEFT_BEHIND_KEPT = timedelta(days=30)
"""How long the private videos of somebody who left the team wait for them. The pages that say so have the number."""


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


def trash_left_behind(*, now: datetime) -> int:
    """Private videos of somebody who left the team LEFT_BEHIND_KEPT ago: nobody there sees them, nor could delete them.
    Returns how many moved; whoever is back in the team finds them in the trash. Where nothing of an owner's going is
    on record, as when rows were changed in the database by hand, the time counts from when that is found.
    """
    in_team = Membership.objects.filter(team_id=OuterRef("team_id"), user_id=OuterRef("owner_id"))
    hidden = Video.objects.kept().filter(~Exists(in_team), visibility=Visibility.PRIVATE)
    whose = hidden.order_by("team_id", "owner_id").values_list("team_id", "owner_id").distinct()
    count = 0
    for team_id, owner_id in list(whose):
        if _left_at(team_id, owner_id, now=now) < now - LEFT_BEHIND_KEPT:
            count += _trash_left_behind(hidden.filter(team_id=team_id, owner_id=owner_id), team_id, now=now)
    return count


def _left_at(team_id: UUID, owner_id: UUID | None, *, now: datetime) -> datetime:
    """When the owner went; written down now if nobody did then. "" stands for all without an account."""
    user = str(owner_id or "")
    left = AuditEntry.objects.filter(team_id=team_id, kind__in=LEFT, data__user=user).order_by("-id").first()
    if left is None:
        team = Team.objects.get(id=team_id)
        left = audit.record("owner_found_gone", by=None, team=team, data={"user": user}, now=now)
    return left.at


def _trash_left_behind(videos: VideoQuerySet, team_id: UUID, *, now: datetime) -> int:
    with transaction.atomic():
        count = videos.update(trashed_at=now, trashed_by=None)
        if count:
            data = {"videos": count, "days": LEFT_BEHIND_KEPT.days}
            audit.record("videos_trashed_left_behind", by=None, team=Team.objects.get(id=team_id), data=data, now=now)
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
