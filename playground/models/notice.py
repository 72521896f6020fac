"""What people are told outside of what they look at."""

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.team import Team
from playground.models.user import User


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

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "key"], name="notice_once_per_key")]
        indexes = [models.Index(fields=["team", "-at"], name="notice_newest_of_team")]

    def __str__(self) -> str:
        return self.kind
