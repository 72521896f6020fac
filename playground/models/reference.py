"""A validated, re-encoded reference image, reusable in later runs."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.budget_request import BudgetRequest
from playground.models.run import Run
from playground.models.team import Membership, Team
from playground.models.user import User
from playground.models.video_request import VideoRequest


class ReferenceQuerySet(models.QuerySet["Reference"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """One's own uploads, what went into runs that this member sees, and what others put before them with a request.

        Of a picture of which only a part was sent, both are seen.
        """
        if membership is None:
            return self.none()
        links = GenerationReference.objects.filter(generation__run__in=Run.objects.visible_to(membership))
        asked = VideoRequest.objects.visible_to(membership)
        shown = (
            models.Q(created_by_id=membership.user_id)
            | models.Q(id__in=links.values("reference"))
            | models.Q(id__in=links.values("reference__cut_from"))
            | models.Q(id__in=asked.values("references"))
        )
        if membership.is_admin:
            money = BudgetRequest.objects.filter(team_id=membership.team_id)
            shown |= models.Q(id__in=money.values("references"))
        return self.filter(shown, team_id=membership.team_id)


class Reference(Row):
    """`key` is what is sent; `original_key` is the upload as it came, never served as it is to another site.

    With `cut_from` it is the part of that picture whose upper left corner lies at `cut_x`, `cut_y`, at the same scale;
    made when something is ordered whose shape is not the picture's.
    """

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="references")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    key = models.CharField(max_length=200)
    original_key = models.CharField(max_length=200, blank=True)
    thumb_key = models.CharField(max_length=200)
    content_type = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    size_bytes = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_bytes = models.PositiveBigIntegerField(
        default=0, help_text="What it counts for in the team's total: all of its files; 0 for a part of another."
    )
    cut_from = models.ForeignKey("self", on_delete=models.RESTRICT, null=True, related_name="cuts")
    cut_x = models.PositiveIntegerField(null=True)
    cut_y = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ReferenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cut_from", "cut_x", "cut_y", "width", "height"], name="reference_cut_once")
        ]

    def __str__(self) -> str:
        return f"{self.width}x{self.height} {self.content_type}"


class GenerationReference(Row):
    generation = models.ForeignKey("Generation", on_delete=models.CASCADE, related_name="generation_references")
    reference = models.ForeignKey(Reference, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["generation", "position"], name="reference_position_once")]
        ordering = ["position"]

    def __str__(self) -> str:
        return f"{self.generation_id}[{self.position}]"
