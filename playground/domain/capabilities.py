"""What a model can do, in the shape the form needs: sizes, lengths, references, switches.

A size is `WIDTHxHEIGHT` in pixels, the form every OpenAI-style gateway takes. People choose a shape ("16:9") and a
quality ("720p"); both are read off the size here, so there is one list and no second truth.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

SHAPES: tuple[str, ...] = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "3:2", "2:3")
MAX_SECONDS = 120
_PIXELS = re.compile(r"([0-9]{1,6})x([0-9]{1,6})")
DEFAULT_PROMPT_LIMIT = 5000


def parse_size(size: str) -> tuple[int, int] | None:
    """`"1280x720"` -> (1280, 720); None for anything else, `auto` and ratios included."""
    found = _PIXELS.fullmatch(size.lower())
    if found is None:
        return None
    pair = int(found[1]), int(found[2])
    return pair if all(16 <= side <= 8192 for side in pair) else None


def ratio_of(shape: str) -> float:
    width, _, height = shape.partition(":")
    return int(width) / int(height)


def nearest_shape(width: int, height: int, shapes: Sequence[str] = SHAPES) -> str:
    """The shape whose ratio is nearest on a logarithmic scale, as gateways match it."""
    target = math.log(width / height)
    return min(shapes, key=lambda shape: abs(target - math.log(ratio_of(shape))))


def shape_of(size: str) -> str:
    """`"1280x720"` -> `"16:9"`. Raises ValueError if it is not a pixel size."""
    pair = parse_size(size)
    if pair is None:
        raise ValueError(f"not a pixel size: {size!r}")
    return nearest_shape(*pair)


def quality_of(size: str) -> str:
    """`"1280x720"` -> `"720p"`: the shorter side, which is how people name quality."""
    pair = parse_size(size)
    if pair is None:
        raise ValueError(f"not a pixel size: {size!r}")
    return f"{min(pair)}p"


@dataclass(frozen=True, slots=True)
class Lengths:
    """Allowed lengths in whole seconds: either a fixed list or a range with whole-second steps."""

    choices: tuple[int, ...] = ()
    minimum: int = 0
    maximum: int = 0

    @property
    def is_range(self) -> bool:
        return not self.choices

    def allows(self, seconds: int) -> bool:
        return seconds in self.choices if self.choices else self.minimum <= seconds <= self.maximum

    def nearest(self, seconds: int) -> int:
        """The allowed length nearest to `seconds`; the shorter one on a tie, since it costs less."""
        if self.choices:
            return min(self.choices, key=lambda choice: (abs(choice - seconds), choice))
        return max(self.minimum, min(self.maximum, seconds))

    @property
    def shortest(self) -> int:
        """The shortest length that is offered as a chip."""
        return self.steps()[0]

    def steps(self) -> tuple[int, ...]:
        """Lengths to offer as chips: the list, or at most six sensible ones of a range.

        A range that begins under three seconds is offered from three: shorter clips show nothing, and may be typed.
        """
        if self.choices:
            return tuple(sorted(self.choices))
        usual = (3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60)
        first = max(self.minimum, min(3, self.maximum))
        inside = [seconds for seconds in usual if first <= seconds <= self.maximum]
        steps = sorted({first, *inside, self.maximum})
        while len(steps) > 6:
            gaps = [(steps[i + 1] - steps[i - 1], i) for i in range(1, len(steps) - 1)]
            steps.pop(min(gaps)[1])
        return tuple(steps)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one model takes. Everything has a default, since gateways tell little."""

    sizes: tuple[str, ...] = ("1280x720", "720x1280")
    lengths: Lengths = field(default_factory=lambda: Lengths(choices=(4, 8)))
    text_to_video: bool = True
    image_to_video: bool = False
    max_references: int = 1
    prompt_limit: int = DEFAULT_PROMPT_LIMIT
    negative_prompt: bool = False
    seed: bool = False
    audio_switch: bool = False
    """True when sound can be turned off (`generate_audio`)."""

    @property
    def needs_reference(self) -> bool:
        return self.image_to_video and not self.text_to_video

    @property
    def shapes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(shape_of(size) for size in self.sizes))

    @property
    def qualities(self) -> tuple[str, ...]:
        return tuple(sorted(dict.fromkeys(quality_of(size) for size in self.sizes), key=lambda q: int(q[:-1])))

    def size_for(self, shape: str, quality: str) -> str | None:
        """The size with this shape and quality, or None when the model does not offer the pair."""
        for size in self.sizes:
            if shape_of(size) == shape and quality_of(size) == quality:
                return size
        return None

    def nearest_size(self, size: str) -> str:
        """The offered size nearest in shape, then in quality; the first one if `size` is not a pixel size."""
        pair = parse_size(size)
        if pair is None:
            return self.sizes[0]
        wanted_ratio, wanted_side = math.log(pair[0] / pair[1]), min(pair)

        def distance(offered: str) -> tuple[float, int]:
            offered_pair = parse_size(offered)
            assert offered_pair is not None
            ratio = math.log(offered_pair[0] / offered_pair[1])
            return round(abs(ratio - wanted_ratio), 3), abs(min(offered_pair) - wanted_side)

        return min(self.sizes, key=distance)

    def to_json(self) -> dict[str, Any]:
        """The form stored in `VideoModel.capabilities`."""
        return {
            "sizes": list(self.sizes),
            "seconds": {
                "choices": list(self.lengths.choices),
                "minimum": self.lengths.minimum,
                "maximum": self.lengths.maximum,
            },
            "text_to_video": self.text_to_video,
            "image_to_video": self.image_to_video,
            "max_references": self.max_references,
            "prompt_limit": self.prompt_limit,
            "negative_prompt": self.negative_prompt,
            "seed": self.seed,
            "audio_switch": self.audio_switch,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `to_json` wrote; missing keys take the defaults, so old rows stay readable."""
        default = cls()
        seconds = data.get("seconds") or {}
        lengths = Lengths(
            choices=tuple(seconds.get("choices") or ()),
            minimum=int(seconds.get("minimum") or 0),
            maximum=int(seconds.get("maximum") or 0),
        )
        if not lengths.choices and not 0 < lengths.minimum <= lengths.maximum <= MAX_SECONDS:
            lengths = default.lengths
        sizes = tuple(size for size in data.get("sizes") or () if parse_size(size))
        return cls(
            sizes=sizes or default.sizes,
            lengths=lengths,
            text_to_video=bool(data.get("text_to_video", default.text_to_video)),
            image_to_video=bool(data.get("image_to_video", default.image_to_video)),
            max_references=int(data.get("max_references", default.max_references)),
            prompt_limit=int(data.get("prompt_limit", default.prompt_limit)),
            negative_prompt=bool(data.get("negative_prompt", default.negative_prompt)),
            seed=bool(data.get("seed", default.seed)),
            audio_switch=bool(data.get("audio_switch", default.audio_switch)),
        )
