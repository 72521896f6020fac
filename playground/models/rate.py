"""How full a bucket of a rate limit is."""

from django.db import models


class Rate(models.Model):
    """One bucket. Its name holds nothing that can be read: a keyed hash of whom it counts."""

    key = models.CharField(max_length=60, primary_key=True)
    full_at_us = models.BigIntegerField(help_text="When it is full again, in microseconds since 1970.")

    def __str__(self) -> str:
        return self.key
