"""The way back after a form, and the videos that a form has chosen."""

from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

from playground.forms.videos import ChosenVideosForm
from playground.models import Video
from playground.models.video import VideoQuerySet


def back(request: HttpRequest, default: str, target: str = "") -> HttpResponseRedirect:
    """To `next` when it is an address of ours, else to `default`; 303, so that a reload does not post again."""
    target = request.POST.get("next", target)
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = default
    return HttpResponseRedirect(target, status=303)


def chosen_videos(request: HttpRequest, among: VideoQuerySet) -> list[Video]:
    """The videos named in the form. 404 for one that is not `among` them."""
    form = ChosenVideosForm(request.POST, among=among)
    if "video" in request.POST and not form.is_valid():
        raise Http404("a chosen video is not there")
    return form.found
