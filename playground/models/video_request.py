"""What somebody who may not order asks the team to make."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.gateway import VideoModel
from playground.models.run import Run
from playground.models.team import Membership, Team
from playground.models.user import User

NOTE_MOST = 280


class VideoRequestQuerySet(models.QuerySet["VideoRequest"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """Those who may make it see the team's but what others took back; everybody their own."""
        if membership is None:
            return self.none()
        own, rows = models.Q(by_id=membership.user_id), self.filter(team_id=membership.team_id)
        if not membership.may_create:
            return rows.filter(own)
        is_left = models.Q(answered_at=None) | ~models.Q(answered_by_id=models.F("by_id"))
        return rows.filter(own | is_left | models.Q(run__isnull=False))

    def open(self) -> Self:
        """Not answered yet, of somebody who still belongs to the team."""
        asker = Membership.objects.filter(team_id=models.OuterRef("team_id"), user_id=models.OuterRef("by_id"))
        return self.filter(models.Exists(asker), answered_at=None)


class VideoRequest(Row):
    """The whole form as it stood, with a word to go with it. Nothing is ordered or set aside by it."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="video_requests")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey(VideoModel, on_delete=models.CASCADE, related_name="+")
    prompt = models.TextField()
    settings = models.JSONField(default=dict, help_text="As a run's, with `count` and the ids of its `references`.")
    references: models.ManyToManyField = models.ManyToManyField(  # type: ignore[type-arg]
        "Reference", related_name="video_requests", help_text="Shown to those who may make it."
    )
    note = models.CharField(max_length=NOTE_MOST, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    answer = models.CharField(max_length=NOTE_MOST, blank=True, help_text="A word of who declined it.")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True, help_text="Made, declined or taken back; null: open.")
    answered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = VideoRequestQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "-id"], name="video_request_newest_of_team")]

    def __str__(self) -> str:
        return f"{self.by}: {self.prompt[:60]}"

    @property
    def is_open(self) -> bool:
        return self.answered_at is None

    @property
    def is_taken_back(self) -> bool:
        return not self.is_open and self.run_id is None and self.answered_by_id == self.by_id
