"""A stored, checked video file, and its words for search."""

from typing import Self

from django.db import models
from django.utils import timezone
from django.utils.text import Truncator

from playground.domain.capabilities import nearest_shape
from playground.models.base import Row
from playground.models.generation import Generation
from playground.models.team import Membership, Team
from playground.models.user import User
from playground.models.visibility import Visibility


class VideoQuerySet(models.QuerySet["Video"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """What this member may see: the team's, and their own private ones. Trash included."""
        if membership is None:
            return self.none()
        mine = models.Q(visibility=Visibility.TEAM) | models.Q(owner_id=membership.user_id)
        return self.filter(mine, team_id=membership.team_id)

    def kept(self) -> Self:
        return self.filter(trashed_at__isnull=True)

    def trashed(self) -> Self:
        return self.filter(trashed_at__isnull=False)

    def before(self, cursor: "Video") -> Self:
        """The page after `cursor` in newest-first order; ids are in the order of time."""
        return self.filter(id__lt=cursor.id)

    def for_tiles(self) -> Self:
        return self.select_related("owner", "generation", "generation__model", "generation__run", "generation__gateway")


class Video(Row):
    """`generation` is null for imports; `settings` is the snapshot that stays true when models change."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="videos")
    generation = models.OneToOneField(
        Generation, on_delete=models.SET_NULL, null=True, blank=True, related_name="video"
    )
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="videos")
    title = models.CharField(max_length=200, blank=True)
    prompt = models.TextField(blank=True)
    settings = models.JSONField(default=dict)
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.TEAM)

    key = models.CharField(max_length=200)
    poster_key = models.CharField(max_length=200)
    preview_key = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=40)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    duration_ms = models.PositiveIntegerField()
    has_audio = models.BooleanField(default=False)
    size_bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)

    approved_at = models.DateTimeField(null=True, blank=True)
    approved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    trashed_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last brought back from the trash; its age counts from then."
    )
    missing_at = models.DateTimeField(
        null=True, blank=True, help_text="When its file was found to be gone here and at the gateway."
    )
    trashed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = VideoQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["team", "-id"], condition=models.Q(trashed_at__isnull=True), name="video_newest_of_team"
            ),
            models.Index(
                fields=["team", "-trashed_at"], condition=models.Q(trashed_at__isnull=False), name="video_trash_of_team"
            ),
        ]

    def __str__(self) -> str:
        return self.title or Truncator(self.prompt).chars(60) or str(self.id)

    @property
    def shape(self) -> str:
        return nearest_shape(self.width, self.height)

    @property
    def quality(self) -> str:
        return f"{min(self.width, self.height)}p"

    @property
    def seconds(self) -> float:
        return self.duration_ms / 1000


class SearchDocument(models.Model):
    """The words of a video. Full-text indexes hang on this table with its integer key, never on Video."""

    id = models.BigAutoField(primary_key=True)
    video = models.OneToOneField(Video, on_delete=models.CASCADE, related_name="search_document")
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()

    def __str__(self) -> str:
        return str(self.video_id)
