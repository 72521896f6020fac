"""What somebody who may not order asks the team to make."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.gateway import VideoModel
from playground.models.run import Run
from playground.models.team import Membership, Team
from playground.models.user import User


class VideoRequestQuerySet(models.QuerySet["VideoRequest"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """Those who may make it see all of the team's, others their own."""
        if membership is None:
            return self.none()
        rows = self.filter(team_id=membership.team_id)
        return rows if membership.may_create else rows.filter(by_id=membership.user_id)


class VideoRequest(Row):
    """The whole form as it stood, with a word to go with it. Nothing is ordered or set aside by it."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="video_requests")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey(VideoModel, on_delete=models.CASCADE, related_name="+")
    prompt = models.TextField()
    settings = models.JSONField(default=dict, help_text="As a run's, with `count` and the ids of its `references`.")
    note = models.CharField(max_length=280, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True, help_text="Made (see `run`) or declined; null: open.")
    answered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = VideoRequestQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "-id"], name="video_request_newest_of_team")]

    def __str__(self) -> str:
        return f"{self.by}: {self.prompt[:60]}"
