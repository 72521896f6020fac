"""The outside of a video file: is it whole, before anything tries to decode it.

A faststart MP4 that was cut off in the middle still opens, says its full length and plays for a while. What gives it
away is its last box, which claims more bytes than there are.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

EBML_MAGIC = b"\x1a\x45\xdf\xa3"
MAX_BOXES = 10_000


class BadVideo(Exception):
    """The file is not a whole, playable video. `reason` is for logs and admins, in English.

    `code`: no_video, not_playable (by browsers), over_limits (pixels, length or time of work); empty for a damaged one.
    """

    def __init__(self, reason: str, *, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


def container_of(path: Path) -> str:
    """`"mp4"` or `"webm"`, by the first bytes. Raises BadVideo for anything else."""
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise BadVideo("the file is empty")
    if head[4:8] == b"ftyp":
        return "mp4"
    if head.startswith(EBML_MAGIC) and b"webm" in head:
        return "webm"
    raise BadVideo("the file is neither MP4 nor WebM", code="no_video")


def check_mp4_boxes(path: Path) -> None:
    """Walk the top-level boxes: `ftyp` first, `moov` and `mdat` there, sizes adding up. Raises BadVideo."""
    size = path.stat().st_size
    if size == 0:
        raise BadVideo("the file is empty")
    seen: list[bytes] = []
    position = 0
    with path.open("rb") as file:
        while position < size:
            kind, length = _box_at(file, position, size)
            if not seen and kind != b"ftyp":
                raise BadVideo("the file does not begin with an ftyp box")
            seen.append(kind)
            if len(seen) > MAX_BOXES:
                raise BadVideo(f"the file has more than {MAX_BOXES} boxes")
            position += length
    for kind in (b"moov", b"mdat"):
        if kind not in seen:
            raise BadVideo(f"the file has no {kind.decode()} box")


def _box_at(file: BinaryIO, position: int, size: int) -> tuple[bytes, int]:
    """Kind and length of the box at `position`; the length never leads outside the file."""
    file.seek(position, os.SEEK_SET)
    header = file.read(16)
    if len(header) < 8:
        raise BadVideo(f"{len(header)} stray bytes at the end of the file")
    length, kind = struct.unpack(">I4s", header[:8])
    least = 8
    if length == 1:
        if len(header) < 16:
            raise BadVideo("a box with a long size ends inside its header")
        (length,) = struct.unpack(">Q", header[8:])
        least = 16
    elif length == 0:
        length = size - position
    name = kind.decode("latin-1")
    if length < least:
        raise BadVideo(f"box {name!r} at {position} claims {length} bytes")
    if position + length > size:
        raise BadVideo(
            f"box {name!r} at {position} claims {length} bytes, {size - position} are left: the file is cut off"
        )
    return kind, length
