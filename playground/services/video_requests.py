"""Asking the team to make a video: what somebody who may not order puts before those who may. Nothing is spent by it.

A request is answered once: by the run that is made from it, by a word of refusal, or by whoever asked taking it back.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from playground.models import Membership, Role, Run, Team, User, Video, VideoRequest
from playground.models.video_request import NOTE_MOST as NOTE_MOST
from playground.services import budgets, notices
from playground.services.wanted import Wanted

MOST_OPEN = 20
"""Of one person at a time."""


class AskedTooOften(Exception):
    """MOST_OPEN requests of this person wait for an answer already."""


class NotYours(Exception):
    """This member may not answer, or take back, this request."""


def ask(
    *,
    by: Membership,
    wanted: Wanted,
    prompt: str,
    note: str = "",
    parent_id: UUID | None = None,
    now: datetime | None = None,
) -> VideoRequest:
    """Put it before all who may make it. The same one asked for again is the first while that is open.

    Raises AskedTooOften.
    """
    now = now or timezone.now()
    settings = wanted.settings() | {"references": [str(picture.id) for picture in wanted.references]}
    if parent_id:
        settings["parent"] = str(parent_id)
    same = {"model_id": wanted.model.id, "prompt": prompt, "settings": settings}
    with transaction.atomic():
        team = budgets.lock(by.team_id)
        open_ones = list(VideoRequest.objects.filter(team=team, by=by.user).open())
        for one in open_ones:
            if all(getattr(one, name) == value for name, value in same.items()):
                return one
        if len(open_ones) >= MOST_OPEN:
            raise AskedTooOften
        row = VideoRequest.objects.create(team=team, by=by.user, note=note[:NOTE_MOST], created_at=now, **same)
        row.references.set(wanted.references)
        _tell_makers(row, by=by, now=now)
    return row


def _tell_makers(request: VideoRequest, *, by: Membership, now: datetime) -> None:
    """The admins together, as they share all that is for admins, and each creator."""
    data, key = {"video_request": str(request.id), "name": by.user.display_name}, f"video_asked:{request.id}"
    notices.tell("video_asked", team=request.team, key=key, data=data, now=now)
    creators = User.objects.filter(memberships__team_id=request.team_id, memberships__role=Role.CREATOR)
    for user in creators.exclude(id=by.user_id):
        notices.tell("video_asked", team=request.team, key=f"{key}:{user.id}", data=data, user=user, now=now)


def made(*, by: Membership, request: VideoRequest, run: Run, now: datetime) -> bool:
    """`run` was ordered for it. False when it was answered already. Call it in the transaction that orders."""
    if not by.may_create:
        raise NotYours
    if not _answered(by, request, now=now, run=run):
        return False
    _tell_asker(request, by=by, data={"run": str(run.id)}, now=now)
    return True


def decline(*, by: Membership, request: VideoRequest, word: str = "", now: datetime | None = None) -> bool:
    """Answer with a word instead of a video. False when it was answered already."""
    now = now or timezone.now()
    if not by.may_create or request.by_id == by.user_id:
        raise NotYours
    with transaction.atomic():
        if not _answered(by, request, now=now, answer=word[:NOTE_MOST]):
            return False
        _tell_asker(request, by=by, data={}, now=now)
        return True


def take_back(*, by: Membership, request: VideoRequest, now: datetime | None = None) -> bool:
    """Ask for it no more. False when it was answered already."""
    if request.by_id != by.user_id:
        raise NotYours
    return _answered(by, request, now=now or timezone.now())


def ready(*, video: Video, run: Run, now: datetime) -> None:
    """The first video of a run that was asked for is here: say so to who asked."""
    for request in VideoRequest.objects.filter(run=run).exclude(by_id=run.created_by_id).select_related("by", "team"):
        if _still_belongs(request.by, request.team):
            data = {"video_request": str(request.id), "run": str(run.id), "video": str(video.id)}
            key = f"video_made:{request.id}"
            notices.tell("video_made", team=request.team, key=key, data=data, user=request.by, now=now)


def needed_references() -> set[UUID]:
    """Pictures of what waits for an answer."""
    return set(VideoRequest.objects.open().exclude(references=None).values_list("references", flat=True))


def _answered(by: Membership, request: VideoRequest, *, now: datetime, **answer: Any) -> bool:
    rows = VideoRequest.objects.filter(id=request.id, team_id=by.team_id, answered_at=None)
    return bool(rows.update(answered_at=now, answered_by=by.user, **answer))


def _tell_asker(request: VideoRequest, *, by: Membership, data: dict[str, str], now: datetime) -> None:
    if request.by_id == by.user_id or not _still_belongs(request.by, by.team):
        return
    told = {"video_request": str(request.id), "name": by.user.display_name} | data
    key = f"video_answered:{request.id}"
    notices.tell("video_answered", team=by.team, key=key, data=told, user=request.by, now=now)


def _still_belongs(user: User, team: Team) -> bool:
    return Membership.objects.filter(team=team, user=user).exists()
