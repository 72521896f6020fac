"""The Range header of RFC 9110, section 14, for one range."""

import re
from dataclasses import dataclass

_BYTES = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE | re.ASCII)
_ENORMOUS = 10**18


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `start`; both are inside the file."""

    start: int
    length: int

    @property
    def stop(self) -> int:
        return self.start + self.length


class RangeNotSatisfiable(Exception):
    """A well-formed range that holds no byte of the file: the answer is 416."""


def parse_range(header: str, size: int) -> ByteRange | None:
    """The part asked for, cut to `size` bytes; None means "send everything".

    None for a malformed header, another unit, several ranges, and an empty file, as the RFC allows a server to ignore
    them all. Raises RangeNotSatisfiable.
    """
    match = _BYTES.fullmatch(header)
    if match is None or size == 0:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if not first:
        return _suffix(_number(last), size)
    start = _number(first)
    end = _number(last) if last else _ENORMOUS
    if end < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable
    return ByteRange(start, min(end + 1, size) - start)


def _suffix(length: int, size: int) -> ByteRange:
    if length == 0:
        raise RangeNotSatisfiable
    length = min(length, size)
    return ByteRange(size - length, length)


def _number(digits: str) -> int:
    """Python refuses to convert thousands of digits; no file is that long anyway."""
    return int(digits) if len(digits) <= 18 else _ENORMOUS
