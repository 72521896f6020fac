"""Reading the keys that stored secrets are sealed with, before anything else needs them."""

import base64
import binascii

KEY_BYTES = 32


def secret_keys(name: str, text: str) -> list[str]:
    """The keys of a list with commas, the first of which seals. Raises ValueError that names the variable, no key."""
    keys = [key.strip() for key in text.split(",") if key.strip()]
    for number, key in enumerate(keys, 1):
        if not _is_key(key):
            raise ValueError(
                f"{name}: key {number} of {len(keys)} is not 32 bytes in URL-safe base64; see .env.example"
            )
    return keys


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
