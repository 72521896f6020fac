"""Whether pictures can be decoded here, behind which walls, and bombs are refused: for `manage.py check --deploy`."""

import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from playground.media import decoding, images
from playground.media.picture_limits import LIMITS, MAX_SIDE

SMALL, BOMB = 32, MAX_SIDE + 1


def problem() -> str:
    """What is wrong, or nothing."""
    with TemporaryDirectory() as name:
        picture, out = Path(name) / "picture", Path(name) / "out"
        try:
            picture.write_bytes(_png(SMALL))
            images.normalise(picture, out)
        except images.ImageRefused as refused:
            return f"The process that decodes pictures does not work here: {refused.__cause__ or refused.code}."
        try:
            picture.write_bytes(_png(BOMB))
            images.normalise(picture, out)
        except images.ImageRefused as refused:
            return "" if refused.code == "too_many_pixels" else f"A picture that is too large was {refused.code}."
    return "A picture that is too large was decoded."


def doubt() -> str:
    """What a decoder that works here could still do if a picture took it over, or nothing."""
    asked = {"do": "redraw", "limits": asdict(LIMITS)}
    with TemporaryDirectory() as name:
        picture = Path(name) / "picture"
        picture.write_bytes(_png(SMALL))
        try:
            with picture.open("rb") as file:
                answer = decoding.decode(file, asked, out=Path(name) / "out", thumb=None)
        except decoding.Failed:
            return ""  # `problem` says so
    if answer.get("has_few_calls"):
        return ""
    return (
        "The process that decodes pictures cannot be kept to a few system calls here (no seccomp filter): one that a "
        "picture takes over could delete, rename and link files of this user, and signal its processes."
    )


def _png(side: int) -> bytes:
    """Grey, with the pixels of SMALL rows only."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(side + 1) * SMALL)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
