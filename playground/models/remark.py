"""What members say of a video: a favourite for oneself, a comment for all."""

from django.db import models
from django.utils import timezone

from playground.models.base import Row
from playground.models.user import User
from playground.models.video import Video

COMMENT_LENGTH = 2000


class Favourite(Row):
    """Personal: nobody else sees it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="favourites")
    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="favourites")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "video"], name="favourite_once")]

    def __str__(self) -> str:
        return str(self.video_id)


class Comment(Row):
    """Oldest first: ids are in the order of time. One that was taken back is kept for a while, to undo that."""

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="comments")
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.CharField(max_length=COMMENT_LENGTH)
    at_ms = models.PositiveIntegerField(null=True, blank=True, help_text="The moment of the video that it is about.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    def __str__(self) -> str:
        return self.text[:60]
