"""How a video stands in its team: who sees it, whether it is approved, which collections hold it."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.functional import cached_property

from playground.models import Collection, Membership, Video, Visibility
from playground.views.access import MemberRequest
from playground.views.gallery_places import fillable


@dataclass
class Standing:
    video: Video
    membership: Membership

    @property
    def is_private(self) -> bool:
        return self.video.visibility == Visibility.PRIVATE

    @property
    def may_switch(self) -> bool:
        """Who sees it is its owner's to decide."""
        return self.membership.may_create and self.video.owner_id == self.membership.user_id

    @property
    def may_approve(self) -> bool:
        return self.membership.may_create

    @cached_property
    def collections(self) -> list[Collection]:
        """Those that hold it and that this member sees."""
        rows = Collection.objects.visible_to(self.membership).kept().filter(items__video=self.video)
        return list(rows.order_by("name", "id"))

    @cached_property
    def choices(self) -> list[Collection]:
        """What the menu "Add to collection" offers."""
        return fillable(self.membership, self.video)


def standing_fragment(request: MemberRequest, video: Video, **context: Any) -> HttpResponse:
    """The panel for htmx, after something in it was pressed."""
    video.refresh_from_db(fields=["approved_at", "approved_by", "visibility"])
    context |= {"video": video, "standing": Standing(video, request.membership), "is_answer": True}
    return render(request, "videos/_standing.html", context)
