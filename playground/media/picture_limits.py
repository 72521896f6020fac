"""What a picture may be and what decoding it may cost. Both sides of the decoder read it: no Django, no Pillow."""

from dataclasses import dataclass, field

MEBIBYTE = 1024 * 1024
MEGAPIXEL = 1_000_000
MAX_FILE_BYTES = 12 * MEBIBYTE
MAX_SIDE = 4096
MAX_PIXELS = MAX_SIDE * MAX_SIDE
OUTPUT_SIDE = 2048
THUMBNAIL_SIDE = 320

MEMORY_BYTES = 176 * MEBIBYTE
"""Address space of a child beside what it has before it begins, some 30 MiB: so it never holds more than 200 MiB."""
CPU_S = 2
WALL_S = 20.0
"""Until the child is ended whatever it does: longer than its processor time, since a busy machine is no fault of it."""
WRITTEN_BYTES = 16 * MEBIBYTE
"""Of one file. Noise of 2048 x 2048 is 8 MiB as a JPEG of our quality."""


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bytes, pixels, and sides. `max_pixels` is per format; `max_ratio` is the longer side over the shorter one."""

    max_bytes: int = MAX_FILE_BYTES
    min_side: int = 32
    max_side: int = MAX_SIDE
    max_ratio: float = 8.0
    max_pixels: dict[str, int] = field(
        default_factory=lambda: {
            "JPEG": MAX_PIXELS,
            "PNG": MAX_PIXELS,
            "progressive JPEG": MAX_PIXELS,
            "WEBP": 8_300_000,  # 3840 x 2160: its decoder holds several copies
        }
    )
    output_side: int = OUTPUT_SIDE


LIMITS = ImageLimits()
