"""What is tidied in the background, once an hour by the worker."""

from datetime import datetime, timedelta

import structlog
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from playground import queue
from playground.media import storage
from playground.models import Reference, SignInLink, Video
from playground.services import (
    budget_requests,
    collections,
    comments,
    hooks,
    keys_used,
    orphan_files,
    rates,
    reconcile_daily,
    repair,
    restored,
    retention,
    upload_quotas,
    video_requests,
)
from playground.services.videos import purge_rows

log = structlog.get_logger(__name__)

TRASH_KEPT = timedelta(days=30)
"""Pages that say when a video will be gone take it from here."""
UPLOADS_KEPT = timedelta(days=30)
LEFTOVERS_AFTER = timedelta(hours=24)


def tidy(*, now: datetime | None = None) -> None:
    """Put old videos into the trash and empty it, drop unused uploads, left-over files, old links and sessions, and set
    nameless files aside."""
    now = now or timezone.now()
    past_time = retention.trash_old(now=now)
    left_behind = retention.trash_left_behind(now=now)
    purged = purge_rows(Video.objects.trashed().filter(trashed_at__lt=now - TRASH_KEPT))
    uploads = _unused_uploads(now=now)
    upload_quotas.prune(now=now)
    files = storage.clear_abandoned() + storage.sweep_temporary(LEFTOVERS_AFTER)
    set_aside = _orphans(now=now)
    links, _ = SignInLink.objects.filter(expires_at__lt=now - LEFTOVERS_AFTER).delete()
    failures = queue.prune_failures(older_than=timedelta(days=7))
    webhooks = hooks.prune(now=now)
    buckets = rates.prune(now=now)
    taken_back = collections.forget_removed(now=now) + comments.forget_removed(now=now)
    call_command("clearsessions")
    compared = reconcile_daily.start_due(now=now)
    repaired = repair.run(now=now, periodic=True)
    keys_used.note(now=now)  # what a full disk did not take at the start
    log.info(
        "tidied",
        videos=purged,
        past_time=past_time,
        left_behind=left_behind,
        uploads=uploads,
        files=len(files),
        orphans=set_aside,
        links=links,
        failures=failures,
        webhooks=webhooks,
        buckets=buckets,
        taken_back=taken_back,
        compared=compared,
        repaired=len(repaired),
    )


def _orphans(*, now: datetime) -> int:
    try:
        return len(orphan_files.set_aside(now=now))
    except storage.StoreUnavailable as error:
        log.warning("orphans_not_searched", why=str(error))
    except orphan_files.Doubtful:
        pass  # it has said so itself
    return 0


def _unused_uploads(*, now: datetime) -> int:
    """Reference images that no order and no open form needs any more."""
    count = 0
    unused = Reference.objects.filter(created_at__lt=now - UPLOADS_KEPT, generations=None, cuts=None)
    needed = budget_requests.needed_references(now=now) | video_requests.needed_references()
    for reference in unused.exclude(id__in=needed):
        try:
            with transaction.atomic():
                reference.delete()
                upload_quotas.give_back(team_id=reference.team_id, stored_bytes=reference.stored_bytes)
        except IntegrityError:
            log.info("upload_in_use_after_all", reference=str(reference.id))
            continue
        count += 1
        storage.forget(reference.key, reference.thumb_key, reference.original_key)
    return count


def at_start() -> None:
    """Before a worker begins: what a crash left half-written goes, the files of living processes stay; and a database
    that was put in place from a backup is made safe to work on."""
    storage.clear_abandoned()
    restored.settle(now=timezone.now())


def try_store() -> None:
    """Whether a remote media store takes files and gives them back. Raises OSError; a folder of ours is not tried."""
    storage.try_out()
