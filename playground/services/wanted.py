"""What a person asks for, before it is priced and ordered."""

from dataclasses import dataclass
from typing import Any

from playground.domain.capabilities import shape_of
from playground.domain.crop import CENTRE, Crop, crop_for
from playground.domain.parameters import Parameters
from playground.models import Generation, Reference, VideoModel
from playground.services.orders import body_of


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for, without the prompt. `size` is WIDTHxHEIGHT; `audio` None leaves it to the model.

    `crop_at` says which part of a picture of another shape is sent: 0 the left or upper end, 100 the right or lower.
    `route` is a provider, empty to leave the choice to the gateway.
    """

    model: VideoModel
    size: str
    seconds: int
    count: int = 1
    negative_prompt: str = ""
    seed: int | None = None
    audio: bool | None = None
    references: tuple[Reference, ...] = ()
    crop_at: int = CENTRE
    route: str = ""
    parameters: Parameters = ()

    def crops(self) -> list[tuple[Reference, Crop]]:
        """Each picture with the part of it that is sent."""
        shape = shape_of(self.size)
        return [(picture, crop_for(picture.width, picture.height, shape, self.crop_at)) for picture in self.references]

    def settings(self) -> dict[str, Any]:
        """The snapshot kept in `Run.settings`; what was not given is not there."""
        values: dict[str, Any] = {"size": self.size, "seconds": self.seconds, "count": self.count}
        if self.negative_prompt:
            values["negative_prompt"] = self.negative_prompt
        if self.seed is not None:
            values["seed"] = self.seed
        if self.audio is not None:
            values["audio"] = self.audio
        if self.references and self.crop_at != CENTRE:
            values["crop_at"] = self.crop_at
        if self.route:
            values["route"] = self.route
        if self.parameters:
            values["parameters"] = dict(self.parameters)
        return values

    def body(self, prompt: str) -> dict[str, Any]:
        return body_of(
            model=self.model,
            prompt=prompt,
            size=self.size,
            seconds=self.seconds,
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            audio=self.audio,
            route=self.route,
            parameters=self.parameters,
        )


def wanted_of(generation: Generation, *, model: VideoModel | None = None) -> Wanted:
    """The settings of an earlier generation, for one more of it (count 1)."""
    settings = generation.run.settings
    return Wanted(
        model=model or generation.model,
        size=settings["size"],
        seconds=int(settings["seconds"]),
        negative_prompt=settings.get("negative_prompt", ""),
        seed=settings.get("seed"),
        audio=settings.get("audio"),
        references=tuple(link.reference for link in generation.generation_references.select_related("reference")),
        crop_at=int(settings.get("crop_at", CENTRE)),
        route=settings.get("route", ""),
        parameters=tuple(sorted(settings.get("parameters", {}).items())),
    )
