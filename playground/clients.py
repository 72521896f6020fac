"""Who sends a request, as far as an address tells."""

from ipaddress import IPv6Address, ip_address

from django.conf import settings
from django.http import HttpRequest

PREFIX = 64
"""Of an IPv6 address: what one household or machine is given, and may change within as it likes."""


def address_of(request: HttpRequest) -> str:
    """The client's address, or its network where it is IPv6; behind a trusted proxy what that proxy says it is.

    What somebody wrote into X-Forwarded-For before the proxy counts for nothing: the last address is the proxy's word.
    """
    address = str(request.META.get("REMOTE_ADDR", ""))
    if settings.TRUST_PROXY:
        address = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or address
    return network_of(address)


def network_of(address: str) -> str:
    try:
        found = ip_address(address.strip("[]"))
    except ValueError:
        return address[:64]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Address(int(found) >> (128 - PREFIX) << (128 - PREFIX)))
