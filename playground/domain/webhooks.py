"""Webhooks as pure rules: how a message is signed (Standard Webhooks), and where a gateway may send one.

The signature is HMAC-SHA256 over `id.timestamp.body`, written `v1,<base64>`; a header may hold several, one of which
has to fit. A secret is `whsec_` and the base64 of its bytes.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from urllib.parse import urlsplit

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with
LEAST_SECRET_BYTES = 16
MOST_SIGNATURES = 20
PUBLIC_PORTS = (443, 8443)
_INTERNAL_HOSTS = ("metadata.goog",)
_INTERNAL_ENDINGS = (".localhost", ".internal", ".local", ".lan", ".home.arpa")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A name that ends like this is read as an address by some programs: 127.1, 2130706433, 0x7f.1."""


def key_of(secret: str) -> bytes:
    """The bytes that messages are signed with. Raises ValueError for what is no secret."""
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not a webhook secret") from error
    if not secret.startswith(SECRET_PREFIX) or len(key) < LEAST_SECRET_BYTES:
        raise ValueError("not a webhook secret")
    return key


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of the signature header. `timestamp` is in unix seconds."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def is_signed(secret: str, *, message_id: str, timestamp: int, body: bytes, signatures: str) -> bool:
    """Whether one of the header's `signatures` is ours, in a time that does not tell how much of it fits."""
    ours = signature(secret, message_id=message_id, timestamp=timestamp, body=body).encode()
    entries = signatures.split(" ", MOST_SIGNATURES)[:MOST_SIGNATURES]
    return any(hmac.compare_digest(entry.encode("utf-8", "replace"), ours) for entry in entries)


def why_not_sent_to(url: str, *, loopback: bool = False) -> str:
    """Why no gateway would send to `url`, in its words; empty when it would.

    https on port 443 or 8443 to a public name. With `loopback` also http, any port, to this very machine.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port or 443, (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return "is not a valid URL"
    if parts.username is not None or re.search(r"[\s\x00-\x1f\x7f\\]", url):
        return "is not a valid URL"
    if loopback and parts.scheme in ("http", "https") and _is_loopback(host):
        return ""
    if parts.scheme != "https" or not host:
        return "must be an https URL"
    if port not in PUBLIC_PORTS:
        return "must use port 443 or 8443"
    if _is_address(host):
        return "must not be an IP address"
    if "." not in host or host in _INTERNAL_HOSTS or host.endswith(_INTERNAL_ENDINGS):
        return "must not point to an internal host"
    return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
    return True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
