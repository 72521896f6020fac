"""What a page of a video or collection says of its share links. Templates say `{% load sharing %}`."""

from dataclasses import dataclass
from typing import Any

from django import template
from django.urls import reverse
from django.utils import formats, timezone

from playground.models import Collection, Membership, ShareLink, ShareMark, Video
from playground.models.share import may_share

register = template.Library()

MOST = 50
"""Marks on one page."""


@dataclass(frozen=True, slots=True)
class Shares:
    url: str
    """The way to share it, for who may."""
    open_count: int


@register.simple_tag(takes_context=True)
def shares_of(context: Any, thing: Video | Collection) -> Shares | None:
    """How one shares it, and how many of its open links this member sees; None for who may not share it."""
    by: Membership | None = context.get("membership")
    if not by or not may_share(by, thing):
        return None
    links = ShareLink.objects.visible_to(by).open()
    if isinstance(thing, Video):
        return Shares(reverse("sharing.video", args=[thing.id]), links.filter(video=thing).count())
    return Shares(reverse("sharing.collection", args=[thing.id]), links.filter(collection=thing).count())


@register.simple_tag(takes_context=True)
def said_of(context: Any, video: Video) -> list[ShareMark]:
    """What the holders of links say of it, which all of the team read."""
    by: Membership | None = context.get("membership")
    if not by:
        return []
    found = ShareMark.objects.filter(video=video, link__team_id=by.team_id).select_related("link")
    return list(found.order_by("-changed_at")[:MOST])


@register.filter
def day(moment: Any) -> str:
    """`28 November`, with the year when it is another than now."""
    local = timezone.localtime(moment)
    return formats.date_format(local, "j F" if local.year == timezone.localtime().year else "j F Y")
