"""The child process that decodes one picture: `python -m playground.media.decoder '{"do": "redraw", ...}'`.

It reads the picture from standard input, writes to the files that it was given open, says in JSON on standard output
what it found, and ends. It has no environment to speak of. Before it looks at the first byte it gives up what it does
not need: to open a file or a socket, to start a process, to use more memory and processor time than a picture costs,
and, where the kernel has a filter for it (few_calls.py), every system call but those that read, write and end.

Nothing of the sent file survives but its pixels. It is opened by Pillow with the three formats named, its size is
checked before a pixel is decoded, and it is then drawn onto a fresh canvas (canvas.py). Whoever waits for the answer
(decoding.py, images.py) trusts none of this and looks at what was written.
"""

import errno
import json
import os
import re
import resource
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

# Pillow imports these when it first needs them, when nothing can be opened any more.
from PIL import Image, ImageCms, ImagePalette, MpoImagePlugin, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from playground.media.canvas import draw_upright
from playground.media.few_calls import keep_few_calls
from playground.media.picture_limits import CPU_S, MAX_PIXELS, MEMORY_BYTES, WRITTEN_BYTES, ImageLimits

FORMATS = ("JPEG", "PNG", "WEBP")
PRELOADED = (ImageCms, ImagePalette, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin)

# What Pillow and its codecs raise on hostile bytes; each was seen with mutated files.
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
NOT_ALLOWED = frozenset({errno.EMFILE, errno.EPERM})
"""How a call ends that `confine` gave up."""

Facts = dict[str, Any]


def arm() -> None:
    """The second wall: Pillow itself refuses, before decoding, what the limits would refuse anyway."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def is_armed() -> bool:
    of_bombs = (
        action
        for action, message, kind, module, _line in warnings.filters
        if message is None and module is None and issubclass(Image.DecompressionBombWarning, kind)
    )
    return Image.MAX_IMAGE_PIXELS == MAX_PIXELS and next(of_bombs, "") == "error"


arm()
Image.preinit()


class Refused(Exception):
    """The picture cannot be used; `facts` say why, with a `code`."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.facts: Facts = {"code": code, **facts}


def main() -> None:
    asked = json.loads(sys.argv[1])
    status = _own_status()
    has_few_calls = confine()
    if not is_armed():
        sys.exit("no limit of pixels")
    try:
        answer = VERBS[asked["do"]](os.fdopen(0, "rb"), asked)
    except Refused as refused:
        answer = refused.facts
    except MemoryError:
        answer = {"code": "too_much_memory"}
    os.write(1, json.dumps(answer | _peak(status) | {"has_few_calls": has_few_calls}).encode())
    os._exit(0)


def _own_status() -> int | None:
    """Opened while that can be done; what is read from it at the end tells of then."""
    try:
        return os.open("/proc/self/status", os.O_RDONLY)
    except FileNotFoundError:
        return None


def _peak(status: int | None) -> Facts:
    """The most memory that this process has held, where the system tells."""
    found = re.search(rb"VmHWM:\s+(\d+) kB", os.read(status, 8192)) if status is not None else None
    return {"peak_kib": int(found[1])} if found else {}


def confine() -> bool:
    """Give up, for good, what decoding does not need. A new descriptor is a file, a socket or a pipe: there is none.

    False where the kernel cannot be told to refuse the other calls too, such as to delete a file by its name.
    """
    limits = {
        resource.RLIMIT_AS: _mapped_bytes() + MEMORY_BYTES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: WRITTEN_BYTES,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    return keep_few_calls()


def _mapped_bytes() -> int:
    """What this process has mapped so far; on a system that does not tell, as much as it is elsewhere."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except FileNotFoundError:
        return 32 * 1024 * 1024
    return pages * resource.getpagesize()


def redraw(source: BinaryIO, asked: Facts) -> Facts:
    """Any picture, as an opaque, upright sRGB JPEG without metadata of at most `output_side` pixels a side."""
    limits = ImageLimits(**asked["limits"])
    try:
        with Image.open(source, formats=FORMATS) as image:
            kind = check(image, limits)
            canvas = draw_upright(image, limits.output_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise Refused("too_many_pixels", limit=max(limits.max_pixels.values())) from None
    except UnidentifiedImageError:
        raise Refused("unreadable") from None
    except BROKEN as error:
        if getattr(error, "errno", None) in NOT_ALLOWED:
            raise  # we were to do something else after all: no fault of the picture
        raise Refused("broken", why=type(error).__name__) from None
    return _written(canvas, asked) | {"kind": kind}


def check(image: Image.Image, limits: ImageLimits) -> str:
    """Everything that can be known from the header; returns the format. A phone's MPO is a JPEG with extra frames."""
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    width, height = image.size
    shape = "progressive JPEG" if kind == "JPEG" and image.info.get("progressive") else kind
    if max(width, height) > limits.max_side:
        raise Refused("too_large_side", limit=limits.max_side)
    if width * height > limits.max_pixels[shape]:
        raise Refused("too_many_pixels", limit=limits.max_pixels[shape])
    if min(width, height) < limits.min_side:
        raise Refused("too_small", width=width, height=height, limit=limits.min_side)
    if max(width, height) > limits.max_ratio * min(width, height):
        raise Refused("too_narrow", limit=limits.max_ratio)
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise Refused("animated")
    return kind


def cut(source: BinaryIO, asked: Facts) -> Facts:
    """The `box` (x, y, width, height) of a picture that `redraw` made."""
    x, y, width, height = asked["box"]
    with Image.open(source, formats=FORMATS) as image:
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > image.width or y + height > image.height:
            raise Refused("outside", width=image.width, height=image.height)
        canvas = Image.new("RGB", (width, height))
        canvas.paste(image.convert("RGB").crop((x, y, x + width, y + height)))
    return _written(canvas, asked)


def _written(canvas: Image.Image, asked: Facts) -> Facts:
    """At quality 92 without chroma subsampling. The thumbnail is drawn from the same pixels."""
    with os.fdopen(asked["out"], "wb") as out:
        canvas.save(out, "JPEG", quality=92, subsampling=0)
    if asked["thumb"] is not None:
        with os.fdopen(asked["thumb"], "wb") as thumb:
            draw_upright(canvas, asked["thumb_side"]).save(thumb, "WEBP", quality=80, method=4)
    return {"code": "", "width": canvas.width, "height": canvas.height}


VERBS = {"redraw": redraw, "cut": cut}

if __name__ == "__main__":
    main()
