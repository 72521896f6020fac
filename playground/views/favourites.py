"""The star: a member's own, on a tile and on the page of a video."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from playground.htmx import is_htmx
from playground.models import Video
from playground.services import favourites
from playground.views.access import MemberRequest, for_any_role
from playground.views.back import back
from playground.views.limited import limited


@require_POST
@for_any_role
@limited("mark")
def mark(request: MemberRequest, id: UUID) -> HttpResponse:
    """`on=1` sets it, anything else takes it away; htmx gets the star as it is then."""
    video = get_object_or_404(Video.objects.visible_to(request.membership), id=id)
    on = request.POST.get("on") == "1"
    favourites.mark(by=request.membership, video=video, on=on)
    if is_htmx(request):
        context = {"video": video, "is_favourite": on, "with_words": request.POST.get("look") == "page"}
        return render(request, "favourites/_mark.html", context)
    return back(request, reverse("videos.detail", args=[video.id]))
