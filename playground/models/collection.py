"""Videos that somebody put together."""

from typing import Self

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.team import Membership, Team
from playground.models.user import User
from playground.models.video import Video
from playground.models.visibility import Visibility


class CollectionQuerySet(models.QuerySet["Collection"]):
    def visible_to(self, membership: Membership | None) -> Self:
        """The team's, and this member's own private ones. Deleted ones included, as the trash is of videos."""
        if membership is None:
            return self.none()
        mine = models.Q(visibility=Visibility.TEAM) | models.Q(owner_id=membership.user_id)
        return self.filter(mine, team_id=membership.team_id)

    def kept(self) -> Self:
        return self.filter(removed_at__isnull=True)

    def fillable_by(self, membership: Membership | None) -> Self:
        """Those this member may put videos into and take them out of."""
        if membership is None or not membership.may_create:
            return self.none()
        return self.visible_to(membership)

    def managed_by(self, membership: Membership | None) -> Self:
        """Those this member may name anew and delete: their own; an admin all that they see."""
        rows = self.fillable_by(membership)
        if membership is None or membership.is_admin:
            return rows
        return rows.filter(owner_id=membership.user_id)


class Collection(Row):
    """A private one may hold private videos; a team's shows each member only what they may see anyway."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="collections")
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="collections")
    name = models.CharField(max_length=80)
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.TEAM)
    videos: models.ManyToManyField = models.ManyToManyField(  # type: ignore[type-arg]
        Video, through="CollectionItem", related_name="collections"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True, blank=True, help_text="Deleted, and kept for a while to undo that.")

    objects = CollectionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "-changed_at"], name="collection_newest_of_team")]

    def __str__(self) -> str:
        return self.name


class CollectionItemQuerySet(models.QuerySet["CollectionItem"]):
    def shown_to(self, membership: Membership) -> Self:
        """Those whose video this member may see anyway and that is not in the trash."""
        mine = models.Q(video__visibility=Visibility.TEAM) | models.Q(video__owner_id=membership.user_id)
        return self.filter(mine, video__team_id=membership.team_id, video__trashed_at__isnull=True)


class CollectionItem(Row):
    """Newest last: ids are in the order of time."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="items")
    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="collection_items")
    added_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CollectionItemQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "video"], name="collection_holds_a_video_once")]

    def __str__(self) -> str:
        return f"{self.collection}: {self.video_id}"
