"""The Create form as typed, or as it was for an earlier order: all text, nothing checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from playground.domain.crop import CENTRE
from playground.domain.parameters import written
from playground.models import BudgetRequest, Generation, Reference, Video, VideoRequest, Visibility


def tidy(prompt: str) -> str:
    """Line ends as models count them: browsers send CRLF for a line end that was one character when typed."""
    return prompt.replace("\r\n", "\n").replace("\r", "\n")


def whole(text: str) -> int | None:
    """A whole number from typed text, or None."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def picked(generation: Generation) -> Reference | None:
    """The picture as it was picked, of which the order may have sent a part. Reads what `for_cards` has fetched."""
    sent = next(iter(generation.references.all()), None)
    return (sent.cut_from or sent) if sent else None


@dataclass(frozen=True, slots=True)
class Draft:
    """The form as typed: all text, nothing checked. Empty means not given."""

    prompt: str = ""
    model: str = ""
    size: str = ""
    shape: str = ""
    quality: str = ""
    seconds: str = ""
    seconds_other: str = ""
    count: str = ""
    negative_prompt: str = ""
    seed: str = ""
    audio: str = ""
    reference_id: str = ""
    crop_at: str = ""
    route: str = ""
    parameters: str = ""
    parent: str = ""
    visibility: str = ""
    answers: str = ""
    """The id of the request of somebody else that is to be made."""
    note: str = ""
    """A word to go with a request of one's own."""

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        return cls(**{name: str(data.get(name) or "")[:20_000] for name in cls.__slots__})

    @classmethod
    def from_generation(cls, generation: Generation) -> Self:
        """The settings of an earlier order, for using them again."""
        picture = picked(generation)
        return cls._from_settings(
            generation.run.settings,
            prompt=generation.run.prompt,
            model=generation.model.slug,
            reference_id=str(picture.id) if picture else "",
            visibility=generation.run.visibility,
        )

    @classmethod
    def from_video(cls, video: Video) -> Self:
        """The settings of a stored video, which becomes the parent of what is ordered."""
        settings = {"size": f"{video.width}x{video.height}", **video.settings}
        model = video.generation.model.slug if video.generation else str(settings.get("model", ""))
        return cls._from_settings(
            settings, prompt=video.prompt, model=model, parent=str(video.id), visibility=video.visibility
        )

    @classmethod
    def from_request(cls, asked: BudgetRequest | VideoRequest) -> Self:
        """What somebody was asked for, exactly as it would have been ordered."""
        picture = next(iter(asked.settings.get("references", [])), "")
        return cls._from_settings(
            asked.settings,
            prompt=asked.prompt,
            model=asked.model.slug,
            reference_id=str(picture),
            count=str(asked.settings.get("count", "")),
            parent=str(asked.settings.get("parent", "")),
            visibility=str(asked.settings.get("visibility", Visibility.TEAM)),
        )

    @classmethod
    def _from_settings(cls, settings: Mapping[str, Any], **values: str) -> Self:
        audio = settings.get("audio")
        return cls(
            size=str(settings.get("size") or ""),
            seconds=str(settings.get("seconds") or ""),
            negative_prompt=str(settings.get("negative_prompt") or ""),
            seed="" if settings.get("seed") is None else str(settings["seed"]),
            audio="" if audio is None else str(bool(audio)).lower(),
            crop_at=str(settings.get("crop_at", "")),
            route=str(settings.get("route", "")),
            parameters=written(tuple(settings.get("parameters", {}).items())),
            **values,
        )

    def over(self, other: Self) -> Self:
        """`other`, with what this draft gives laid over it."""
        given = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return replace(other, **given)

    def without_image(self) -> Self:
        return replace(self, reference_id="", crop_at="")

    @property
    def crop_position(self) -> int:
        """Percent; what is no such number is the centre."""
        at = whole(self.crop_at)
        return CENTRE if at is None else min(100, at)

    @property
    def wanted_seconds(self) -> int | None:
        """The number field wins over the chip."""
        return whole(self.seconds_other) or whole(self.seconds)
