"""What people are told outside of what they look at."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.team import Membership, Team
from playground.models.user import User


class NoticeQuerySet(models.QuerySet["Notice"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """What is for this member; for admins also what is for all admins of the team."""
        if membership is None:
            return self.none()
        mine = models.Q(user_id=membership.user_id)
        return self.filter(mine | models.Q(user=None) if membership.is_admin else mine, team_id=membership.team_id)

    def unseen_by(self, membership: Membership | None) -> Self:
        rows = self.visible_to(membership)
        seen_at = membership.notices_seen_at if membership else None
        return rows.filter(at__gt=seen_at) if seen_at else rows


class Notice(Row):
    """Something that happened, for one member or, without a user, for all admins of the team.

    Read is what is older than the membership's `notices_seen_at`. `key` keeps the same news from being told twice.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="notices")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    data = models.JSONField(
        default=dict, blank=True, help_text="What its words are made of: amounts in micros, ids, names."
    )
    at = models.DateTimeField(default=timezone.now, editable=False)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "key"], name="notice_once_per_key")]
        indexes = [models.Index(fields=["team", "-at"], name="notice_newest_of_team")]

    def __str__(self) -> str:
        return self.kind
