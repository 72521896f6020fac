"""What to draw for a prompt: a scene, a time of day, weather and a seed, read off the words.

No picture is understood here. Keywords choose among a few painted worlds, and a hash of the prompt settles the rest, so
that the same prompt always gives the same clip and two prompts rarely give the same one.
"""

import hashlib
import re
from dataclasses import dataclass

Rgb = tuple[int, int, int]

SCENES: dict[str, tuple[str, ...]] = {
    "space": ("space", "planet", "galaxy", "star", "stars", "nebula", "astronaut", "moon", "orbit", "saturn", "rocket"),
    "city": ("city", "street", "tokyo", "york", "neon", "skyline", "tower", "building", "urban", "car",
             "traffic", "robot"),
    "ocean": ("ocean", "sea", "beach", "wave", "waves", "boat", "ship", "sail", "harbour", "harbor", "lake", "whale",
              "island", "coast", "surf", "water", "river", "lighthouse", "fish"),
    "dunes": ("desert", "dune", "dunes", "sand", "camel", "sahara", "mars", "canyon", "savanna"),
    "forest": ("forest", "tree", "trees", "wood", "woods", "fox", "deer", "bear", "wolf", "jungle", "owl", "pine",
               "cabin"),
    "ridge": ("mountain", "mountains", "hill", "hills", "valley", "alps", "peak", "eagle", "balloon", "meadow", "field",
              "train"),
    "ribbons": ("abstract", "music", "silk", "paint", "ink", "smoke", "logo", "colour", "color", "liquid",
                "dance"),
}  # fmt: skip
TIMES: dict[str, tuple[str, ...]] = {
    "night": ("night", "midnight", "dark", "neon", "moonlight", "moonlit", "stars", "aurora", "lantern"),
    "dusk": ("dusk", "sunset", "evening", "golden", "twilight", "autumn"),
    "dawn": ("dawn", "sunrise", "morning", "pink", "spring", "mist", "misty", "fog", "foggy"),
    "day": ("day", "noon", "sunny", "summer", "blue", "bright", "clear"),
}
WEATHERS: dict[str, tuple[str, ...]] = {
    "snow": ("snow", "snowy", "winter", "blizzard", "ice", "arctic"),
    "rain": ("rain", "rainy", "storm", "stormy", "thunder", "drizzle"),
    "sparks": ("firefly", "fireflies", "spark", "sparks", "magic", "lantern", "lanterns", "ember", "embers", "dust"),
}
DEFAULT_TIME = {"space": "night", "city": "night", "ribbons": "night", "dunes": "dusk"}
UNNAMED_SCENES = ("ridge", "ocean", "dunes", "ribbons")


@dataclass(frozen=True, slots=True)
class Palette:
    """Sky from top to horizon, the light (sun, moon, windows) and the nearest, darkest ground."""

    sky: tuple[Rgb, Rgb, Rgb]
    light: Rgb
    ground: Rgb
    haze: Rgb


PALETTES: dict[str, tuple[Palette, ...]] = {
    "night": (
        Palette(((9, 12, 34), (24, 32, 78), (78, 72, 128)), (240, 236, 214), (8, 9, 22), (66, 70, 126)),
        Palette(((5, 16, 30), (10, 48, 70), (46, 112, 118)), (226, 244, 232), (4, 14, 20), (44, 102, 112)),
        Palette(((20, 8, 36), (66, 20, 82), (176, 62, 110)), (255, 214, 190), (14, 6, 24), (140, 52, 104)),
    ),
    "dusk": (
        Palette(((44, 36, 88), (176, 74, 96), (255, 170, 96)), (255, 236, 190), (28, 16, 36), (236, 138, 98)),
        Palette(((30, 52, 92), (126, 98, 130), (250, 186, 128)), (255, 242, 206), (20, 22, 40), (220, 158, 132)),
        Palette(((68, 24, 64), (206, 62, 74), (255, 158, 74)), (255, 226, 160), (36, 10, 30), (238, 112, 78)),
    ),
    "dawn": (
        Palette(((92, 122, 178), (206, 168, 190), (255, 218, 190)), (255, 246, 226), (44, 50, 78), (236, 204, 200)),
        Palette(((66, 110, 142), (150, 186, 188), (246, 228, 196)), (255, 250, 232), (26, 52, 62), (206, 214, 202)),
    ),
    "day": (
        Palette(((40, 104, 180), (110, 176, 222), (214, 234, 238)), (255, 252, 236), (22, 58, 62), (190, 220, 230)),
        Palette(((24, 120, 160), (96, 190, 200), (226, 240, 214)), (255, 255, 240), (18, 66, 60), (196, 228, 216)),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    kind: str
    time: str
    weather: str
    """`clear`, `snow`, `rain` or `sparks`."""
    palette: Palette
    seed: int
    words: frozenset[str]


def _first(table: dict[str, tuple[str, ...]], words: list[str]) -> str | None:
    """The entry of `table` named by the earliest word that names any."""
    for word in words:
        for name, keys in table.items():
            if word in keys or (word.endswith("s") and word[:-1] in keys):
                return name
    return None


def read_scene(prompt: str, *, seed: int = 0) -> Scene:
    """The scene for `prompt`; the same prompt and `seed` give the same scene on every machine."""
    digest = hashlib.sha256(f"{seed}\n{prompt}".encode()).digest()
    words = re.findall(r"\w+", prompt.casefold())
    kind = _first(SCENES, words) or UNNAMED_SCENES[digest[0] % len(UNNAMED_SCENES)]
    time = _first(TIMES, words) or DEFAULT_TIME.get(kind) or ("dusk", "dawn", "day", "night")[digest[1] % 4]
    if kind == "space":
        time = "night"
    palettes = PALETTES[time]
    return Scene(
        kind=kind,
        time=time,
        weather=_first(WEATHERS, words) or "clear",
        palette=palettes[digest[2] % len(palettes)],
        seed=int.from_bytes(digest[3:7], "big"),
        words=frozenset(words),
    )
