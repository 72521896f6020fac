"""What a page says about a stored video: its file name, and its settings in a fixed order."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from playground.domain.parameters import written
from playground.models import Video

NAME_WORDS = 8
ENDINGS = {"video/mp4": ".mp4", "video/webm": ".webm", "video/quicktime": ".mov"}


def model_name(video: Video) -> str:
    return video.generation.model.slug if video.generation else str(video.settings.get("model", ""))


def download_name(video: Video) -> str:
    """`2026-11-21-sora-2-a-harbour-at-dawn.mp4`: day in the server's zone, model, the first words."""
    day = timezone.localtime(video.created_at).date().isoformat()
    words = slugify(" ".join((video.title or video.prompt).split()[:NAME_WORDS]))[:60].strip("-")
    parts = [day, slugify(model_name(video).replace("/", "-").replace(".", "-")), words or "video"]
    return "-".join(part for part in parts if part) + ENDINGS.get(video.content_type, ".mp4")


def seconds_words(milliseconds: int) -> str:
    """`8.0 s`, with one decimal: what a file really has."""
    return _("%(seconds).1f s") % {"seconds": milliseconds / 1000}


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
    is_user_text: bool = False
    is_code: bool = False


def facts(video: Video) -> list[Fact]:
    """The settings table, always in this order; what is not known is left out."""
    generation = video.generation
    seed = video.settings.get("seed")
    rows = [
        Fact(_("Model"), model_name(video)),
        Fact(_("Size"), f"{video.width} x {video.height}"),
        Fact(_("Shape"), f"{video.shape}, {video.quality}"),
        Fact(_("Length"), seconds_words(video.duration_ms)),
        Fact(_("Sound"), _("Yes") if video.has_audio else _("No")),
        Fact(_("Negative prompt"), str(video.settings.get("negative_prompt") or ""), is_user_text=True),
        Fact(_("Seed"), "" if seed is None else str(seed)),
        Fact(_("More parameters"), written(tuple(video.settings.get("parameters", {}).items())), is_code=True),
        Fact(_("Asked of"), str(video.settings.get("route") or "")),
        Fact(_("Gateway"), generation.gateway.name if generation else ""),
        Fact(_("Provider"), generation.provider if generation else ""),
        Fact(_("Executed as"), generation.executed_model if generation else ""),
        Fact(_("SHA-256"), video.sha256, is_code=True),
    ]
    return [row for row in rows if row.value]
