"""Reference images: checked by decoding, drawn anew without metadata, kept with their original."""

from typing import BinaryIO

from django.db import transaction
from django.db.models import ProtectedError

from playground.media import images, storage
from playground.media.images import ImageRefused
from playground.models import Membership, Reference
from playground.models.base import new_id

__all__ = ["ImageRefused", "discard", "store"]


def store(*, by: Membership, stream: BinaryIO) -> Reference:
    """Keep an uploaded image. Raises ImageRefused with words for the person who picked it."""
    reference_id = new_id()
    stream.seek(0)
    with (
        storage.temporary(".image") as clean,
        storage.temporary(".thumb") as thumb,
        storage.temporary(".original") as original,
    ):
        with original.open("wb") as sink:
            while block := stream.read(256 * 1024):
                sink.write(block)
        facts = images.normalise(original, clean)
        images.thumbnail(clean, thumb)
        suffix = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}[facts.content_type]
        reference = Reference(
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
        )
        storage.adopt(clean, reference.key)
        storage.adopt(thumb, reference.thumb_key)
        storage.adopt(original, reference.original_key)
    reference.save(force_insert=True)
    return reference


def discard(*, by: Membership, reference: Reference) -> bool:
    """Forget an image that no order used. False when one did: then it stays with that order."""
    keys = (reference.key, reference.thumb_key, reference.original_key)
    try:
        with transaction.atomic():
            deleted, _ = Reference.objects.visible_to(by).filter(id=reference.id).delete()
    except ProtectedError:
        return False
    if deleted:
        for key in keys:
            storage.delete(key)
    return bool(deleted)
