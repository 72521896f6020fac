"""Who did what that others must be able to find again."""

from django.db import models
from django.utils import timezone

from playground.models.team import Team
from playground.models.user import User


class AuditEntry(models.Model):
    """Who did what to money, keys and unclear orders. Append-only; never holds a secret or a prompt."""

    id = models.BigAutoField(primary_key=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="audit")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=254, blank=True, help_text="As the person was called then; stays.")
    kind = models.CharField(max_length=40, help_text="In the past tense.")
    data = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["team", "-id"], name="audit_newest_of_team")]

    def __str__(self) -> str:
        return self.kind
