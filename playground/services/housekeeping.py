"""What is tidied in the background, once an hour by the worker."""

from datetime import datetime, timedelta

import structlog
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from playground import queue
from playground.media import storage
from playground.models import Reference, SignInLink, Video
from playground.services.videos import purge_rows

log = structlog.get_logger(__name__)

TRASH_KEPT = timedelta(days=30)
"""Pages that say when a video will be gone take it from here."""
UPLOADS_KEPT = timedelta(days=30)
LEFTOVERS_AFTER = timedelta(hours=24)


def tidy(*, now: datetime | None = None) -> None:
    """Empty the trash of what is older than 30 days, drop unused uploads, left-over files, old links and sessions."""
    now = now or timezone.now()
    purged = purge_rows(Video.objects.trashed().filter(trashed_at__lt=now - TRASH_KEPT))
    uploads = _unused_uploads(now=now)
    files = storage.sweep_temporary(LEFTOVERS_AFTER)
    links, _ = SignInLink.objects.filter(expires_at__lt=now - LEFTOVERS_AFTER).delete()
    failures = queue.prune_failures(older_than=timedelta(days=7))
    call_command("clearsessions")
    log.info("tidied", videos=purged, uploads=uploads, files=len(files), links=links, failures=failures)


def _unused_uploads(*, now: datetime) -> int:
    """Reference images that no order and no open form needs any more."""
    count = 0
    for reference in Reference.objects.filter(created_at__lt=now - UPLOADS_KEPT, generations=None, cuts=None):
        keys = (reference.key, reference.thumb_key, reference.original_key)
        try:
            with transaction.atomic():
                reference.delete()
        except IntegrityError:
            log.info("upload_in_use_after_all", reference=str(reference.id))
            continue
        count += 1
        for key in filter(None, keys):
            storage.delete(key)
    return count
