"""Bringing a finished video home. Only when our own checked copy is stored is it done.

There has to be room for it. It is streamed to a temporary file, its length and boxes checked, decoded once from end to
end, poster and preview made, synced and renamed; then one transaction makes the video's row, settles the money and says
done. A worker that dies in between leaves a temporary file, which the next start removes, and a claim that runs out.
What a failed try means is in services/saving.py.
"""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import structlog
from django.db import Error, transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.client import GatewayClient
from playground.gateway.errors import GatewayError, TooSlow
from playground.gateway.types import Downloaded, Job, JobState, Output
from playground.media import probe, stills, storage
from playground.media.boxes import BadVideo
from playground.models import Generation, SearchDocument, Video
from playground.models.base import new_id
from playground.services import engine, gateways, ledger, mix_ups, saving, video_requests
from playground.services.engine import Move
from playground.services.saving import cost_of
from playground.services.told_lengths import Expected

log = structlog.get_logger(__name__)

SPARE_BYTES = 64 * 1024**2
"""Room beside the file itself: its poster and preview, and what the database writes meanwhile."""
SUFFIXES = {"video/mp4": ".mp4", "video/webm": ".webm"}


class ClaimLost(Exception):
    """Somebody else took over: stop, write nothing."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A checked file with its pictures, still in temporary places."""

    facts: probe.Probe
    downloaded: Downloaded
    file: Path
    poster: Path
    preview: Path


def collect(generation_id: UUID) -> None:
    """Save the video of a completed generation. Safe to call at any time."""
    now = timezone.now()
    claim_id = engine.claim(
        generation_id, source=Status.COMPLETED, target=Status.STORING, event="saving_started", now=now
    )
    if claim_id is None:
        return
    # fault: save-claimed
    generation = Generation.objects.select_related("gateway", "team", "run", "model").get(id=generation_id)
    generation.claim_id = claim_id
    try:
        with (
            engine.kept(generation_id, claim_id),
            storage.temporary(".mp4") as file,
            storage.temporary(".webp") as poster,
            storage.temporary(".mp4") as preview,
        ):
            try:
                collected = _fetch(generation, claim_id, file=file, poster=poster, preview=preview)
            except BadVideo as refused:  # while the file is still here: it was paid, the last try sets it aside
                saving.failed(generation, refused, file=file)
            else:
                _store(generation, claim_id, collected)
    except ClaimLost:
        log.warning("saving_claim_lost", generation=str(generation_id))
    except Exception as error:  # noqa: BLE001  whatever went wrong is a try, written down with the row and in the log
        saving.failed(generation, error)


def _fetch(generation: Generation, claim_id: UUID, *, file: Path, poster: Path, preview: Path) -> Collected:
    def still_ours() -> None:
        if not engine.renew(generation.id, claim_id, now=timezone.now()):
            raise ClaimLost

    heartbeat = _Every(seconds=3.0, action=still_ours)
    with gateways.client_for(generation.gateway) as client, file.open("wb") as sink:
        # fault: temp-open
        downloaded, expected = _downloaded(generation, client, sink, heartbeat)
    still_ours()
    # fault: downloaded
    facts = probe.probe(file, tick=heartbeat)
    expected.check(downloaded.size_bytes, facts.duration_ms, ordered_s=generation.run.settings.get("seconds"))
    stills.poster(file, poster)
    heartbeat()
    stills.preview(file, preview, tick=heartbeat)
    still_ours()
    return Collected(facts, downloaded, file, poster, preview)


class _Every:
    """Calls `action` at most every `seconds`, however often it is called itself."""

    def __init__(self, *, seconds: float, action: Callable[[], None]) -> None:
        self.gap = timedelta(seconds=seconds)
        self.action = action
        self.last: datetime | None = None

    def __call__(self) -> None:
        now = timezone.now()
        if self.last is None or now - self.last >= self.gap:
            self.last = now
            self.action()


def check_room(size_bytes: int | None) -> None:
    """Before a download. Raises OSError (ENOSPC) when the file would hardly fit; of one whose size is not told the
    spare room alone is asked for."""
    if storage.free_bytes() < (size_bytes or 0) + SPARE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _downloaded(
    generation: Generation, client: GatewayClient, sink: BinaryIO, heartbeat: Callable[[], None]
) -> tuple[Downloaded, Expected]:
    """By the link we know; after a failed try, or where there is none, by that of a fresh answer of the gateway.

    A gateway that does not answer just now does not keep a link from being tried that may work all the same. When it
    does not, the gateway's silence is what is wrong, and the link's own fault its cause: the link was not asked for
    anew. Giving way is nobody's fault.
    """
    assert generation.upstream_id is not None
    known = Output(url=generation.output_url or None, size_bytes=generation.output_size_bytes)
    job = Job(id=generation.upstream_id, state=JobState.COMPLETED, output=known)
    silent: GatewayError | None = None
    if generation.collect_attempts or known.url is None:
        try:
            fresh = mix_ups.asked(generation, client)
        except GatewayError as error:
            if known.url is None:
                raise
            silent = error
        else:
            if fresh.state is JobState.COMPLETED:
                _keep_link(generation, fresh)
                job = fresh
    expected = _expected(generation, job, most=client.config.limits.max_download_bytes)
    if job.output:
        job = replace(job, output=replace(job.output, size_bytes=expected.exactly))
    check_room(expected.exactly or expected.told)

    def gives_way(drips: bool) -> bool:
        return saving.gives_way(generation, drips=drips, now=timezone.now())

    try:
        return client.download(job, sink, heartbeat=heartbeat, gives_way=gives_way), expected
    except GatewayError as error:
        if silent is None or isinstance(error, TooSlow):
            raise
        raise silent from error


def _expected(generation: Generation, job: Job, *, most: int) -> Expected:
    """Of its file, by what the gateway tells, unless that cannot be or was refuted: its own bytes decide then."""
    told = job.output.size_bytes if job.output else None
    if not told:
        return Expected()
    expected = saving.expected_length(generation, told, now=timezone.now()) if told <= most else Expected()
    if expected.exactly != told:
        log.warning("told_length_not_believed", generation=str(generation.id), told=told)
    return expected


def _keep_link(generation: Generation, job: Job) -> None:
    """A fresh link has an end of its own, by which it is put in order and tried."""
    generation.output_expires_at = job.expires_at or generation.output_expires_at
    generation.output_url = (job.output.url or "") if job.output else generation.output_url
    Generation.objects.filter(id=generation.id, claim_id=generation.claim_id).update(
        output_url=generation.output_url, output_expires_at=generation.output_expires_at
    )


def _store(generation: Generation, claim_id: UUID, collected: Collected) -> None:
    """Into the store and the books. Whatever goes wrong, files that got no row leave the store again."""
    video = _video_of(generation, collected)
    is_kept = False
    try:
        storage.adopt(collected.file, video.key)
        storage.adopt(collected.poster, video.poster_key)
        storage.adopt(collected.preview, video.preview_key)
        # fault: adopted
        is_kept = _entered(generation, claim_id, video, now=timezone.now())
    finally:
        if not is_kept:
            _forget_files(generation, video)
    if not is_kept:
        raise ClaimLost


def _entered(generation: Generation, claim_id: UUID, video: Video, *, now: datetime) -> bool:
    """The row of the video, its money and its state, in one transaction. False when somebody else took over."""
    fields = {"next_check_at": None, "claim_id": None, "ended_at": now, "output_url": ""}
    fields |= {"error_kind": "", "error_code": "", "error_message": ""}
    move = Move(generation.id, Status.STORING, Status.DONE, "stored", claim_id, {"video": str(video.id)}, None, fields)
    with transaction.atomic():
        moved = engine.advance(move, now=now)
        if moved:
            video.save(force_insert=True)
            SearchDocument.objects.create(video=video, team_id=video.team_id, text=f"{video.title}\n{video.prompt}")
            # fault: done-unsettled
            video_requests.ready(video=video, run=generation.run, now=now)
            ledger.settle(generation=generation, cost_micros=cost_of(generation), at=now)
    # fault: done
    return moved


def _forget_files(generation: Generation, video: Video) -> None:
    """Of a transaction that failed. It may have been committed and its answer lost: then the files are its own.

    Where the database cannot say, they stay, and the search for files without rows finds them (orphan_files.py).
    """
    try:
        is_kept = _has_row(generation, video)
    except Error as error:
        log.warning("files_left_in_store", video=str(video.id), why=type(error).__name__)
        return
    if not is_kept:
        storage.forget(video.key, video.poster_key, video.preview_key)


def _has_row(generation: Generation, video: Video) -> bool:
    """The lock waits for a transaction of ours that the server has not ended yet, though we lost its connection."""
    with transaction.atomic():
        Generation.objects.select_for_update().filter(id=generation.id).first()
        return Video.objects.filter(id=video.id).exists()


def _video_of(generation: Generation, collected: Collected) -> Video:
    video_id = new_id()
    facts, run = collected.facts, generation.run
    return Video(
        id=video_id,
        team_id=generation.team_id,
        generation=generation,
        owner_id=run.created_by_id,
        visibility=run.visibility,
        prompt=run.prompt,
        settings=run.settings | {"model": generation.model.slug},
        key=storage.video_key(video_id, SUFFIXES[facts.content_type]),
        poster_key=storage.poster_key(video_id),
        preview_key=storage.preview_key(video_id),
        content_type=facts.content_type,
        width=facts.width,
        height=facts.height,
        duration_ms=facts.duration_ms,
        has_audio=facts.has_audio,
        size_bytes=collected.downloaded.size_bytes,
        sha256=collected.downloaded.sha256,
    )
