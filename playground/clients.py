"""Who sends a request, as far as an address tells."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest

WITH_PORT = re.compile(r"([\d.]+|\[.+\]):\d+")
"""192.0.2.1:80 and [2001:db8::1]:80; in an IPv6 address without brackets the last colon is its own."""
PREFIX = 64
"""Of an IPv6 address: what one household or machine is given, and may change within as it likes."""


def address_of(request: HttpRequest) -> str:
    """The client's address, or its network where it is IPv6; behind a trusted proxy what that proxy says it is.

    What somebody wrote into X-Forwarded-For before the proxy counts for nothing: the last address is the proxy's word.
    """
    return address_in(request.META)


def address_in(environ: Mapping[str, Any]) -> str:
    """As `address_of`, of a request that is no HttpRequest yet."""
    address = str(environ.get("REMOTE_ADDR", ""))
    if settings.TRUST_PROXY:
        said = str(environ.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
        return network_of(said) or network_of(address)
    return network_of(address)


def network_of(text: str) -> str:
    """Of an address, which some proxies write with its port; empty for what is none."""
    ported = WITH_PORT.fullmatch(text)
    try:
        found = ip_address((ported[1] if ported else text).strip("[]"))
    except ValueError:
        return ""
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> (128 - PREFIX) << (128 - PREFIX)))
