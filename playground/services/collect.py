"""Bringing a finished video home. Only when our own checked copy is stored is it done.

Streamed to a temporary file, its length and boxes checked, decoded once from end to end, poster and preview made,
synced and renamed; then one transaction makes the video's row, settles the money and says done. A worker that dies in
between leaves a temporary file and a claim that runs out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from playground.domain.status import Status
from playground.gateway.client import GatewayClient
from playground.gateway.errors import GatewayError, NotSent
from playground.gateway.types import Downloaded, Job, JobState, Output
from playground.media import probe, stills, storage
from playground.media.boxes import BadVideo
from playground.models import Generation, SearchDocument, Video
from playground.models.base import new_id
from playground.services import engine, gateways, ledger
from playground.services.engine import Move

log = structlog.get_logger(__name__)

MAX_TRIES = 5
KEEP_TRYING = timedelta(hours=24)
"""After the link has ended, for faults on this side: then nothing is there to be fetched any more."""
RETRY_S = (1, 2, 5, 15, 60)
"""Pauses between tries; the last one is repeated while the fault is on this side."""
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
    try:
        with (
            engine.kept(generation_id, claim_id),
            storage.temporary(".mp4") as file,
            storage.temporary(".webp") as poster,
            storage.temporary(".mp4") as preview,
        ):
            collected = _fetch(generation, claim_id, file=file, poster=poster, preview=preview)
            _store(generation, claim_id, collected)
    except ClaimLost:
        log.warning("saving_claim_lost", generation=str(generation_id))
    except Exception as error:  # noqa: BLE001  whatever went wrong is a try, written down with the row and in the log
        _failed(generation, claim_id, error)


def _fetch(generation: Generation, claim_id: UUID, *, file: Path, poster: Path, preview: Path) -> Collected:
    def still_ours() -> None:
        if not engine.renew(generation.id, claim_id, now=timezone.now()):
            raise ClaimLost

    heartbeat = _Every(seconds=3.0, action=still_ours)
    with gateways.client_for(generation.gateway) as client:
        job = _job(generation, client)
        with file.open("wb") as sink:
            # fault: temp-open
            downloaded = client.download(job, sink, heartbeat=heartbeat)
    still_ours()
    # fault: downloaded
    facts = probe.probe(file, tick=heartbeat)
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


def _job(generation: Generation, client: GatewayClient) -> Job:
    """What to download: the link we know, or after a failed try a fresh answer of the gateway."""
    assert generation.upstream_id is not None
    if generation.collect_attempts or not generation.output_url:
        job = client.retrieve(generation.upstream_id)
        if job.state is JobState.COMPLETED:
            return job
    return Job(
        id=generation.upstream_id,
        state=JobState.COMPLETED,
        output=Output(url=generation.output_url or None, size_bytes=generation.output_size_bytes),
    )


def _store(generation: Generation, claim_id: UUID, collected: Collected) -> None:
    video = _video_of(generation, collected)
    storage.adopt(collected.file, video.key)
    storage.adopt(collected.poster, video.poster_key)
    storage.adopt(collected.preview, video.preview_key)
    # fault: adopted
    now = timezone.now()
    fields = {"next_check_at": None, "claim_id": None, "ended_at": now, "output_url": ""}
    fields |= {"error_kind": "", "error_code": "", "error_message": ""}
    move = Move(generation.id, Status.STORING, Status.DONE, "stored", claim_id, {"video": str(video.id)}, None, fields)
    with transaction.atomic():
        moved = engine.advance(move, now=now)
        if moved:
            video.save(force_insert=True)
            SearchDocument.objects.create(video=video, team_id=video.team_id, text=f"{video.title}\n{video.prompt}")
            # fault: done-unsettled
            ledger.settle(generation=generation, cost_micros=_cost(generation), at=now)
    # fault: done
    if not moved:
        storage.forget(video.key, video.poster_key, video.preview_key)
        raise ClaimLost


def _cost(generation: Generation) -> int:
    """The gateway's own figure; where it gives none, what was set aside."""
    if generation.cost_micros is not None:
        return generation.cost_micros
    return generation.estimate_micros or 0


def _video_of(generation: Generation, collected: Collected) -> Video:
    video_id = new_id()
    facts, run = collected.facts, generation.run
    return Video(
        id=video_id,
        team_id=generation.team_id,
        generation=generation,
        owner_id=run.created_by_id,
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


def _failed(generation: Generation, claim_id: UUID, error: Exception) -> None:
    """A failed try: what lies on this side or on the way may mend itself; what the other side serves gets a few."""
    known = isinstance(error, GatewayError | BadVideo | gateways.GatewayNotConfigured | OSError)
    code = str(getattr(error, "code", type(error).__name__))[:100]
    log.warning("saving_failed", generation=str(generation.id), code=code, exc_info=None if known else error)
    is_ours = isinstance(error, NotSent | OSError | gateways.GatewayNotConfigured)
    _try_again_or_lost(generation, claim_id, code=code, message=str(error), may_mend=is_ours, now=timezone.now())


def abandoned(generation: Generation, *, now: datetime) -> None:
    """Whoever was saving it died or froze: one of its tries is gone."""
    if generation.claim_id is not None:
        _try_again_or_lost(generation, generation.claim_id, code="saver_lost", message="", may_mend=False, now=now)


def _try_again_or_lost(
    generation: Generation, claim_id: UUID, *, code: str, message: str, may_mend: bool, now: datetime
) -> None:
    """Back to be saved again, or lost for good: then its cost is what the gateway said."""
    tries = generation.collect_attempts + 1
    ends_at = (generation.output_expires_at or generation.completed_at or now) + KEEP_TRYING
    is_over = now >= ends_at if may_mend else tries >= MAX_TRIES
    fields = {"collect_attempts": tries, "error_code": code, "claim_id": None}
    if is_over:
        fields |= {"next_check_at": None, "ended_at": now, "error_message": message}
        target, event = Status.OUTPUT_LOST, "output_lost"
    else:
        pause = timedelta(seconds=RETRY_S[min(tries, len(RETRY_S)) - 1])
        fields |= {"next_check_at": now + pause}
        target, event = Status.COMPLETED, "saving_failed"
    move = Move(generation.id, Status.STORING, target, event, claim_id, {"code": code, "try": tries}, None, fields)
    with transaction.atomic():
        is_lost = engine.advance(move, now=now) and is_over
        if is_lost:
            whole = Generation.objects.select_related("gateway", "team", "run").get(id=generation.id)
            ledger.settle(generation=whole, cost_micros=_cost(whole), at=now)
    if is_lost:
        log.error("output_lost", generation=str(generation.id), code=code)
