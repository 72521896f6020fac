"""One paid order at a gateway, and the history of what happened to it."""

import secrets
from collections.abc import Iterable
from datetime import timedelta
from typing import Self
from uuid import UUID

from django.db import models
from django.utils import timezone

from playground.domain.status import ACTIVE, LATE_SUCCESS, PARKED, Status, Step, step_of
from playground.models.base import Row
from playground.models.gateway import Gateway, VideoModel
from playground.models.reference import Reference
from playground.models.run import Run
from playground.models.team import Membership, Team
from playground.models.user import User
from playground.models.visibility import Visibility

LOOK_FOR = timedelta(days=14)
"""How long a lost video stands among what an admin should look at."""


def new_hook_token() -> str:
    return secrets.token_urlsafe(32)


class GenerationQuerySet(models.QuerySet["Generation"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """The team's, and those of this member's own private runs."""
        if membership is None:
            return self.none()
        mine = models.Q(run__visibility=Visibility.TEAM) | models.Q(run__created_by_id=membership.user_id)
        return self.filter(mine, team_id=membership.team_id)

    def decided_by(self, membership: Membership | None) -> Self:
        """What this member decides when it is unclear: an admin all of the team's, private ones too, for their money.

        Prompt and pictures of those are shown all the same only where `visible_to` finds them.
        """
        return self.filter(team_id=membership.team_id) if membership and membership.is_admin else self.none()

    def shown_to(self, membership: Membership | None, among: Iterable["Generation"]) -> set[UUID]:
        """Ids of those among these that `visible_to` finds."""
        ids = [row.id for row in among]
        return set(self.visible_to(membership).filter(id__in=ids).values_list("id", flat=True)) if ids else set()

    def active(self) -> Self:
        return self.filter(status__in=ACTIVE)

    def for_stamps(self) -> Self:
        """With no more than it takes to tell whether a card looks different by now."""
        times = ("created_at", "sent_at", "submitted_at", "viewed_at", "next_check_at")
        return self.select_related("gateway").only("id", "model", "status", "version", "gateway__paused_reason", *times)

    def needing_a_look(self) -> Self:
        """What an admin has to know of, newest first: unclear orders, and videos lost within the last two weeks."""
        lost = models.Q(status=Status.OUTPUT_LOST, ended_at__gte=timezone.now() - LOOK_FOR)
        return self.filter(models.Q(status=Status.UNKNOWN) | lost).order_by("-id")

    def for_cards(self) -> Self:
        """With everything a status card reads, newest first."""
        return (
            self.select_related("run", "run__created_by", "team", "model", "gateway", "video")
            .prefetch_related(models.Prefetch("references", Reference.objects.select_related("cut_from")))
            .order_by("-id")
        )


class Generation(Row):
    """Status moves only through `services.engine`; `version` grows with every change a person could see."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="generations")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="generations")
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="generations")
    model = models.ForeignKey(VideoModel, on_delete=models.PROTECT, related_name="generations")
    position = models.PositiveSmallIntegerField(default=0, help_text="Which of the run's generations, from 0.")
    retry_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries")
    references: models.ManyToManyField = models.ManyToManyField(  # type: ignore[type-arg]
        "Reference", through="GenerationReference", related_name="generations"
    )

    status = models.CharField(max_length=12, choices=[(s.value, s.value) for s in Status], default=Status.QUEUED)
    version = models.PositiveIntegerField(default=1)
    body = models.JSONField(default=dict, help_text="The order as it is sent, without the reference images.")
    upstream_id = models.CharField(max_length=255, null=True, blank=True)
    request_id = models.CharField(max_length=255, blank=True)
    hook_token = models.CharField(max_length=64, unique=True, default=new_hook_token)

    claim_id = models.UUIDField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often the order was sent.")
    collect_attempts = models.PositiveSmallIntegerField(default=0)
    unclear_at = models.DateTimeField(
        null=True, blank=True, help_text="When a try ended without a clear answer: the gateway may have taken it."
    )
    not_found_count = models.PositiveSmallIntegerField(default=0)
    poll_failures = models.PositiveIntegerField(default=0)
    next_check_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)
    last_checked_at = models.DateTimeField(null=True, blank=True)
    viewed_at = models.DateTimeField(null=True, blank=True, help_text="When a page last asked for it.")

    progress = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Percent, where the gateway tells.")
    estimate_micros = models.PositiveBigIntegerField(null=True, blank=True)
    cost_micros = models.PositiveBigIntegerField(null=True, blank=True, help_text="The gateway's own figure.")
    provider = models.CharField(max_length=100, blank=True)
    executed_model = models.CharField(max_length=200, blank=True)
    output_url = models.TextField(blank=True)
    output_size_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    output_expires_at = models.DateTimeField(null=True, blank=True)
    error_kind = models.CharField(max_length=20, blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    is_late = models.BooleanField(default=False, help_text="Finished after it was stopped or given up.")

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="When the first try was about to be sent.")
    submitted_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = GenerationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=sorted(Status)), name="generation_status_known"),
            models.CheckConstraint(
                condition=~models.Q(status__in=sorted(ACTIVE))
                | models.Q(next_check_at__isnull=False, deadline_at__isnull=False),
                name="generation_active_is_due",
            ),
            models.UniqueConstraint(
                fields=["gateway", "upstream_id"],
                condition=models.Q(upstream_id__isnull=False),
                name="generation_upstream_id_once",
            ),
            models.UniqueConstraint(fields=["run", "position"], name="generation_position_once"),
        ]
        indexes = [
            models.Index(
                fields=["status", "gateway", "next_check_at"],
                condition=models.Q(next_check_at__isnull=False),
                name="generation_due_by_gateway",
            ),
            models.Index(fields=["model", "-id"], name="generation_newest_of_model"),
            models.Index(fields=["team", "-id"], name="generation_newest_of_team"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"

    @property
    def state(self) -> Status:
        return Status(self.status)

    @property
    def step(self) -> Step:
        return step_of(self.state)

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    @property
    def is_refused_prompt(self) -> bool:
        """The words were refused: the same order would be refused again, another model may take it."""
        return self.state in {Status.FAILED, Status.REJECTED} and self.error_kind == "moderation"

    @property
    def may_still_change(self) -> bool:
        """Not active, and yet news may come: a late result is looked for, or a person decides."""
        return self.state in PARKED or (self.state in LATE_SUCCESS and self.next_check_at is not None)

    @property
    def idempotency_key(self) -> str:
        """The same for every try of this order."""
        return str(self.id)


class Event(models.Model):
    """Append-only history of a generation. `kind` is in the past tense."""

    id = models.BigAutoField(primary_key=True)
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="events")
    kind = models.CharField(max_length=40)
    from_status = models.CharField(max_length=12, blank=True)
    to_status = models.CharField(max_length=12, blank=True)
    data = models.JSONField(default=dict, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.kind
