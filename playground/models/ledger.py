"""Money: what was set aside, what was spent, what was given back. Integer micros, append only."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from playground.models.base import Row
from playground.models.gateway import Gateway
from playground.models.generation import Generation
from playground.models.team import Team
from playground.models.user import User


class EntryKind(models.TextChoices):
    HOLD = "hold", _("Set aside")
    SETTLE = "settle", _("Cost")
    RELEASE = "release", _("Given back")


class LedgerEntry(models.Model):
    """One movement. At most one of each kind for a generation, so money cannot move twice."""

    id = models.BigAutoField(primary_key=True)
    generation = models.ForeignKey(Generation, on_delete=models.PROTECT, related_name="ledger")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="ledger")
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=EntryKind.choices)
    amount_micros = models.PositiveBigIntegerField()
    month = models.DateField(help_text="First day of the month of the hold, in the team's time zone.")
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "ledger entries"
        constraints = [
            models.UniqueConstraint(fields=["generation", "kind"], name="ledger_kind_once_per_generation"),
            models.CheckConstraint(condition=models.Q(kind__in=EntryKind.values), name="ledger_kind_known"),
        ]
        indexes = [models.Index(fields=["team", "month", "kind"], name="ledger_of_a_month")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount_micros}"


class Budget(Row):
    """The counter of one month, for a team or for one member of it. Moved by one conditional UPDATE."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="budgets")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    month = models.DateField()
    cap_micros = models.PositiveBigIntegerField(null=True, blank=True)
    held_micros = models.BigIntegerField(default=0)
    spent_micros = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user", "month"], name="budget_once_per_member_month"),
            models.UniqueConstraint(
                fields=["team", "month"], condition=models.Q(user__isnull=True), name="budget_once_per_team_month"
            ),
            models.CheckConstraint(
                condition=models.Q(held_micros__gte=0, spent_micros__gte=0), name="budget_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team} {self.month:%Y-%m}"
