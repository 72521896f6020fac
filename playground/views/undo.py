"""What a person moved to the trash last, so that the toast on the next page can take it back. Needs no JavaScript."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext

KEY = "undo_trash"


def offer_undo(request: HttpRequest, ids: list[UUID], *, left: int = 0) -> None:
    """Say how many were moved, with an "Undo" that posts to `videos.restore?last=1`. `left` were not theirs to move."""
    request.session[KEY] = [str(id) for id in ids]
    words = ngettext("%(count)d video moved to the trash.", "%(count)d videos moved to the trash.", len(ids))
    address = reverse("videos.restore") + "?last=1"
    said = words % {"count": len(ids)}
    if left:
        others = ngettext("%(count)d of others stays.", "%(count)d of others stay.", left) % {"count": left}
        said = f"{said} {others}"
    say_with_undo(request, said, address)


def say_with_undo(request: HttpRequest, words: str, address: str) -> None:
    """Say what was done, with an "Undo" that posts to `address`."""
    messages.success(request, words, extra_tags=f"undo:{address}")


def take_undo(request: HttpRequest) -> list[UUID]:
    """The ids of the last move, once."""
    return [UUID(id) for id in request.session.pop(KEY, [])]
