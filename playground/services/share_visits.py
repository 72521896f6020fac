"""What holders of share links do: come, say the password, mark a video."""

from datetime import datetime

from django.contrib.auth.hashers import check_password
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from playground.models import ShareLink, ShareMark, Video
from playground.models.share import NOTE_LENGTH


def count(*, link: ShareLink, now: datetime | None = None) -> None:
    """One more opening of the page. A statement by itself, since many come at once."""
    ShareLink.objects.filter(id=link.id).update(view_count=F("view_count") + 1, last_seen_at=now or timezone.now())


def is_password(*, link: ShareLink, password: str) -> bool:
    """Slow on purpose: count the tries before."""
    return bool(link.password) and check_password(password, link.password)


def mark(
    *,
    link: ShareLink,
    video: Video,
    note: str | None = None,
    is_favourite: bool | None = None,
    now: datetime | None = None,
) -> ShareMark | None:
    """What the holder says of this video from now on; what is None stays. None comes back when nothing is left of it.

    The video has to be one of `link.videos()`. Raises ValueError for a link that takes none, and for a longer note.
    """
    if not link.takes_marks or (note is not None and len(note) > NOTE_LENGTH):
        raise ValueError("no marks, or a note that is too long")
    with transaction.atomic():
        kept, _made = ShareMark.objects.select_for_update().get_or_create(link=link, video=video)
        new = {"note": note, "is_favourite": is_favourite}
        changed = {name: value for name, value in new.items() if value is not None and getattr(kept, name) != value}
        for name, value in changed.items():
            setattr(kept, name, value)
        if not kept.note and not kept.is_favourite:
            kept.delete()
            return None
        if changed:
            kept.changed_at = now or timezone.now()
            kept.save(update_fields=[*changed, "changed_at"])
    return kept
