"""Secrets that have to be stored: sealed with keys that are not in the database.

Fernet (AES-128-CBC, HMAC-SHA256) by the cryptography library. The first of `keys()` seals, all of them open. They are
SECRETS_KEYS of the environment; the one derived from SECRET_KEY stands behind them, for what was sealed before there
were any, and is sealed with in an installation that has none.
"""

import base64
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

PURPOSE = b"playground sealed secrets 1"


class Unreadable(Exception):
    """Not sealed by us, changed since, or sealed with a key that is not there any more."""


def keys() -> list[str]:
    """What secrets are sealed with, the newest first."""
    return [*settings.SECRETS_KEYS, _derived(settings.SECRET_KEY)]


def has_own_keys() -> bool:
    """Whether there are keys for this alone, which may be changed without signing everybody out."""
    return bool(settings.SECRETS_KEYS)


def seal(secret: str) -> str:
    """Another text each time."""
    return _box(tuple(keys())).encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises Unreadable."""
    return _opened(sealed, tuple(keys()))


def opens(sealed: str) -> bool:
    return _opens(sealed, keys())


def is_of_first_key(sealed: str) -> bool:
    """Whether it opens with the key that seals now, and so with no other one."""
    return _opens(sealed, keys()[:1])


def is_of_secret_key(sealed: str) -> bool:
    return _opens(sealed, keys()[-1:])


def _opens(sealed: str, keys: list[str]) -> bool:
    try:
        _opened(sealed, tuple(keys))
    except Unreadable:
        return False
    return True


def _opened(sealed: str, keys: tuple[str, ...]) -> str:
    from cryptography.fernet import InvalidToken

    try:
        return _box(keys).decrypt(sealed.encode()).decode()
    except (InvalidToken, ValueError) as error:
        raise Unreadable from error


@cache
def _derived(secret: str) -> str:
    """A key for this purpose alone: it tells nothing of `secret` nor of what else is derived from it."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    raw = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return base64.urlsafe_b64encode(raw).decode()


@cache
def _box(keys: tuple[str, ...]) -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])
