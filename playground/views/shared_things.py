"""What a share page shows of a video, for its holder and for the preview beside the settings."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urljoin

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from django.utils.text import slugify

from playground.models import ShareLink, ShareMark, Video
from playground.models.share import NOTE_LENGTH
from playground.views.video_facts import ENDINGS


@dataclass(frozen=True, slots=True)
class Shown:
    """A video with what the link lets through of it. What it does not is empty, so that no template can show it."""

    video: Video
    play_url: str
    poster_url: str
    download_url: str
    page_url: str
    prompt: str
    cost_micros: int | None
    mark: ShareMark | None = None
    note_length: int = NOTE_LENGTH

    @property
    def title(self) -> str:
        return self.video.title or self.prompt


@dataclass(frozen=True, slots=True)
class Place:
    """Where a video stands in its collection."""

    number: int
    count: int
    earlier_url: str
    later_url: str


def for_holder(link: ShareLink, token: str, video: Video, mark: ShareMark | None = None) -> Shown:
    media = {kind: reverse(f"share_media.{kind}", args=[token, video.id]) for kind in ("video", "poster", "download")}
    page = reverse("shares.index", args=[token]) if link.video_id else reverse("shares.video", args=[token, video.id])
    return _shown(link, video, media, page, mark)


def for_preview(link: ShareLink, video: Video) -> Shown:
    """The same from the team's own addresses: a link that is not made yet has none."""
    media = {kind: reverse(f"media.{kind}", args=[video.id]) for kind in ("video", "poster", "download")}
    return _shown(link, video, media, "", None)


def _shown(link: ShareLink, video: Video, media: dict[str, str], page: str, mark: ShareMark | None) -> Shown:
    cost = video.generation.cost_micros if link.lets_cost and video.generation else None
    return Shown(
        video=video,
        play_url=media["video"],
        poster_url=media["poster"],
        download_url=media["download"] if link.allows_download else "",
        page_url=page,
        prompt=video.prompt if link.shows_prompt else "",
        cost_micros=cost,
        mark=mark,
    )


def tiles(link: ShareLink, token: str, videos: Iterable[Video]) -> list[Shown]:
    """With what was marked already, in one query for all."""
    videos = list(videos)
    found = ShareMark.objects.filter(link=link, video__in=videos) if link.takes_marks else []
    marks = {mark.video_id: mark for mark in found}
    return [for_holder(link, token, video, marks.get(video.id)) for video in videos]


def place_of(link: ShareLink, token: str, video: Video) -> Place:
    """404 for a video that the link has ceased to show since it was found."""
    ids = list(link.videos().values_list("id", flat=True))
    if video.id not in ids:
        raise Http404("not there any more")
    at = ids.index(video.id)
    urls = [reverse("shares.video", args=[token, id]) for id in ids[max(0, at - 1) : at + 2]]
    return Place(at + 1, len(ids), urls[0] if at else "", urls[-1] if at + 1 < len(ids) else "")


def absolute(path: str) -> str:
    """For messengers, which take no other."""
    return urljoin(settings.PUBLIC_URL + "/", path)


def file_name(link: ShareLink, video: Video) -> str:
    """Of the title, or of the prompt's first words where the holder reads it; else neither words nor model nor day."""
    words = video.title or (video.prompt if link.shows_prompt else "")
    name = slugify(" ".join(words.split()[:8]))[:60].strip("-") or f"video-{video.id.hex[-6:]}"
    return name + ENDINGS.get(video.content_type, ".mp4")
