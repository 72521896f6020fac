"""Reference images: from any bytes a person sends to a picture that is safe to keep, to show and to send on.

Nothing of the sent file survives but its pixels. It is opened by Pillow under limits with the three formats named, its
size is checked before a pixel is decoded, and it is then drawn onto a fresh canvas and written as JPEG. So metadata,
comments, colour profiles, further frames and whatever is glued behind the picture are gone, and the stored bytes are
the same on every retry.

Choices, with their reasons:

- Output is an sRGB JPEG, quality 92, without chroma subsampling, at most OUTPUT_SIDE pixels on its longer side. No
  video model of the catalogue renders above 1920 pixels, so a bigger picture only costs time on the way.
- Transparency is flattened onto white: video models take opaque pictures, and what they make of an alpha channel
  differs (often black). What the person sees before the press is what is sent.
- Peak memory is bounded per format, measured to stay under 200 MiB. A baseline JPEG is decoded at a reduced scale by
  the codec itself, so phone pictures of 50 megapixels pass. PNG and progressive JPEG are held whole while decoding,
  WebP several times over, hence their lower limits.
- Pictures are decoded and written one after the other, thumbnails too, in a thread of their own. Done in the threads of
  the requests, fifty uploads at once left far more memory behind: the allocator keeps what each thread freed.

All functions here are plain: a path or stream in, a file out, no database and no request, so that they can be run in a
limited child process without a change to their callers.
"""

import hashlib
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import SEEK_END
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from playground.media.canvas import draw_upright

MEBIBYTE = 1024 * 1024
MEGAPIXEL = 1_000_000
MAX_FILE_BYTES = 12 * MEBIBYTE
FORMATS = ("JPEG", "PNG", "WEBP")
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
OUTPUT_SIDE = 2048
THUMBNAIL_SIDE = 320
DECODES_AT_ONCE = 1

# What Pillow and its codecs raise on hostile bytes; each was seen with mutated files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

_decoder = ThreadPoolExecutor(DECODES_AT_ONCE, thread_name_prefix="decode")


def _renew_decoder() -> None:
    """A forked process inherits the pool without its thread, and would wait for ever."""
    global _decoder
    _decoder = ThreadPoolExecutor(DECODES_AT_ONCE, thread_name_prefix="decode")


os.register_at_fork(after_in_child=_renew_decoder)


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bytes, pixels, and sides. `max_pixels` is per format; `max_ratio` is the longer side over the shorter one."""

    max_bytes: int = MAX_FILE_BYTES
    min_side: int = 32
    max_ratio: float = 8.0
    max_pixels: dict[str, int] = field(
        default_factory=lambda: {
            "JPEG": 50 * MEGAPIXEL,
            "PNG": 24 * MEGAPIXEL,
            "progressive JPEG": 24 * MEGAPIXEL,
            "WEBP": 8_300_000,  # 3840 x 2160,
        }
    )
    output_side: int = OUTPUT_SIDE


LIMITS = ImageLimits()

# The second wall: Pillow itself refuses, before decoding, what the table above would refuse anyway.
Image.MAX_IMAGE_PIXELS = max(LIMITS.max_pixels.values())
warnings.simplefilter("error", Image.DecompressionBombWarning)


class ImageRefused(Exception):
    """The picture cannot be used. `code` is for programs, `message` for the person who sent it.

    Codes: empty, too_large, unreadable, animated, broken, too_many_pixels, too_narrow, too_small.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class NormalisedImage:
    """A picture as it will be sent. `original_suffix` says what the sent bytes really were: .jpg, .png or .webp."""

    path: Path
    width: int
    height: int
    content_type: str
    sha256: str
    size_bytes: int
    original_suffix: str
    original_content_type: str


def normalise(source: Path | BinaryIO, out: Path, *, limits: ImageLimits = LIMITS) -> NormalisedImage:
    """Check the picture and write it anew to `out` as an opaque, upright sRGB JPEG without metadata.

    `source` is a path or a seekable stream, read from its start. Raises ImageRefused. Waits for the
    pictures before it.
    """
    _check_bytes(source, limits)
    kind, (width, height) = _decoder.submit(_redraw, source, out, limits, get_language()).result()
    with out.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return NormalisedImage(
        path=out,
        width=width,
        height=height,
        content_type="image/jpeg",
        sha256=sha256,
        size_bytes=out.stat().st_size,
        original_suffix=SUFFIXES[kind],
        original_content_type=f"image/{kind.lower()}",
    )


def _redraw(
    source: Path | BinaryIO, out: Path, limits: ImageLimits, language: str | None
) -> tuple[str, tuple[int, int]]:
    """Returns the format and the new size. `language` is the person's: the decoding thread does not know it."""
    with override(language), _refusing(limits), Image.open(source, formats=FORMATS) as image:
        kind = _check(image, limits)
        canvas = draw_upright(image, limits.output_side)
        canvas.save(out, "JPEG", quality=92, subsampling=0)
    return kind, canvas.size


def _check_bytes(source: Path | BinaryIO, limits: ImageLimits) -> None:
    if isinstance(source, Path):
        size = source.stat().st_size
    else:
        size = source.seek(0, SEEK_END)
        source.seek(0)
    if size == 0:
        raise ImageRefused("empty", _("This file is empty. Choose another one."))
    if size > limits.max_bytes:
        raise ImageRefused(
            "too_large",
            _("This file is larger than %(limit)s MB. Choose a smaller one.") % {"limit": limits.max_bytes // MEBIBYTE},
        )


@contextmanager
def _refusing(limits: ImageLimits) -> Iterator[None]:
    """Turns what a decoder raises into words for a person. MemoryError is ours to know about and passes through."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(max(limits.max_pixels.values())) from error
    except UnidentifiedImageError as error:
        message = _("This is not a picture we can read. Use JPEG, PNG or WebP.")
        raise ImageRefused("unreadable", message) from error
    except BROKEN as error:
        message = _("This picture is damaged and cannot be read to its end. Choose another one.")
        raise ImageRefused("broken", message) from error


def _check(image: Image.Image, limits: ImageLimits) -> str:
    """Everything that can be known from the header; returns the format. A phone's MPO is a JPEG with extra frames."""
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    width, height = image.size
    shape = "progressive JPEG" if kind == "JPEG" and image.info.get("progressive") else kind
    if width * height > limits.max_pixels[shape]:
        raise _too_many_pixels(limits.max_pixels[shape])
    if min(width, height) < limits.min_side:
        raise ImageRefused(
            "too_small",
            _("This picture is only %(width)s x %(height)s pixels. It needs at least %(limit)s on each side.")
            % {"width": width, "height": height, "limit": limits.min_side},
        )
    if max(width, height) > limits.max_ratio * min(width, height):
        raise ImageRefused(
            "too_narrow",
            _("This picture is too narrow: its longer side may be %(limit)g times its shorter one.")
            % {"limit": limits.max_ratio},
        )
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise ImageRefused("animated", _("This picture moves. Choose one that stands still."))
    return kind


def _too_many_pixels(limit: int) -> ImageRefused:
    message = _("This picture has more than %(limit)s megapixels. Make it smaller first.")
    return ImageRefused("too_many_pixels", message % {"limit": limit // MEGAPIXEL})


def thumbnail(path: Path, out: Path, *, side: int = THUMBNAIL_SIDE) -> tuple[int, int]:
    """Write a small WebP of a picture that `normalise` made; returns its width and height. Waits its turn as that."""
    return _decoder.submit(_shrink, path, out, side).result()


def _shrink(path: Path, out: Path, side: int) -> tuple[int, int]:
    with Image.open(path, formats=FORMATS) as image:
        canvas = draw_upright(image, side)
    canvas.save(out, "WEBP", quality=80, method=4)
    return canvas.size


def crop_to(source: Path | BinaryIO, out: Path, box: tuple[int, int, int, int]) -> NormalisedImage:
    """Cut `box` (x, y, width, height) out of a picture that `normalise` made and write it as JPEG to `out`.

    Raises ValueError when the box is not inside the picture. Waits for the pictures before it.
    """
    _decoder.submit(_cut, source, out, box).result()
    with out.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return NormalisedImage(out, box[2], box[3], "image/jpeg", sha256, out.stat().st_size, ".jpg", "image/jpeg")


def _cut(source: Path | BinaryIO, out: Path, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    with Image.open(source, formats=FORMATS) as image:
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image.width or y + height > image.height:
            raise ValueError(f"the crop {box} is outside a picture of {image.width} x {image.height}")
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image.convert("RGB").crop((x, y, x + width, y + height)))
    canvas.save(out, "JPEG", quality=92, subsampling=0)
