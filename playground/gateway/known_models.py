"""What we know of models that a gateway's list may leave out: sizes in true pixels, lengths, inputs, a price note.

From the public model pages (prices in US dollars for each second made, autumn 2026). It only fills gaps: what a gateway
says itself wins, and no model here is offered unless a gateway lists it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from playground.domain.capabilities import Capabilities, Lengths

_SHAPE_SIDES = {
    "16:9": (16, 9),
    "9:16": (9, 16),
    "1:1": (1, 1),
    "4:3": (4, 3),
    "3:4": (3, 4),
    "21:9": (21, 9),
    "3:2": (3, 2),
    "2:3": (2, 3),
}


def sizes(shapes: Iterable[str], qualities: Iterable[int]) -> tuple[str, ...]:
    """Pixel sizes with the quality as the shorter side, both sides even, as video files need them."""
    found = []
    for quality in qualities:
        for shape in shapes:
            width, height = _SHAPE_SIDES[shape]
            longer = round(quality * max(width, height) / min(width, height) / 2) * 2
            found.append(f"{longer}x{quality}" if width >= height else f"{quality}x{longer}")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class KnownModel:
    slug: str
    name: str
    owner: str
    price_note: str
    capabilities: Capabilities
    aliases: tuple[str, ...] = ()


_WIDE_TALL = ("16:9", "9:16")
_USUAL = ("16:9", "9:16", "1:1")
_FIVE = ("16:9", "9:16", "1:1", "4:3", "3:4")

KNOWN: tuple[KnownModel, ...] = (
    KnownModel(
        slug="sora-2",
        name="Sora 2",
        owner="OpenAI",
        price_note="$0.10 per second",
        capabilities=Capabilities(
            sizes=sizes(_WIDE_TALL, (720,)), lengths=Lengths(choices=(4, 8, 12, 16, 20)), image_to_video=True
        ),
    ),
    KnownModel(
        slug="sora-2-pro",
        name="Sora 2 Pro",
        owner="OpenAI",
        price_note="$0.30 to $0.50 per second",
        capabilities=Capabilities(
            sizes=sizes(_WIDE_TALL, (720, 1080)), lengths=Lengths(choices=(4, 8, 12, 16, 20)), image_to_video=True
        ),
    ),
    KnownModel(
        slug="veo-3.1-fast",
        name="Veo 3.1 Fast",
        owner="Google",
        price_note="$0.10 to $0.20 per second",
        aliases=("veo-3-1-fast", "veo-3.1-fast-generate-001"),
        capabilities=Capabilities(
            sizes=sizes(_WIDE_TALL, (720, 1080)),
            lengths=Lengths(choices=(4, 6, 8)),
            image_to_video=True,
            negative_prompt=True,
            seed=True,
            audio_switch=True,
        ),
    ),
    KnownModel(
        slug="veo-3.1-lite",
        name="Veo 3.1 Lite",
        owner="Google",
        price_note="$0.03 to $0.08 per second",
        aliases=("veo-3-1-lite", "veo-3.1-lite-generate-preview"),
        capabilities=Capabilities(
            sizes=sizes(_WIDE_TALL, (720, 1080)),
            lengths=Lengths(choices=(4, 6, 8)),
            image_to_video=True,
            negative_prompt=True,
            seed=True,
            audio_switch=True,
        ),
    ),
    KnownModel(
        slug="kling-v3",
        name="Kling 3",
        owner="Kuaishou",
        price_note="$0.08 to $0.25 per second",
        aliases=("kling-3", "kling-video-v3"),
        capabilities=Capabilities(
            sizes=sizes(_USUAL, (720, 1080)),
            lengths=Lengths(minimum=3, maximum=15),
            image_to_video=True,
            prompt_limit=2500,
            negative_prompt=True,
            audio_switch=True,
        ),
    ),
    KnownModel(
        slug="seedance-2.0",
        name="Seedance 2.0",
        owner="ByteDance",
        price_note="$0.18 to $0.30 per second",
        aliases=("seedance-2-0", "seedance-2"),
        capabilities=Capabilities(
            sizes=sizes((*_FIVE, "21:9"), (720,)),
            lengths=Lengths(minimum=4, maximum=15),
            image_to_video=True,
            max_references=9,
            seed=True,
            audio_switch=True,
        ),
    ),
    KnownModel(
        slug="wan-2.6",
        name="Wan 2.6",
        owner="Alibaba",
        price_note="$0.10 to $0.15 per second",
        capabilities=Capabilities(
            sizes=sizes(_FIVE, (720, 1080)),
            lengths=Lengths(choices=(5, 10, 15)),
            image_to_video=True,
            negative_prompt=True,
            seed=True,
        ),
    ),
    KnownModel(
        slug="pixverse-v5.6",
        name="PixVerse 5.6",
        owner="PixVerse",
        price_note="from $0.07 per second",
        capabilities=Capabilities(
            sizes=sizes(_FIVE, (360, 540, 720, 1080)),
            lengths=Lengths(choices=(5, 8, 10)),
            image_to_video=True,
            negative_prompt=True,
            seed=True,
        ),
    ),
    KnownModel(
        slug="grok-imagine-video",
        name="Grok Imagine",
        owner="xAI",
        price_note="from $0.05 per second",
        aliases=("grok-video",),
        capabilities=Capabilities(
            sizes=sizes((*_FIVE, "3:2", "2:3"), (480, 720)),
            lengths=Lengths(minimum=1, maximum=15),
            image_to_video=True,
        ),
    ),
    KnownModel(
        slug="p-video",
        name="P-Video",
        owner="PrunaAI",
        price_note="$0.02 per second",
        capabilities=Capabilities(
            sizes=sizes((*_FIVE, "3:2", "2:3"), (720, 1080)),
            lengths=Lengths(minimum=1, maximum=10),
            image_to_video=True,
            seed=True,
        ),
    ),
    KnownModel(
        slug="p-video-avatar",
        name="P-Video Avatar",
        owner="PrunaAI",
        price_note="$0.025 to $0.045 per second",
        capabilities=Capabilities(
            sizes=sizes(_WIDE_TALL, (720, 1080)),
            lengths=Lengths(minimum=1, maximum=10),
            text_to_video=False,
            image_to_video=True,
        ),
    ),
    KnownModel(
        slug="mock-video",
        name="Mock video",
        owner="Lumenfall",
        price_note="free",
        capabilities=Capabilities(sizes=sizes(_WIDE_TALL, (720,)), lengths=Lengths(minimum=1, maximum=10)),
    ),
)

_BY_NAME = {name: model for model in KNOWN for name in (model.slug, *model.aliases)}


def known(slug: str) -> KnownModel | None:
    """The row for a slug, one of its aliases, or either behind a `provider/` prefix."""
    return _BY_NAME.get(slug.lower()) or _BY_NAME.get(slug.lower().rpartition("/")[2])
