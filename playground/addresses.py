"""Addresses in the settings: read, and refused without showing what may hold a password."""

from urllib.parse import SplitResult, urlsplit

LOCAL_MAIL = {"console", "file", "memory", "dummy"}
"""Ways to send mail that need no host."""


def split_address(name: str, value: str, *schemes: str, example: str) -> SplitResult:
    """The parts of an address. Raises ValueError naming the variable, without its value, which may hold a password."""
    try:
        parts = urlsplit(value)
        fits = parts.scheme in schemes and (parts.hostname or parts.scheme in LOCAL_MAIL) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{name} must be an address such as {example}")
    return parts
