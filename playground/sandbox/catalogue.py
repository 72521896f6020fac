"""The models that the sandbox offers: what each takes and what a second of it costs.

Slugs, modes, lengths and prices are those of Lumenfall's public model pages (November 2026); where a page gives only a
starting price or no length, the value here is the sandbox's own and marked so. Sizes are true pixel sizes.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from playground.domain.capabilities import (
    SHAPES,
    Capabilities,
    Lengths,
    nearest_shape,
    parse_size,
    quality_of,
    ratio_of,
    shape_of,
)

T2V, I2V, V2V = "text-to-video", "image-to-video", "video-to-video"
WIDE = ("16:9", "9:16")
FIVE = ("16:9", "9:16", "1:1", "4:3", "3:4")
SEVEN = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3")
PROVIDERS = {
    "openai": "OpenAI", "fal": "fal", "replicate": "Replicate", "gemini": "Google Gemini", "alibaba": "Alibaba Cloud",
    "xai": "xAI", "byteplus": "BytePlus", "lumenfall": "Lumenfall",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Price:
    """Micros of a US dollar a second; applies when all that it names fits the order."""

    micros: int
    label: str = ""
    quality: str = ""
    audio: bool | None = None
    mode: str = ""
    provider: str = ""

    def fits(self, *, quality: str, audio: bool, mode: str, provider: str) -> bool:
        return (
            self.quality in ("", quality)
            and self.audio in (None, audio)
            and self.mode in ("", mode)
            and self.provider in ("", provider)
        )


@dataclass(frozen=True, slots=True)
class SandboxModel:
    slug: str
    name: str
    maker: str
    providers: tuple[str, ...]
    """Who runs it; the first is chosen unless the order names another."""
    modes: tuple[str, ...]
    capabilities: Capabilities
    default_seconds: int
    prices: tuple[Price, ...]
    """The first that fits counts."""
    aliases: tuple[str, ...] = ()
    status: str = "live"

    def price(self, *, quality: str, audio: bool, mode: str, provider: str) -> Price:
        return next(p for p in self.prices if p.fits(quality=quality, audio=audio, mode=mode, provider=provider))

    @property
    def starting_micros(self) -> int:
        return min(price.micros for price in self.prices)


def sizes(shapes: tuple[str, ...], *sides: int) -> tuple[str, ...]:
    """Pixel sizes with the given short sides, even numbers, in the order of `sides`, then `shapes`."""
    found = []
    for side in sides:
        for shape in shapes:
            ratio = ratio_of(shape)
            long = round(side * max(ratio, 1 / ratio) / 2) * 2
            found.append(f"{long}x{side}" if ratio >= 1 else f"{side}x{long}")
    return tuple(found)


def _takes(offered: tuple[str, ...], lengths: Lengths, modes: tuple[str, ...], **more: int | bool) -> Capabilities:
    return Capabilities(
        sizes=offered,
        lengths=lengths,
        text_to_video=T2V in modes,
        image_to_video=I2V in modes,
        max_references=int(more.get("references", 1 if I2V in modes else 0)),
        prompt_limit=int(more.get("prompt_limit", 5000)),
        negative_prompt=bool(more.get("negative", False)),
        seed=bool(more.get("seed", False)),
        audio_switch=bool(more.get("audio", False)),
    )


def _range(low: int, high: int) -> Lengths:
    return Lengths(minimum=low, maximum=high)


BOTH, ALL = (T2V, I2V), (T2V, I2V, V2V)
_MODELS = (
    SandboxModel("sora-2", "Sora 2", "OpenAI", ("openai", "replicate", "fal"), BOTH,
                 _takes(sizes(WIDE, 720), _range(4, 20), BOTH), 4, (Price(100_000, "720p"),)),
    SandboxModel("sora-2-pro", "Sora 2 Pro", "OpenAI", ("openai", "replicate", "fal"), BOTH,
                 _takes(sizes(WIDE, 720, 1080), _range(4, 20), BOTH), 4,
                 (Price(500_000, "1080p", quality="1080p"), Price(300_000, "720p"))),
    SandboxModel("veo-3.1-fast", "Veo 3.1 Fast", "Google", ("gemini",), BOTH,
                 _takes(sizes(WIDE, 720, 1080), Lengths(choices=(4, 6, 8)), BOTH, audio=True, negative=True,
                        seed=True), 4,
                 (Price(200_000, "Audio", audio=True), Price(100_000, "No audio")),
                 ("veo-3-1-fast", "veo-3.1-fast-generate-001")),
    SandboxModel("veo-3.1-lite", "Veo 3.1 Lite", "Google", ("gemini",), BOTH,
                 _takes(sizes(WIDE, 720, 1080), Lengths(choices=(4, 6, 8)), BOTH, audio=True, negative=True,
                        seed=True), 4,
                 (Price(80_000, "1080p, audio", quality="1080p", audio=True),
                  Price(50_000, "1080p, no audio", quality="1080p"),
                  Price(50_000, "720p, audio", audio=True), Price(30_000, "720p, no audio")),
                 ("veo-3-1-lite", "veo-3.1-lite-generate-preview"), "preview"),
    SandboxModel("kling-v3", "Kling 3", "Kuaishou", ("fal", "replicate"), BOTH,
                 _takes(sizes(("16:9", "9:16", "1:1"), 720, 1080), _range(3, 15), BOTH, audio=True, negative=True,
                        prompt_limit=2500), 5,
                 (Price(252_000, "Audio", audio=True, provider="replicate"),
                  Price(168_000, "No audio", provider="replicate"),
                  Price(126_000, "Audio", audio=True), Price(84_000, "No audio")),
                 ("kling-3", "kling-video-v3")),
    SandboxModel("seedance-2.0", "Seedance 2.0", "ByteDance", ("fal", "byteplus"), ALL,
                 _takes(sizes(("16:9", "9:16", "1:1", "4:3", "3:4", "21:9"), 720), _range(4, 15), ALL, audio=True,
                        seed=True, references=9), 5,
                 (Price(302_000, "Image to video", mode=I2V), Price(181_000, "Reference to video", mode=V2V),
                  Price(303_400, "Text to video")),
                 ("seedance-2-0", "seedance-2")),
    SandboxModel("wan-2.6", "Wan 2.6", "Alibaba", ("alibaba",), ALL,
                 _takes(sizes(FIVE, 720, 1080), Lengths(choices=(5, 10, 15)), ALL, negative=True, seed=True), 5,
                 (Price(150_000, "1080p", quality="1080p"), Price(100_000, "720p"))),
    # From here on the tiers above the starting price are the sandbox's own.
    SandboxModel("pixverse-v5.6", "PixVerse 5.6", "PixVerse", ("fal", "replicate"), BOTH,
                 _takes(sizes(FIVE, 720, 360, 540, 1080), Lengths(choices=(5, 8, 10)), BOTH, negative=True, seed=True,
                        audio=True), 5,
                 (Price(150_000, "1080p", quality="1080p"), Price(90_000, "720p", quality="720p"),
                  Price(70_000, "360p and 540p"))),
    SandboxModel("grok-imagine-video", "Grok Imagine Video", "xAI", ("xai",), ALL,
                 _takes(sizes(SEVEN, 720, 480), _range(1, 15), ALL), 6,
                 (Price(70_000, "720p", quality="720p"), Price(50_000, "480p")), ("grok-video",)),
    SandboxModel("p-video", "P-Video", "PrunaAI", ("replicate",), BOTH,
                 _takes(sizes(SEVEN, 720), _range(1, 10), BOTH, audio=True, seed=True), 5, (Price(20_000),)),
    SandboxModel("p-video-avatar", "P-Video Avatar", "PrunaAI", ("replicate",), (I2V,),
                 _takes(sizes(WIDE, 720, 1080), _range(1, 10), (I2V,)), 5,
                 (Price(45_000, "1080p", quality="1080p"), Price(25_000, "720p"))),
    SandboxModel("mock-video", "Mock Video", "Lumenfall", ("lumenfall",), (T2V,),
                 _takes(sizes(WIDE, 720, 360), _range(1, 10), (T2V,), audio=True, seed=True, negative=True), 4,
                 (Price(0),)),
)  # fmt: skip
MODELS: dict[str, SandboxModel] = {model.slug: model for model in _MODELS}
ALIASES: dict[str, str] = {alias: model.slug for model in _MODELS for alias in model.aliases}


def find_model(name: str) -> tuple[SandboxModel, str] | None:
    """The model and provider for a slug, an alias or `provider/slug`; None when there is no such offer."""
    provider, separator, slug = name.partition("/")
    if not separator:
        provider, slug = "", name
    model = MODELS.get(ALIASES.get(slug, slug))
    if model is None or (provider and provider not in model.providers):
        return None
    return model, provider or model.providers[0]


def suggestion(name: str) -> str:
    """A known slug that looks like `name`, or ""."""
    near = difflib.get_close_matches(name.rpartition("/")[2], [*MODELS, *ALIASES], n=1)
    return ALIASES.get(near[0], near[0]) if near else ""


_TIERS = {"0.25": 360, "0.5k": 360, "1": 720, "1k": 720, "2k": 1080, "4k": 2160}


class BadSize(ValueError):
    """A size, shape or resolution that cannot be read."""


def _tier(text: str) -> int:
    side = _TIERS.get(text.lower())
    if side is None and (match := re.fullmatch(r"(\d{3,4})p", text.lower())):
        side = int(match[1])
    if side is None:
        raise BadSize(f"Invalid resolution '{text}'")
    return side


def _shape(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    if match is None or not (int(match[1]) and int(match[2])):
        raise BadSize(f"Invalid aspect ratio '{text}'")
    return int(match[1]), int(match[2])


def match_size(model: SandboxModel, asked: Mapping[str, str]) -> str:
    """The pixel size that the model makes for `size`, `aspect_ratio` and `resolution` (any may be missing or empty).

    `size` counts first, then shape with resolution. The nearest shape on a logarithmic scale wins, then the
    nearest quality. Raises BadSize when a value cannot be read; any other value gets the nearest offer.
    """
    caps, size = model.capabilities, asked.get("size", "")
    default = caps.sizes[0]
    if size and size != "auto" and ":" not in size:
        if parse_size(size) is None:
            raise BadSize(f"Invalid size '{size}'")
        return caps.nearest_size(size)
    ratio = size if ":" in size else asked.get("aspect_ratio", "")
    side = (
        _tier(asked["resolution"])
        if asked.get("resolution") and ":" not in size
        else min(parse_size(default) or (720,))
    )
    shape = shape_of(default) if not ratio or ratio == "auto" else nearest_shape(*_shape(ratio), caps.shapes)
    same = [offer for offer in caps.sizes if shape_of(offer) == shape]
    return min(same, key=lambda offer: abs(math.log(int(quality_of(offer)[:-1]) / side)))


assert all(shape_of(size) in SHAPES for model in _MODELS for size in model.capabilities.sizes)
