"""Who did what that others must be able to find again."""

from typing import Any, NoReturn

from django.db import models
from django.utils import timezone

from playground.models.team import Team
from playground.models.user import User


class AppendOnly(TypeError):
    """What is written down stays as it is."""

    def __init__(self) -> None:
        super().__init__("audit entries are neither changed nor deleted")


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **_fields: Any) -> NoReturn:
        raise AppendOnly

    def bulk_update(self, *_args: Any, **_options: Any) -> NoReturn:
        raise AppendOnly

    def delete(self) -> NoReturn:
        raise AppendOnly


class AuditEntry(models.Model):
    """Who did what to members, money, keys, links and unclear orders. Never holds a secret or a prompt.

    Append-only, here and by a trigger in the database; only `by` becomes empty, when that person's account is deleted.
    """

    id = models.BigAutoField(primary_key=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="audit")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=254, blank=True, help_text="As the person was called then; stays.")
    kind = models.CharField(max_length=40, help_text="In the past tense.")
    data = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["team", "-id"], name="audit_newest_of_team")]

    def __str__(self) -> str:
        return self.kind

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise AppendOnly
