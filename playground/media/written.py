"""Looks at what the decoder wrote, without decoding it: a plain JPEG or WebP and nothing besides.

The decoder may have been taken over by the picture it was given. Whatever it wrote goes to people and gateways, so only
the segments that an encoder of ours writes are let through: no metadata, no comment, nothing behind the end.
"""

import struct
from pathlib import Path

START, SCAN, END = 0xD8, 0xDA, 0xD9
JFIF = 0xE0
FRAMES = frozenset({0xC0, 0xC1, 0xC2})
TABLES = frozenset({0xDB, 0xC4, 0xDD})  # quantisation, Huffman, restart interval
JFIF_LENGTH = 16  # without a thumbnail of its own


class NotPlain(ValueError):
    """It is not what our encoder writes."""


def jpeg_size(path: Path) -> tuple[int, int]:
    """Width and height of a JPEG without metadata. Raises NotPlain."""
    data = path.read_bytes()
    if data[:2] != bytes((0xFF, START)) or data[-2:] != bytes((0xFF, END)):
        raise NotPlain("no JPEG from start to end")
    at, size = 2, None
    while True:
        marker, length = _segment(data, at)
        if marker in FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            size = width, height
        elif marker == SCAN:
            break
        elif marker not in TABLES and not (marker == JFIF and length == JFIF_LENGTH):
            raise NotPlain(f"segment {marker:#x}")
        at += 2 + length
    if size is None or _second_end(data, at):
        raise NotPlain("no frame, or more than one picture")
    return size


def _segment(data: bytes, at: int) -> tuple[int, int]:
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF:
        raise NotPlain("no segment")
    return head[1], struct.unpack(">H", head[2:])[0]


def _second_end(data: bytes, scan: int) -> bool:
    """Within the scan, 0xFF is followed by zero or a restart marker: whatever else stands there is no picture data."""
    at = data.find(b"\xff", scan + 2)
    while at < len(data) - 2:
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7:
            return True
        at = data.find(b"\xff", at + 2)
    return False


def check_webp(path: Path) -> None:
    """One lossy picture in the file and nothing else. Raises NotPlain."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8 " or len(data) < 30:
        raise NotPlain("no plain WebP")
    whole, picture = struct.unpack("<I", data[4:8])[0], struct.unpack("<I", data[16:20])[0]
    if whole + 8 != len(data) or 12 + picture + picture % 2 != whole:
        raise NotPlain("more than one picture")
