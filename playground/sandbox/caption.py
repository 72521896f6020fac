"""Words on the picture: the prompt as a caption, and the label that says what this is.

A caption is drawn only when the bundled font has every letter of it and can shape the script; otherwise it is left out.
Boxes in place of letters would look like a fault of the product.
"""

import struct
import textwrap
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, features

FONT = Path(__file__).parent / "fonts" / "DejaVuSans-Bold.ttf"
LABEL = "Sandbox render - no AI model was used"
MAX_LETTERS = 90


@cache
def font_letters() -> frozenset[int]:
    """Code points of the bundled font, read from its `cmap` table (format 4, the basic plane)."""
    data = FONT.read_bytes()
    tables = struct.unpack(">H", data[4:6])[0]
    entries = [struct.unpack(">4sLLL", data[12 + 16 * i : 28 + 16 * i]) for i in range(tables)]
    cmap = next(offset for tag, _, offset, _ in entries if tag == b"cmap")
    count = struct.unpack(">H", data[cmap + 2 : cmap + 4])[0]
    for index in range(count):
        start = cmap + struct.unpack(">HHL", data[cmap + 4 + 8 * index : cmap + 12 + 8 * index])[2]
        if struct.unpack(">H", data[start : start + 2])[0] == 4:
            return _format_4(data, start)
    raise ValueError(f"{FONT.name} has no character map of a known form")


def _format_4(data: bytes, start: int) -> frozenset[int]:
    segments = struct.unpack(">H", data[start + 6 : start + 8])[0] // 2

    def column(offset: int) -> tuple[int, ...]:
        return struct.unpack(f">{segments}H", data[offset : offset + 2 * segments])

    ends_at = start + 14
    starts_at = ends_at + 2 * segments + 2
    ranges_at = starts_at + 4 * segments
    ends, starts, deltas, ranges = (
        column(ends_at),
        column(starts_at),
        column(starts_at + 2 * segments),
        column(ranges_at),
    )
    found: set[int] = set()
    for index in range(segments):
        for code in range(starts[index], min(ends[index], 0xFFFE) + 1):
            glyph = code + deltas[index]
            if ranges[index]:
                at = ranges_at + 2 * index + ranges[index] + 2 * (code - starts[index])
                glyph = struct.unpack(">H", data[at : at + 2])[0]
            if glyph & 0xFFFF:
                found.add(code)
    return frozenset(found)


def can_draw(text: str) -> bool:
    """True if every letter has a glyph and the script's rules (direction, joining) can be kept."""
    letters = font_letters()
    if any(ord(letter) not in letters for letter in text if not letter.isspace()):
        return False
    complex_script = any(
        unicodedata.bidirectional(letter) in ("R", "AL", "AN") or unicodedata.combining(letter) for letter in text
    )
    return not complex_script or bool(features.check("raqm"))


def caption_text(prompt: str) -> str:
    """The prompt in one line of at most 90 letters, or "" when it cannot be shown rightly."""
    text = unicodedata.normalize("NFC", " ".join(prompt.split()))
    text = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co"))
    if not text or not can_draw(text):
        return ""
    return textwrap.shorten(text, MAX_LETTERS, placeholder=" ...") if " " in text else text[:MAX_LETTERS]


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float, lines: int = 2) -> list[str]:
    """At most `lines` lines no wider than `width` pixels; a word too wide for a line is cut."""
    rows: list[str] = [""]
    for word in text.split(" "):
        while font.getlength(word) > width:
            word = word[:-1]
        joined = f"{rows[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            rows[-1] = joined
        else:
            rows.append(word)
    if len(rows) > lines:
        rows = rows[:lines]
        while rows[-1] and font.getlength(rows[-1] + " ...") > width:
            rows[-1] = rows[-1][:-1]
        rows[-1] = rows[-1].removesuffix("...").rstrip() + " ..."
    return rows


def draw_words(prompt: str, width: int, height: int) -> NDArray[np.uint8]:
    """A see-through sheet for the top of the picture: a soft shade, the caption, the label. Shape (h, width, 4)."""
    unit = min(width, height)
    size, small, margin = max(10, round(unit * 0.034)), max(8, round(unit * 0.0195)), round(unit * 0.04)
    font, fine = ImageFont.truetype(FONT, size), ImageFont.truetype(FONT, small)
    text = caption_text(prompt)
    rows = _wrap(text, font, width - 2 * margin) if text else []
    line = round(size * 1.32)
    tall = min(height, (margin * 2 + line * len(rows) + small * 3) // 2 * 2)
    y, x = np.linspace(0, 1, tall)[:, None], np.ones((1, width))
    sheet = np.zeros((tall, width, 4), np.uint8)
    sheet[:, :, 3] = ((1 - y) ** 1.3 * 118) * x
    picture = Image.fromarray(sheet)
    draw = ImageDraw.Draw(picture)
    top = float(margin)
    for row in rows:
        draw.text((margin, top), row, font=font, fill=(255, 255, 255, 245))
        top += line
    draw.text((margin, top + small * 0.35), LABEL, font=fine, fill=(255, 255, 255, 205))
    return np.asarray(picture).copy()
