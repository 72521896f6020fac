"""Comparisons of our ledger with what a gateway says it charged, and looks at what is left on its account."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from playground.models.base import Row
from playground.models.gateway import Gateway
from playground.models.user import User


class ReconciliationState(models.TextChoices):
    RUNNING = "running", _("Running")
    CHECKED = "checked", _("Checked")
    NO_LOG = "no_log", _("Not possible here")
    FAILED = "failed", _("Broken off")


class Reconciliation(Row):
    """Of one gateway and month, over all teams that order there. It only looks: no money moves by it."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="reconciliations")
    month = models.DateField(help_text="First day of the month that was compared.")
    state = models.CharField(max_length=8, choices=ReconciliationState.choices, default=ReconciliationState.RUNNING)
    started_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(default=dict, help_text="Figures and differences as services/reconcile.py writes them.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ReconciliationState.values), name="reconciliation_state_known"
            )
        ]
        indexes = [models.Index(fields=["gateway", "month", "-started_at"], name="reconciliation_newest")]

    def __str__(self) -> str:
        return f"{self.gateway} {self.month:%Y-%m} {self.state}"


class BalanceLook(Row):
    """What was left on a gateway's account at one moment, and how that fits what is known of the time since `since_at`.

    Amounts in micros. The charges of that time lie between `least_micros` and `most_micros`; `ours_micros` is the cost
    that came here. `difference_micros`: what came in (above 0) or left (below 0) beside them.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="balance_looks")
    at = models.DateTimeField()
    available_micros = models.BigIntegerField()
    since_at = models.DateTimeField(null=True, blank=True, help_text="Of the look before; null for the first.")
    change_micros = models.BigIntegerField(default=0)
    least_micros = models.BigIntegerField(default=0)
    most_micros = models.BigIntegerField(default=0)
    ours_micros = models.BigIntegerField(default=0)
    difference_micros = models.BigIntegerField(default=0)

    class Meta:
        indexes = [models.Index(fields=["gateway", "-at"], name="balance_look_newest")]

    def __str__(self) -> str:
        return f"{self.gateway} {self.at:%Y-%m-%d %H:%M}"
