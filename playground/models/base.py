"""What every table of ours shares."""

import uuid

import uuid_utils.compat
from django.db import models


def new_id() -> uuid.UUID:
    """A UUIDv7: not guessable, and in the order of time."""
    return uuid_utils.compat.uuid7()


class Row(models.Model):
    """A table keyed by UUIDv7."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True
