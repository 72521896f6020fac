"""Addresses in the settings: read, and refused without showing what may hold a password."""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit


def split_address(name: str, value: str, *schemes: str, example: str) -> SplitResult:
    """The parts of an address. Raises ValueError naming the variable, without its value, which may hold a password."""
    try:
        parts = urlsplit(value)
        fits = parts.scheme in schemes and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must be an address such as {example}")
    return parts


_HOST_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def host_patterns(name: str, values: Iterable[str]) -> tuple[str, ...]:
    """Hosts as `films.example`, or `*.films.example` for all below it. Raises ValueError naming the variable."""
    patterns = tuple(value.strip().lower().rstrip(".") for value in values if value.strip())
    for pattern in patterns:
        if not _HOST_PATTERN.fullmatch(pattern) or len(pattern) > 253:
            raise ValueError(f"{name} must name hosts such as films.example or *.films.example, separated by commas")
    return patterns
