"""What a page of a video or collection says of its share links. Templates say `{% load sharing %}`."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.utils import formats, timezone

from playground.models import Collection, Membership, ShareLink, ShareMark, Video
from playground.models.share import may_share

register = template.Library()

MOST = 50
"""Marks on one page."""


@dataclass(frozen=True, slots=True)
class Shares:
    may_share: bool
    open_count: int
    marks: list[ShareMark]
    is_video: bool


@register.simple_tag(takes_context=True)
def shares_of(context: Any, thing: Video | Collection) -> Shares | None:
    """Its open links that this member may see, and what their holders say of it, which all of the team read."""
    by: Membership | None = context.get("membership")
    if not by:
        return None
    links = ShareLink.objects.visible_to(by).open()
    marks: list[ShareMark] = []
    if not isinstance(thing, Video):
        links = links.filter(collection=thing)
    else:
        links = links.filter(video=thing)
        found = ShareMark.objects.filter(video=thing, link__team_id=by.team_id).select_related("link")
        marks = list(found.order_by("-changed_at")[:MOST])
    may = may_share(by, thing)
    return Shares(may, links.count() if may else 0, marks, isinstance(thing, Video))


@register.filter
def day(moment: Any) -> str:
    """`28 November`, with the year when it is another than now."""
    local = timezone.localtime(moment)
    return formats.date_format(local, "j F" if local.year == timezone.localtime().year else "j F Y")
