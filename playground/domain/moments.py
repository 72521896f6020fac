"""A moment of a video, as people write it: `0:03`, `3.2`, `1:02:03.5`. Kept in milliseconds."""

import re

_WRITTEN = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,5})(?:[.,](\d{1,3}))?", re.ASCII)


def parse(text: str) -> int | None:
    """Milliseconds, or None for what is no moment."""
    found = _WRITTEN.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds, fraction = (part or "0" for part in found.groups())
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))


def written(milliseconds: int) -> str:
    """`0:03`, or `0:03.2` where it lies between two seconds."""
    seconds, rest = divmod(max(milliseconds, 0), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return clock + (f".{rest:03}".rstrip("0") if rest else "")


def fragment(milliseconds: int) -> str:
    """Seconds for an address and a media fragment: `3.2`."""
    return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
