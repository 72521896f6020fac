"""Room on the disk for what an order will make, looked at before anything is sent."""

import shutil

import structlog
from django.db import DatabaseError, transaction
from django.utils import timezone

from playground.media import storage
from playground.models import Membership
from playground.services import notices
from playground.services.run_errors import StorageFull

log = structlog.get_logger(__name__)

LEAST_FREE_BYTES = 2 * 1024**3
"""Room for the largest file a download takes (1 GiB) twice: while it comes in, and copied into another file system."""
LEAST_FREE_SHARE = 0.05
"""What ext4 keeps back for the system by default; beyond that every writer on the machine gets into trouble."""


def check(*, by: Membership) -> None:
    """Raises StorageFull, and tells the admins once a day, when a video would not find room.

    A remote store has no limit that we know, its way there has.
    """
    free, least = storage.free_bytes(), LEAST_FREE_BYTES
    if storage.local_path("videos") is not None:
        least = max(least, int(LEAST_FREE_SHARE * shutil.disk_usage(storage.temporary_folder()).total))
    if free < least:
        _tell(by, free_bytes=free, needed_bytes=least)
        raise StorageFull(free)


def _tell(by: Membership, **sizes: int) -> None:
    """A disk without any room takes no notice either, where the database lies on it: then the refusal alone tells."""
    now = timezone.now()
    data = {**sizes, "folder": str(storage.temporary_folder().parent)}
    try:
        with transaction.atomic():
            notices.tell("disk_low", team=by.team, key=f"disk_low:{now:%Y-%m-%d}", data=data, now=now)
    except DatabaseError as error:
        log.warning("disk_low_not_told", error=str(error), **sizes)
