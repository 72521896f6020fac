"""What is tidied in the background, once an hour by the worker."""

from datetime import datetime, timedelta
from itertools import islice

import structlog
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import Min, Model
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.media import storage
from playground.models import Event, Reference, SignInLink, Video
from playground.services.videos import purge_rows

log = structlog.get_logger(__name__)

TRASH_KEPT = timedelta(days=30)
"""Pages that say when a video will be gone take it from here."""
UPLOADS_KEPT = timedelta(days=30)
LEFTOVERS_AFTER = timedelta(hours=24)
KEYS_AT_ONCE = 500
NAMING: dict[type[Model], tuple[str, ...]] = {
    Video: ("key", "poster_key", "preview_key"),
    Reference: ("key", "original_key", "thumb_key"),
}
"""The columns that name stored files."""


def tidy(*, now: datetime | None = None) -> None:
    """Empty the trash, drop unused uploads, left-over and nameless files, old links and sessions, each at its age."""
    now = now or timezone.now()
    purged = purge_rows(Video.objects.trashed().filter(trashed_at__lt=now - TRASH_KEPT))
    uploads = _unused_uploads(now=now)
    files = storage.sweep_temporary(LEFTOVERS_AFTER)
    orphans = _orphans(now=now)
    links, _ = SignInLink.objects.filter(expires_at__lt=now - LEFTOVERS_AFTER).delete()
    failures = queue.prune_failures(older_than=timedelta(days=7))
    call_command("clearsessions")
    log.info(
        "tidied", videos=purged, uploads=uploads, files=len(files), orphans=orphans, links=links, failures=failures
    )


def _orphans(*, now: datetime) -> int:
    """Remove stored files that no row names: left by a process that died between storing a file and writing its row.

    Whoever is saving a video holds files without a row too, all of them younger than its start. So nothing younger
    than a day or than the start of the oldest running save goes, however long that one was frozen. The files are listed
    before the rows are read: a row that appears meanwhile is seen.
    """
    saving = Event.objects.filter(generation__status=Status.STORING, kind="saving_started")
    begun_at = saving.aggregate(at=Min("at"))["at"]
    age = max(LEFTOVERS_AFTER, now - begun_at) if begun_at else LEFTOVERS_AFTER
    waiting, count = storage.old_keys(age), 0
    while keys := set(islice(waiting, KEYS_AT_ONCE)):
        for key in sorted(keys - _named(keys)):
            storage.delete(key)
            log.info("orphan_removed", key=key)
            count += 1
    return count


def _named(keys: set[str]) -> set[str]:
    """Those of `keys` that a row names."""
    named: set[str] = set()
    for model, fields in NAMING.items():
        for field in fields:
            named.update(model._default_manager.filter(**{f"{field}__in": keys}).values_list(field, flat=True))
    return named


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
