"""Approved: the team's word for what may be used. Creators and admins say it and take it back."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from playground.htmx import is_htmx
from playground.models import Video
from playground.services import approvals
from playground.views.access import MemberRequest, for_creators
from playground.views.back import back
from playground.views.limited import limited
from playground.views.video_standing import standing_fragment


@require_POST
@for_creators
@limited("mark")
def mark(request: MemberRequest, id: UUID) -> HttpResponse:
    """`on=1` approves, anything else takes it back."""
    video = get_object_or_404(Video.objects.visible_to(request.membership).for_tiles(), id=id)
    change = approvals.approve if request.POST.get("on") == "1" else approvals.take_back
    change(by=request.membership, video=video)
    if is_htmx(request):
        return standing_fragment(request, video)
    return back(request, reverse("videos.detail", args=[video.id]))
