"""What was uploaded, as counters that a limit can be kept by: of a person in a day, and of a team in all."""

from django.db import models

from playground.models.base import Row
from playground.models.team import Team
from playground.models.user import User


class UploadDay(Row):
    """What one person sent in one day of the installation's calendar, whatever became of it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    day = models.DateField(db_index=True)
    sent_bytes = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "day"], name="upload_day_once_per_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.day}: {self.sent_bytes}"


class UploadTotal(models.Model):
    """What the team's reference images take up: the sum of `Reference.stored_bytes`."""

    team = models.OneToOneField(Team, on_delete=models.CASCADE, primary_key=True, related_name="+")
    stored_bytes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.team_id}: {self.stored_bytes}"
