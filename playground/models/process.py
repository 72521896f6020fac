"""What the processes say to one another: who leads, who is alive."""

from django.db import models


class Lease(models.Model):
    """At most one holder of a name at a time; it may be taken over once `until` has passed."""

    name = models.CharField(max_length=60, primary_key=True)
    holder = models.UUIDField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Heartbeat(models.Model):
    """The last sign of life of a kind of process."""

    name = models.CharField(max_length=60, primary_key=True)
    at = models.DateTimeField()
    detail = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
