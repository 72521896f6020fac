"""Where bytes may go. The wall between an answer's URL and our own network.

A finished video's link is chosen by somebody else. Before it is followed its name is resolved once, every address it
gives is checked, and that very address is dialled; TLS still checks the name. One address that is not public refuses
the whole name, and a resolver that fails, hangs or gives nothing refuses too. Only port 443 is dialled.

The one exemption is an exact host and port that an administrator configured (the gateway itself). It never switches
the check off for anything else. A gateway that a team connected gets none: its own calls pass the same wall.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, Queue

import httpx  # noqa: TID251

from playground.gateway.errors import NotSent, OutputBad

Resolver = Callable[[str, int, float], list[str]]
"""(host, port, seconds) -> addresses as text, at least one. Raises NotSent."""

GATEWAY_PLACE = "gateway_place"
"""The code of a gateway that may not be dialled."""

_V4_REFUSED = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT: private in practice, "global" nowhere
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's internal service behind a public-looking address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_V6_GLOBAL = ipaddress.IPv6Network("2000::/3")
"""The only IPv6 space given to hosts. Mapped, NAT64, unique-local, link-local, site-local, multicast lie outside."""
_V6_REFUSED = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def is_public(address: str) -> bool:
    """True when the address is a host on the open internet. Anything unreadable is not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        refused = any(parsed in network for network in _V4_REFUSED)
    else:
        refused = parsed not in _V6_GLOBAL or any(parsed in network for network in _V6_REFUSED)
    return not refused and parsed.is_global


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Ask the system's resolver, for at most `seconds`. Raises NotSent when it fails, hangs or has nothing.

    The system call has no time limit of its own, so it runs in a thread that is left behind when it hangs.
    """
    answers: Queue[list[str] | None] = Queue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            answers.put(None)
        else:
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    threading.Thread(target=ask, name="gateway-resolver", daemon=True).start()
    try:
        addresses = answers.get(timeout=max(0.0, seconds))
    except Empty:
        addresses = None
    if not addresses:
        raise NotSent("The name of the host could not be looked up.", code="name_lookup")
    return addresses


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """(scheme, host, port), with the names of this machine made one."""
    host = url.host.lower()
    if host in ("localhost", "::1"):
        host = "127.0.0.1"
    return url.scheme, host, url.port or (443 if url.scheme == "https" else 80)


@dataclass(frozen=True, slots=True)
class Egress:
    """Which places may be dialled. `exempt` is an `origin()` from our own settings, or None."""

    exempt: tuple[str, str, int] | None = None
    guarded: bool = True
    resolver: Resolver = resolve
    is_gateway: bool = False
    """For calls to a gateway: what may not be dialled raises NotSent, since nothing has left this machine."""

    def check_url(self, text: str | httpx.URL) -> httpx.URL:
        """The parsed URL if it may be followed, else OutputBad. Addresses are checked later, when dialling."""
        try:
            url = httpx.URL(text)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise _refused("is not a web address") from None
        if not url.host or url.userinfo:
            raise _refused("is not a plain web address")
        if origin(url) == self.exempt:
            return url
        if url.scheme != "https":
            raise _refused("is not https")
        if origin(url)[2] != 443:
            raise _refused("uses an unusual port")
        return url

    def addresses(self, host: str, port: int, seconds: float) -> list[str]:
        """The addresses to dial for a host, resolved exactly once. Raises NotSent or OutputBad."""
        found = self.resolver(host, port, seconds)
        if not self.guarded or (self.exempt is not None and _same_place(host, port, self.exempt)):
            return found
        if not found:
            raise NotSent("The name of the host could not be looked up.", code="name_lookup")
        if port != 443 or not all(is_public(address) for address in found):
            raise _gateway_refused() if self.is_gateway else _refused("is not on the open internet")
        return found


def _same_place(host: str, port: int, exempt: tuple[str, str, int]) -> bool:
    name = "127.0.0.1" if host.lower() in ("localhost", "::1") else host.lower()
    return (name, port) == exempt[1:]


def _gateway_refused() -> NotSent:
    return NotSent("The address of the gateway is not on the open internet.", code=GATEWAY_PLACE)


def _refused(why: str) -> OutputBad:
    return OutputBad(f"The address of the finished file {why}.", code="output_place")
