"""Reference images: from any bytes a person sends to a picture that is safe to keep, to show and to send on.

Nothing of the sent file survives but its pixels. A child process (decoding.py, decoder.py) decodes it under limits of
memory and time and draws it onto a fresh canvas, so metadata, comments, colour profiles, further frames and whatever is
glued behind the picture are gone; what it wrote is looked at here before it is used (written.py). No picture is
decoded in this process.

Choices, with their reasons:

- Output is an sRGB JPEG, quality 92, without chroma subsampling, at most OUTPUT_SIDE pixels on its longer side. No
  video model of the catalogue renders above 1920 pixels, so a bigger picture only costs time on the way. The stored
  bytes are the same on every retry.
- Transparency is flattened onto white: video models take opaque pictures, and what they make of an alpha channel
  differs (often black). What the person sees before the press is what is sent.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import SEEK_END, UnsupportedOperation
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import structlog
from django.utils.translation import gettext as _

from playground.media import decoding, written
from playground.media.parts import temporary_folder
from playground.media.picture_limits import LIMITS as LIMITS
from playground.media.picture_limits import MAX_FILE_BYTES as MAX_FILE_BYTES
from playground.media.picture_limits import MEBIBYTE, MEGAPIXEL, THUMBNAIL_SIDE
from playground.media.picture_limits import ImageLimits as ImageLimits

log = structlog.get_logger(__name__)

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}

Box = tuple[int, int, int, int]


class ImageRefused(Exception):
    """The picture cannot be used. `code` is for programs, `message` for the person who sent it.

    Codes: empty, too_large, unreadable, animated, broken, too_large_side, too_many_pixels, too_narrow, too_small,
    too_much_memory, too_slow, crashed.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


class DecoderAway(ImageRefused):
    """It lies with us, not with the picture: the same one may well be taken in a moment."""


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


def normalise(
    source: Path | BinaryIO, out: Path, *, thumb: Path | None = None, limits: ImageLimits = LIMITS
) -> NormalisedImage:
    """Check the picture and write it anew to `out` as an opaque, upright sRGB JPEG without metadata.

    `source` is a path or a seekable stream, read from its start. `thumb` becomes a small WebP of it. Raises
    ImageRefused, and DecoderAway where we are to blame. Waits for the pictures before it.
    """
    _check_bytes(source, limits)
    asked = {"do": "redraw", "limits": asdict(limits)}
    return _made(_decoded(source, asked, out, thumb), out)


def crop_to(source: Path | BinaryIO, out: Path, box: Box, *, thumb: Path | None = None) -> NormalisedImage:
    """Cut `box` (x, y, width, height) out of a picture that `normalise` made and write it as JPEG to `out`.

    Raises ValueError when the box is not inside the picture, and what `normalise` raises.
    """
    return _made(_decoded(source, {"do": "cut", "box": box}, out, thumb), out)


def _decoded(source: Path | BinaryIO, asked: dict[str, Any], out: Path, thumb: Path | None) -> decoding.Answer:
    with _as_file(source) as file:
        try:
            answer = decoding.decode(file, {**asked, "thumb_side": THUMBNAIL_SIDE}, out=out, thumb=thumb)
            if answer["code"]:
                _refuse(answer)
            _look_at(answer, out, thumb)
        except decoding.Failed as failed:
            _blame(failed)
    return answer


def _look_at(answer: decoding.Answer, out: Path, thumb: Path | None) -> None:
    try:
        if written.jpeg_size(out) != (answer.get("width"), answer.get("height")):
            raise written.NotPlain("another size than was told")
        if thumb is not None:
            written.check_webp(thumb)
    except written.NotPlain as error:
        for path in (out, thumb):
            if path is not None:
                path.unlink(missing_ok=True)
        raise decoding.Failed("crashed", str(error)) from error


def _made(answer: decoding.Answer, out: Path) -> NormalisedImage:
    kind = answer.get("kind") if answer.get("kind") in SUFFIXES else "JPEG"
    with out.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return NormalisedImage(
        path=out,
        width=answer["width"],
        height=answer["height"],
        content_type="image/jpeg",
        sha256=sha256,
        size_bytes=out.stat().st_size,
        original_suffix=SUFFIXES[str(kind)],
        original_content_type=f"image/{str(kind).lower()}",
    )


@contextmanager
def _as_file(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """Open for reading under a number of its own, which alone a child can be given."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield file
        return
    try:
        source.fileno()
    except (UnsupportedOperation, AttributeError):
        with tempfile.TemporaryFile(dir=temporary_folder(), suffix=".part") as copy:
            source.seek(0)
            while block := source.read(256 * 1024):
                copy.write(block)
            copy.flush()
            yield copy
    else:
        source.flush()  # what a store has just fetched may still lie in memory
        yield source


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


def _blame(failed: decoding.Failed) -> NoReturn:
    """The picture for what it did to its decoder, ourselves for the rest. Either is worth a line in the log."""
    if failed.is_ours:
        log.error("decoder_failed", code=failed.code, why=failed.why)
        busy = failed.code == "busy"
        words = _("Many pictures are being looked at just now.") if busy else _("The picture could not be looked at.")
        raise DecoderAway("decoder_away", f"{words} {_('Try again in a moment.')}") from failed
    log.warning("decoder_ended_by_picture", code=failed.code, why=failed.why)
    _refuse({"code": failed.code})


def _refuse(answer: decoding.Answer) -> NoReturn:
    if answer["code"] == "outside":
        raise ValueError("the crop is outside the picture")
    words = WORDS.get(answer["code"])
    if words is None:
        raise decoding.Failed("odd", "an unknown code")
    try:
        message = words(answer)
    except (KeyError, TypeError, ValueError):
        raise decoding.Failed("odd", "facts are missing") from None
    raise ImageRefused(answer["code"], message)


WORDS: dict[str, Callable[[decoding.Answer], str]] = {
    "unreadable": lambda told: _("This is not a picture we can read. Use JPEG, PNG or WebP."),
    "broken": lambda told: _("This picture is damaged and cannot be read to its end. Choose another one."),
    "animated": lambda told: _("This picture moves. Choose one that stands still."),
    "too_large_side": lambda told: (
        _("This picture has more than %(limit)d pixels on one side. Make it smaller first.") % told
    ),
    "too_many_pixels": lambda told: (
        _("This picture has more than %(limit)s megapixels. Make it smaller first.")
        % {"limit": int(told["limit"]) // MEGAPIXEL}
    ),
    "too_small": lambda told: (
        _("This picture is only %(width)d x %(height)d pixels. It needs at least %(limit)d on each side.") % told
    ),
    "too_narrow": lambda told: (
        _("This picture is too narrow: its longer side may be %(limit)g times its shorter one.") % told
    ),
    "too_much_memory": lambda told: _("This picture takes too much memory to open. Save it anew, or choose another."),
    "too_slow": lambda told: _("This picture takes too long to open. Save it anew, or choose another."),
    "crashed": lambda told: _("This picture cannot be opened safely. Save it anew, or choose another."),
}
