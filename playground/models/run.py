"""One press of the button: a prompt, its settings, and one or more generations."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.gateway import Gateway, VideoModel
from playground.models.team import Membership, Team
from playground.models.user import User
from playground.models.visibility import Visibility


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """The team's, and this member's own private ones."""
        if membership is None:
            return self.none()
        mine = models.Q(visibility=Visibility.TEAM) | models.Q(created_by_id=membership.user_id)
        return self.filter(mine, team_id=membership.team_id)


class Run(Row):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="runs")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="runs")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="runs")
    model = models.ForeignKey(VideoModel, on_delete=models.PROTECT, related_name="runs")
    submit_token = models.CharField(max_length=64)
    body_hash = models.CharField(max_length=64, help_text="SHA-256 of what was asked.")
    prompt = models.TextField()
    settings = models.JSONField(default=dict, help_text="size, seconds, count, negative_prompt, seed, generate_audio.")
    quoted_total_micros = models.PositiveBigIntegerField(null=True, help_text="What the button said; null: not known.")
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.TEAM, help_text="Where its videos go."
    )
    parent_video = models.ForeignKey("Video", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = RunQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "submit_token"], name="run_once_per_submit_token")]
        indexes = [models.Index(fields=["team", "-id"], name="run_newest_of_team")]

    def __str__(self) -> str:
        return str(self.id)
