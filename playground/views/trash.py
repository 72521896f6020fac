"""What was moved to the trash: kept for a while, then deleted for good by the worker."""

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from playground.models import Video
from playground.services.housekeeping import TRASH_KEPT
from playground.views.access import MemberRequest, for_members, may_change
from playground.views.paging import cursor, newest

PAGE_SIZE = 24


@dataclass(frozen=True, slots=True)
class TrashRow:
    video: Video
    may_change: bool

    @property
    def gone_at(self) -> datetime | None:
        """When it will be deleted for good."""
        return self.video.trashed_at + TRASH_KEPT if self.video.trashed_at else None


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    trashed = Video.objects.visible_to(request.membership).trashed().for_tiles().select_related("trashed_by")
    page = newest(trashed, before=cursor(request.GET), size=PAGE_SIZE)
    rows = [TrashRow(video, may_change(request.membership, video)) for video in page.rows]
    return render(request, "trash/index.html", {"rows": rows, "page": page})
