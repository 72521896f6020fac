"""Reference images: checked by decoding, drawn anew without metadata, kept with their original."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.domain.crop import Crop
from playground.media import images, storage
from playground.media.images import DecoderAway, ImageRefused, NormalisedImage
from playground.models import Membership, Reference, VideoRequest
from playground.models.base import new_id
from playground.services import budgets, few_of_one, places, upload_quotas

__all__ = ["DecoderAway", "ImageRefused", "check_count", "check_kept", "cut", "discard", "gone", "store"]

log = structlog.get_logger(__name__)

PER_ORDER = 9
"""Pictures that one order may carry: what the model that takes most of them takes."""


@contextmanager
def _in_reach() -> Iterator[None]:
    """A remote store that cannot be used just now is said beside the picture, like any other reason against it."""
    try:
        yield
    except storage.StoreUnavailable as error:
        log.warning("media_store_unavailable", why=str(error))
        words = _("The store for pictures and videos cannot be reached. Try again in a moment.")
        raise ImageRefused("store_away", words) from error


UPLOADS_OF_VIEWER = 20
"""Pictures that somebody who may only ask can have here at a time that no order and no open request uses.

Those of a request that was declined or taken back are among them: else asking and taking back would let in any number.
They stay to be used again, and make room, the oldest first, for a new picture that has none.
"""


@places.given_up()
@_in_reach()
def store(*, by: Membership, stream: BinaryIO, now: datetime | None = None) -> Reference:
    """Keep an uploaded image. Raises ImageRefused with words for the person who picked it.

    The same picture by the same person in the same team is the one they have already, as if picked just now.
    """
    with few_of_one.turn(by.user_id) as may:
        if not may:
            raise DecoderAway("busy", _("Several of your pictures are being looked at already. Try again in a moment."))
        return _store(by, stream, now or timezone.now())


def _store(by: Membership, stream: BinaryIO, now: datetime) -> Reference:
    stream.seek(0)
    with (
        storage.temporary(".image") as clean,
        storage.temporary(".thumb") as thumb,
        storage.temporary(".original") as original,
    ):
        with original.open("wb") as sink:
            while block := stream.read(256 * 1024):
                sink.write(block)
        upload_quotas.check(by=by, sent_bytes=original.stat().st_size, now=now)
        facts = images.normalise(original, clean, thumb=thumb)
        if kept := _kept(by, facts.sha256):
            return kept
        _make_room(by)
        files = [clean, thumb, original]
        reference = _new(by, facts, sum(path.stat().st_size for path in files))
        sent_bytes = original.stat().st_size
        keys = _adopt(reference, files)
    try:
        with transaction.atomic():
            upload_quotas.take(by=by, sent_bytes=sent_bytes, stored_bytes=reference.stored_bytes, now=now)
            _check_number(by)  # again: since `take` this person's uploads come one after the other
            reference.save(force_insert=True)
    except ImageRefused:  # others were faster
        storage.forget(*keys)
        raise
    return reference


def _new(by: Membership, facts: NormalisedImage, stored_bytes: int) -> Reference:
    reference_id = new_id()
    suffix = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}[facts.content_type]
    return Reference(
        id=reference_id,
        team_id=by.team_id,
        created_by_id=by.user_id,
        key=storage.reference_key(reference_id, suffix),
        original_key=storage.reference_key(reference_id, facts.original_suffix, variant="original"),
        thumb_key=storage.reference_key(reference_id, ".webp", variant="thumb"),
        content_type=facts.content_type,
        width=facts.width,
        height=facts.height,
        size_bytes=facts.size_bytes,
        sha256=facts.sha256,
        stored_bytes=stored_bytes,
    )


def _adopt(reference: Reference, files: list[Path]) -> list[str]:
    """Under its keys, in the order of `files`: the picture, its thumbnail, what was sent."""
    keys = [reference.key, reference.thumb_key, reference.original_key]
    for path, key in zip(files, keys, strict=True):
        storage.adopt(path, key)
    return keys


def _unused(by: Membership) -> QuerySet[Reference]:
    """This person's pictures that no order and no open request uses."""
    own = Reference.objects.filter(team_id=by.team_id, created_by_id=by.user_id, generations=None, cuts=None)
    waiting = VideoRequest.objects.filter(team_id=by.team_id).open()
    return own.filter(budget_requests=None).exclude(id__in=waiting.exclude(references=None).values("references"))


def _check_number(by: Membership) -> None:
    if not by.may_create and _unused(by).count() >= UPLOADS_OF_VIEWER:
        words = _("You have put in many pictures without asking for anything with them. Remove one, or ask first.")
        raise ImageRefused("too_many", words)


def _make_room(by: Membership) -> None:
    """For one picture. Raises ImageRefused where none of those in the way went with an answered request."""
    if by.may_create:
        return
    with transaction.atomic():
        budgets.lock(by.team_id)  # asking takes it too: none of these is asked with meanwhile
        over = max(0, _unused(by).count() - UPLOADS_OF_VIEWER + 1)
        answered = _unused(by).exclude(video_requests=None).order_by("created_at", "id")
        removed = [picture for picture in answered[:over] if _remove(_unused(by), picture)]
    _forget_files(*removed)
    _check_number(by)


def _kept(by: Membership, sha256: str) -> Reference | None:
    """An earlier upload of the same bytes whose file is still there; its age, by which it is tidied, starts anew."""
    own = Reference.objects.filter(team_id=by.team_id, created_by_id=by.user_id, sha256=sha256, cut_from=None)
    for reference in own.order_by("id"):
        reference.created_at = timezone.now()
        if storage.exists(reference.key) and own.filter(id=reference.id).update(created_at=reference.created_at):
            return reference
    return None


@places.given_up()
@_in_reach()
def cut(*, by: Membership, reference: Reference, crop: Crop) -> Reference:
    """The part of the picture that is sent, as a picture of its own; made once for each box.

    So a repeated order sends the same bytes whatever became of the picture's position since. Raises ImageRefused when
    the picture's file is gone.
    """
    if crop.is_whole:
        if not storage.exists(reference.key):
            raise gone()
        return reference
    x, y, width, height = crop.box
    place = {"cut_from": reference, "cut_x": x, "cut_y": y, "width": width, "height": height}
    made = Reference.objects.filter(**place).first()
    if made is not None and storage.exists(made.key):
        Reference.objects.filter(id=made.id).update(created_at=timezone.now())  # by its age it is tidied
        return made
    new = made or Reference(id=new_id(), team_id=reference.team_id, created_by_id=by.user_id, **place)
    _write_cut(new, reference, crop)
    try:
        with transaction.atomic():
            new.save()
    except IntegrityError:  # another press cut the same part meanwhile, or the picture was removed
        storage.forget(new.key, new.thumb_key)
        made = Reference.objects.filter(**place).first()
        if made is None:
            raise gone() from None
        return made
    return new


def _write_cut(new: Reference, reference: Reference, crop: Crop) -> None:
    new.key = storage.reference_key(new.id, ".jpg")
    new.thumb_key = storage.reference_key(new.id, ".webp", variant="thumb")
    with storage.temporary(".image") as picture, storage.temporary(".thumb") as thumb:
        try:
            with storage.open(reference.key) as source:
                facts = images.crop_to(source, picture, crop.box, thumb=thumb)
        except FileNotFoundError as error:
            raise gone() from error
        storage.adopt(picture, new.key)
        storage.adopt(thumb, new.thumb_key)
    new.content_type, new.size_bytes, new.sha256 = facts.content_type, facts.size_bytes, facts.sha256


def check_count(pictures: Collection[Reference]) -> None:
    """Raises ImageRefused for more pictures than an order may carry."""
    if len(pictures) > PER_ORDER:
        words = _("An order takes at most %(limit)d pictures.") % {"limit": PER_ORDER}
        raise ImageRefused("too_many", words)


def check_kept(pictures: list[Reference]) -> None:
    """Raises ImageRefused when one of them was removed meanwhile."""
    if Reference.objects.filter(id__in=[picture.id for picture in pictures]).count() < len(pictures):
        raise gone()


def gone() -> ImageRefused:
    return ImageRefused("gone", _("The picture is gone. Choose it again, or go on without one."))


def discard(*, by: Membership, reference: Reference) -> bool:
    """Forget an image of one's own that no order and no request used. False when it stays."""
    rows = Reference.objects.visible_to(by).filter(created_by_id=by.user_id)
    is_removed = _remove(rows.filter(video_requests=None, budget_requests=None), reference)
    if is_removed:
        _forget_files(reference)
    return is_removed


def _remove(among: QuerySet[Reference], reference: Reference) -> bool:
    """The row, not the files: those go once it is certain."""
    try:
        with transaction.atomic():
            deleted, _ = among.filter(id=reference.id).delete()
            if deleted:
                upload_quotas.give_back(team_id=reference.team_id, stored_bytes=reference.stored_bytes)
    except IntegrityError:  # an order uses it
        return False
    return bool(deleted)


def _forget_files(*references: Reference) -> None:
    for reference in references:
        storage.forget(reference.key, reference.thumb_key, reference.original_key)
