"""What people ask the admins for."""

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.gateway import VideoModel
from playground.models.team import Team
from playground.models.user import User


class BudgetRequest(Row):
    """A run that the month's money did not allow, handed to the admins as it would have been ordered."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="budget_requests")
    by = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    model = models.ForeignKey(VideoModel, on_delete=models.CASCADE, related_name="+")
    prompt = models.TextField()
    settings = models.JSONField(default=dict, help_text="As a run's, with `count` and the ids of its `references`.")
    references: models.ManyToManyField = models.ManyToManyField(  # type: ignore[type-arg]
        "Reference", related_name="budget_requests", help_text="Shown to the admins with it."
    )
    total_micros = models.PositiveBigIntegerField(help_text="What the button would have said.")
    month = models.DateField(help_text="First day of the month whose limit was in the way.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    granted = models.BooleanField(null=True, blank=True, help_text="Null: open.")
    answered_at = models.DateTimeField(null=True, blank=True)
    answered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return f"{self.by}: {self.total_micros}"
