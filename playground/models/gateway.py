"""A gateway that sells videos, and the models it offers."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from playground.domain.capabilities import Capabilities
from playground.models.base import Row
from playground.models.team import Team
from playground.models.user import User


class Dialect(models.TextChoices):
    LUMENFALL = "lumenfall", "Lumenfall"
    OPENAI = "openai", "OpenAI"


class Gateway(Row):
    """Where orders go. A gateway without a team is the installation's own; its key stays in the environment.

    Runs stay bound to their gateway when the default changes. What it honours is declared, never guessed: an unknown
    gateway honours nothing.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="gateways")
    slug = models.SlugField(max_length=60)
    name = models.CharField(max_length=80)
    base_url = models.CharField(max_length=300)
    dialect = models.CharField(max_length=20, choices=Dialect.choices)
    is_sandbox = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)
    honours_idempotency_key = models.BooleanField(default=False)
    key_trusted_seconds = models.PositiveIntegerField(
        default=3600, help_text="How long a sent idempotency key is believed to be remembered."
    )
    has_dry_run = models.BooleanField(default=False)
    dry_run_broken_at = models.DateTimeField(
        null=True, blank=True, help_text="When a price check made an order; from then on no price is asked for."
    )
    has_cancel = models.BooleanField(default=False)
    has_request_log = models.BooleanField(
        default=False, help_text="Lists the requests it got, so that an order whose answer was lost can be looked up."
    )
    has_webhooks = models.BooleanField(default=False)
    webhook_secret = models.TextField(blank=True, help_text="Sealed; what its webhooks are signed with.")
    rate_cap = models.PositiveIntegerField(default=100, help_text="Polls a second at the most.")
    sealed_key = models.TextField(blank=True, help_text="A team's own key; the installation's is in the environment.")
    key_last4 = models.CharField(max_length=4, blank=True, help_text="All of the key that is ever shown.")
    key_set_at = models.DateTimeField(null=True, blank=True)
    key_set_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    removed_at = models.DateTimeField(
        null=True, blank=True, help_text="Of a team's own: no longer ordered from, its key is forgotten."
    )
    paused_at = models.DateTimeField(
        null=True, blank=True, help_text="Set: nothing is sent to it, whatever team orders; asked for again by itself."
    )
    paused_reason = models.CharField(max_length=300, blank=True)
    resume_check_at = models.DateTimeField(null=True, blank=True, help_text="When a paused gateway is tried again.")
    sync_tried_at = models.DateTimeField(
        null=True, blank=True, help_text="When reading the models was last begun; under way unless an end is newer."
    )
    sync_failed_at = models.DateTimeField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    sync_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "slug"], name="gateway_slug_once_per_team"),
            models.UniqueConstraint(
                fields=["slug"], condition=models.Q(team__isnull=True), name="gateway_slug_once_for_all"
            ),
            models.UniqueConstraint(
                fields=["is_default"],
                condition=models.Q(team__isnull=True, is_default=True),
                name="gateway_one_default_for_all",
            ),
            models.UniqueConstraint(
                fields=["team"],
                condition=models.Q(team__isnull=False, is_default=True),
                name="gateway_one_default_per_team",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Lifecycle(models.TextChoices):
    LIVE = "live", _("Live")
    RETIRING = "retiring", _("Retiring")
    RETIRED = "retired", _("Retired")


class VideoModel(Row):
    """One model at one gateway. A model that vanishes is retired, never deleted: old videos keep its label."""

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="models")
    slug = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    owner = models.CharField(max_length=100, blank=True)
    aliases = models.JSONField(default=list, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    price_note = models.CharField(max_length=200, blank=True, help_text='With its unit: "from $0.10 per second".')
    price_floor_micros = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Lowest known price per second; only for sorting."
    )
    lifecycle = models.CharField(max_length=10, choices=Lifecycle.choices, default=Lifecycle.LIVE)
    retired_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "slug"], name="model_once_per_gateway"),
            models.CheckConstraint(condition=models.Q(lifecycle__in=Lifecycle.values), name="model_lifecycle_known"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def takes(self) -> Capabilities:
        return Capabilities.from_json(self.capabilities)

    @property
    def is_offered(self) -> bool:
        return self.lifecycle != Lifecycle.RETIRED


class TeamModel(Row):
    """What a team says of a model: switched off, or its default, and a note beside its price."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="team_models")
    model = models.ForeignKey(VideoModel, on_delete=models.CASCADE, related_name="team_models")
    enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    price_note = models.CharField(max_length=200, blank=True, help_text="The team's words beside the price.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "model"], name="team_model_once"),
            models.UniqueConstraint(
                fields=["team"], condition=models.Q(is_default=True), name="team_has_one_default_model"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team}: {self.model}"
