"""What is tidied in the background, once an hour by the worker."""

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

import structlog
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.db.models import Min, Model
from django.utils import timezone

from playground import queue
from playground.domain.status import Status
from playground.media import orphans, storage
from playground.models import Event, Reference, SignInLink, Video
from playground.services import hooks
from playground.services.videos import purge_rows

log = structlog.get_logger(__name__)

TRASH_KEPT = timedelta(days=30)
"""Pages that say when a video will be gone take it from here."""
UPLOADS_KEPT = timedelta(days=30)
LEFTOVERS_AFTER = timedelta(hours=24)
ORPHANS_KEPT = timedelta(days=30)
FEW_ORPHANS, ORPHANS_SHARE = 20, 0.1
"""More orphans than the greater of this number and this share of the files mean that the database is the wrong one."""
KEYS_AT_ONCE = 500
NAMING: dict[type[Model], tuple[str, ...]] = {
    Video: ("key", "poster_key", "preview_key"),
    Reference: ("key", "original_key", "thumb_key"),
}
"""The columns that name stored files."""


def tidy(*, now: datetime | None = None) -> None:
    """Empty the trash, drop unused uploads, left-over files, old links and sessions, and set nameless files aside."""
    now = now or timezone.now()
    purged = purge_rows(Video.objects.trashed().filter(trashed_at__lt=now - TRASH_KEPT))
    uploads = _unused_uploads(now=now)
    files = storage.clear_abandoned() + storage.sweep_temporary(LEFTOVERS_AFTER)
    try:
        set_aside = _orphans(now=now)
    except storage.StoreUnavailable as error:
        log.warning("orphans_not_searched", why=str(error))
        set_aside = 0
    links, _ = SignInLink.objects.filter(expires_at__lt=now - LEFTOVERS_AFTER).delete()
    failures = queue.prune_failures(older_than=timedelta(days=7))
    webhooks = hooks.prune(now=now)
    call_command("clearsessions")
    log.info(
        "tidied",
        videos=purged,
        uploads=uploads,
        files=len(files),
        orphans=set_aside,
        links=links,
        failures=failures,
        webhooks=webhooks,
    )


def _orphans(*, now: datetime) -> int:
    """Set aside stored files that no row names: left by a process that died between storing a file and writing its row.

    The database may be less than the whole truth (an older backup, an empty new one, a store that another installation
    uses too). So a file is first only moved, comes back when a row names it again, and is deleted after `ORPHANS_KEPT`;
    and where the database can hardly be the one of these files, nothing is done but to say so.
    """
    seen, nameless = _search(now=now)
    why = _doubt(seen, len(nameless))
    if why:
        log.error("orphans_left_alone", why=why, files=seen, orphans=len(nameless))
        return 0
    for key in nameless:
        with suppress(FileNotFoundError):  # gone meanwhile
            orphans.set_aside(key)
            log.info("orphan_set_aside", key=key)
    _mind_set_aside(now=now)
    return len(nameless)


def _search(*, now: datetime) -> tuple[int, list[str]]:
    """How many files were looked at, and those that no row names.

    Whoever is saving a video holds files without a row too, all of them younger than its start. So nothing younger
    than a day or than the start of the oldest running save counts, however long that one was frozen. The files are
    listed before the rows are read: a row that appears meanwhile is seen.
    """
    saving = Event.objects.filter(generation__status=Status.STORING, kind="saving_started")
    begun_at = saving.aggregate(at=Min("at"))["at"]
    age = max(LEFTOVERS_AFTER, now - begun_at) if begun_at else LEFTOVERS_AFTER
    waiting, seen, nameless = orphans.old_keys(age), 0, list[str]()
    while keys := set(islice(waiting, KEYS_AT_ONCE)):
        seen += len(keys)
        nameless += sorted(keys - _named(keys))
    return seen, nameless


def _doubt(seen: int, nameless: int) -> str:
    """Why the database does not look like that of the files; empty when it does."""
    waiting = nameless or next(orphans.keys_aside(), None)
    if waiting and not any(model._default_manager.exists() for model in NAMING):
        return "the database has no video and no reference image"
    if nameless > max(FEW_ORPHANS, ORPHANS_SHARE * seen):
        return "too many files are without a row"
    return ""


def _mind_set_aside(*, now: datetime) -> None:
    """Bring back what a row names again, and delete what has waited long enough."""
    waiting = orphans.keys_aside()
    while moved_at := dict(islice(waiting, KEYS_AT_ONCE)):
        named = _named(set(moved_at))
        for key, at in sorted(moved_at.items()):
            if key in named:
                with suppress(FileNotFoundError):
                    orphans.bring_back(key)
                    log.warning("orphan_brought_back", key=key)
            elif at < now - ORPHANS_KEPT:
                orphans.drop_aside(key)
                log.info("orphan_removed", key=key)


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
        try:
            with transaction.atomic():
                reference.delete()
        except IntegrityError:
            log.info("upload_in_use_after_all", reference=str(reference.id))
            continue
        count += 1
        storage.forget(reference.key, reference.thumb_key, reference.original_key)
    return count


def at_start() -> None:
    """Before a worker begins: what a crash left half-written goes, the files of living processes stay."""
    storage.clear_abandoned()


def try_store() -> None:
    """Whether a remote media store takes files and gives them back. Raises OSError; a folder of ours is not tried."""
    storage.try_out()
