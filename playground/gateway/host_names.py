"""Names of hosts in addresses that people type."""

import ipaddress


def reads_one_way(host: str) -> bool:
    """True for a name, and for an address in its usual spelling: `0177.0.0.1` is another place to each reader."""
    is_number = ":" in host or host.replace(".", "").isdigit()
    try:
        ipaddress.ip_address(host) if is_number else host.encode("idna")
    except ValueError:
        return False
    return not any(letter.isdigit() and not letter.isascii() for letter in host)


def is_local_name(host: str) -> bool:
    """True for a host that can only be on this machine or this network: plain http to it is not a leak to the world."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".lan", ".internal", ".home.arpa"))
    return address.is_loopback or address.is_private
