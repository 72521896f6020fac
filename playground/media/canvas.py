"""Draws a decoded picture onto a fresh canvas: smaller, upright, opaque, sRGB.

No second full-size copy is ever held. An ordinary opaque picture is resized first and its colours converted after. One
with transparency, a palette or 16 bits cannot be resized as it is: it is gone over in bands, each converted, flattened
and reduced by a whole factor at once, and only the small result is resized with a good filter.
"""

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageCms

BAND_ROWS = 64
MAX_PROFILE_BYTES = 1024 * 1024
ORIENTATION_TAG = 0x0112
PLAIN_MODES = frozenset({"RGB", "L", "CMYK"})

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

ToRgb = Callable[[Image.Image], Image.Image]


def draw_upright(image: Image.Image, side: int) -> Image.Image:
    """The first frame as an RGB picture of at most `side` pixels on the longer side, never enlarged."""
    orientation = _orientation(image)
    target = _fitted(image.size, side)
    image.draft(None, target)
    image.load()
    if image.mode in PLAIN_MODES and "transparency" not in image.info:
        canvas = _resized_first(image, target)
    else:
        canvas = _reduced(image, max(1, max(image.size) // side))
        if canvas.size != target:
            canvas = canvas.resize(target, Image.Resampling.LANCZOS)
    turn = _UPRIGHT.get(orientation)
    return canvas if turn is None else canvas.transpose(turn)


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    width, height = size
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _orientation(image: Image.Image) -> int:
    """EXIF's 1 to 8. An unreadable block means upright: cameras write such blocks, and the pixels are fine."""
    try:
        value = image.getexif().get(ORIENTATION_TAG, 1)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError):
        return 1
    return value if isinstance(value, int) else 1


def _resized_first(image: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Drawn onto a new picture at the end, because Pillow hands comments and the like on with every copy."""
    canvas = Image.new("RGB", target, "white")
    canvas.paste(_profile_transform(image)(image.resize(target, Image.Resampling.LANCZOS, reducing_gap=3.0)))
    return canvas


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    width, height = image.size
    to_rgb = _converter(image)
    canvas = Image.new("RGB", (-(-width // factor), -(-height // factor)), "white")
    rows = BAND_ROWS * factor
    for top in range(0, height, rows):
        band = to_rgb(image.crop((0, top, width, min(height, top + rows))))
        canvas.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return canvas


def _converter(image: Image.Image) -> ToRgb:
    """How to make any band of this picture opaque sRGB."""
    colours = _profile_transform(image)

    def to_rgb(band: Image.Image) -> Image.Image:
        if band.mode.startswith("I") or band.mode == "F":
            return _eight_bit(band).convert("RGB")
        if band.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in band.info:
            return _flattened(band.convert("RGBA"), colours)
        return colours(band)

    return to_rgb


def _eight_bit(band: Image.Image) -> Image.Image:
    """16-bit grey, scaled rather than clipped to 8 bits."""
    return band.convert("I").point(lambda value: value * (1 / 257)).convert("L")


def _flattened(band: Image.Image, colours: ToRgb) -> Image.Image:
    paper = Image.new("RGB", band.size, "white")
    paper.paste(colours(band.convert("RGB")), mask=band.getchannel("A"))
    return paper


def _profile_transform(image: Image.Image) -> ToRgb:
    """Through the embedded colour profile, or Pillow's plain conversion when there is none that can be used."""
    profile = image.info.get("icc_profile")
    mode = "RGB" if image.mode in {"RGBA", "P", "PA", "RGBa"} else image.mode
    if not isinstance(profile, bytes) or len(profile) > MAX_PROFILE_BYTES or mode not in {"RGB", "CMYK", "L"}:
        return lambda band: band.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return lambda band: band.convert("RGB")

    def through(band: Image.Image) -> Image.Image:
        converted = ImageCms.applyTransform(band if band.mode == mode else band.convert(mode), transform)
        assert converted is not None
        return converted

    return through
