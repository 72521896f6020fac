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
        """The team's, and this member's own private ones."""
        if membership is None:
            return self.none()
        mine = models.Q(visibility=Visibility.TEAM) | models.Q(owner_id=membership.user_id)
        return self.filter(mine, team_id=membership.team_id)


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

    objects = CollectionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "-changed_at"], name="collection_newest_of_team")]

    def __str__(self) -> str:
        return self.name


class CollectionItem(Row):
    """Newest last: ids are in the order of time."""

    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="items")
    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="collection_items")
    added_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    added_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["collection", "video"], name="collection_holds_a_video_once")]

    def __str__(self) -> str:
        return f"{self.collection}: {self.video_id}"
