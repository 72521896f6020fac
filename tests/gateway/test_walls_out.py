"""The wall to our own network, by real downloads: what may be dialled, however it is written, and what may not.

Nothing here leaves this machine: dialling is replaced by a note of what was to be dialled.
"""

import io
import ipaddress
import socket
from collections.abc import Callable, Iterator

import httpcore
import pytest

from playground.gateway import egress
from playground.gateway.client import GatewayClient
from playground.gateway.egress import Egress, is_public, resolve
from playground.gateway.errors import GatewayError, NotSent, OutputBad, OutputHost
from playground.gateway.poller import Poller
from playground.gateway.types import ConfigError, GatewayConfig
from tests.gateway.fake import KEY, config, fake, says
from tests.gateway.test_download import FILM, film, job, redirect

INSIDE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.254",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.254",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]
"""Thirty, of every range that is not the open internet."""
PUBLIC = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "[2606:4700:4700::1111]", "[2a00:1450:4001:80b::200e]"]


def parts(address: str) -> list[int]:
    return [int(part) for part in address.split(".")]


SPELLINGS: dict[str, Callable[[str], str]] = {
    "decimal": lambda address: str(int(ipaddress.IPv4Address(address))),
    "hex": lambda address: hex(int(ipaddress.IPv4Address(address))),
    "octal": lambda address: ".".join(f"0{part:o}" for part in parts(address)),
    "short": lambda address: f"{parts(address)[0]}.{int(ipaddress.IPv4Address(address)) & 0xFFFFFF}",
    "v4-mapped": lambda address: f"[::ffff:{address}]",
    "NAT64": lambda address: f"[64:ff9b::{address}]",
    "6to4": lambda address: "[2002:{:02x}{:02x}:{:02x}{:02x}::1]".format(*parts(address)),
    "userinfo": lambda address: f"media.example@{address}",
}


class Dialled(Exception):
    """Where a socket was about to be opened to."""


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was dialled; nothing is."""
    seen: list[str] = []

    def note(_self: object, host: str, port: int, *_args: object) -> None:
        seen.append(host)
        raise httpcore.ConnectError("not here")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", note)
    return seen


def outside(**more: object) -> GatewayConfig:
    """A gateway on the internet."""
    return config(base_url="https://gateway.example/v1", allow_loopback=False, **more)


def fetch(url: str, *, resolver: egress.Resolver = resolve, settings: GatewayConfig | None = None) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        GatewayClient(settings or outside(), resolver=resolver).download(job(url), io.BytesIO())
    return caught.value


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("address", INSIDE)
def test_no_spelling_of_an_address_that_is_not_public_is_dialled(
    address: str, spelling: str, dialled: list[str]
) -> None:
    """By the machine's own resolver, which understands more spellings than any list of them."""
    error = fetch(f"https://{SPELLINGS[spelling](address)}/v.mp4")
    assert isinstance(error, OutputBad | NotSent)
    assert error.code in ("output_place", "name_lookup")
    assert dialled == []


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_is_dialled(address: str, dialled: list[str]) -> None:
    error = fetch(f"https://{address}/v.mp4")
    assert error.code == "unreachable"
    assert dialled == [address.strip("[]")]


def test_thirty_addresses_in_eight_spellings() -> None:
    assert (len(set(INSIDE)), len(SPELLINGS), len(PUBLIC)) == (30, 8, 5)


IANA = {
    # IPv4 special-purpose registry, and what lies beside it
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32",
    "168.63.129.16/32",
    # IPv6 special-purpose registry
    "::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23",
    "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
    "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    # IPv4 within: compatible, translated
    "::/96", "::ffff:0:0:0/96",
}  # fmt: skip


@pytest.mark.parametrize("network", sorted(IANA))
def test_first_last_and_middle_of_every_special_range_are_refused(network: str) -> None:
    whole = ipaddress.ip_network(network)
    for address in (whole[0], whole[-1], whole[whole.num_addresses // 2]):
        assert not is_public(str(address)), address


@pytest.mark.parametrize("address", ["::127.0.0.1", "::7f00:1", "::10.0.0.1", "::93.184.216.34"])
def test_old_compatible_form_of_an_address_is_refused(address: str) -> None:
    """`::127.0.0.1` is the one that a known list misses."""
    assert not is_public(address)


NEIGHBOURS = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "168.63.129.15",
    "2001:200::1",
    "2003::1",
    "2001:db9::1",
    "3ffe:ffff::1",
]


@pytest.mark.parametrize("address", NEIGHBOURS)
def test_right_beside_a_special_range_begins_the_internet(address: str) -> None:
    assert is_public(address)


# --- the resolver ------------------------------------------------------------------------------------------------


def raises(*_args: object) -> list[str]:
    raise NotSent("The name of the host could not be looked up.", code="name_lookup")


def answers(*found: str) -> egress.Resolver:
    return lambda host, port, seconds: list(found)


RESOLVERS: dict[str, tuple[egress.Resolver, str]] = {
    "raises": (raises, "name_lookup"),
    "gives nothing": (answers(), "name_lookup"),
    "one good, one bad": (answers("93.184.216.34", "10.0.0.1"), "output_place"),
    "one bad, one good": (answers("10.0.0.1", "93.184.216.34"), "output_place"),
    "one good, one mapped": (answers("93.184.216.34", "::ffff:10.0.0.1"), "output_place"),
    "nonsense": (answers("93.184.216.34", "localhost"), "output_place"),
    "with a zone": (answers("fe80::1%eth0"), "output_place"),
}


@pytest.mark.parametrize("name", RESOLVERS)
def test_resolver_in_doubt_refuses(name: str, dialled: list[str]) -> None:
    resolver, code = RESOLVERS[name]
    assert fetch("https://films.example/v.mp4", resolver=resolver).code == code
    assert dialled == []


@pytest.mark.parametrize("trouble", [socket.gaierror(8, "no"), UnicodeError("label too long"), TimeoutError()])
def test_gitlab_bypass_one_a_name_that_cannot_be_resolved_is_not_let_through(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch, dialled: list[str]
) -> None:
    """There, the check was skipped when the resolver failed, and the library below resolved once more."""

    def failing(*_args: object, **_kwargs: object) -> None:
        raise trouble

    monkeypatch.setattr(egress.socket, "getaddrinfo", failing)
    assert fetch("https://films.example/v.mp4").code == "name_lookup"
    assert dialled == []


def test_gitlab_bypass_two_what_is_allowed_by_name_opens_nothing_else(dialled: list[str]) -> None:
    """There, one allowed address switched the check off for every other one."""
    with fake(redirect("https://10.0.0.7/v.mp4")) as server:
        allowed = config(server, output_hosts=("127.0.0.1", "10.0.0.7", "films.example"))
        with pytest.raises(OutputBad) as caught:
            GatewayClient(allowed, resolver=answers("10.0.0.7")).download(job("https://films.example/v"), io.BytesIO())
    assert caught.value.code == "output_place"
    assert dialled == []


def test_name_that_changes_between_calls_is_dialled_by_the_address_that_was_checked(dialled: list[str]) -> None:
    turns = iter([["93.184.216.34"], ["10.0.0.7"], ["10.0.0.7"]])
    assert fetch("https://films.example/v", resolver=lambda *_: next(turns)).code == "unreachable"
    assert fetch("https://films.example/v", resolver=lambda *_: next(turns)).code == "output_place"
    assert dialled == ["93.184.216.34"]


def test_every_public_address_of_a_name_is_tried_in_turn(dialled: list[str]) -> None:
    fetch("https://films.example/v", resolver=answers("93.184.216.34", "1.1.1.1"))
    assert dialled == ["93.184.216.34", "1.1.1.1"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_redirect_to_any_spelling_is_refused(spelling: str) -> None:
    """The first place is the gateway itself, which a real socket reaches."""
    for address in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
        with fake(redirect(f"https://{SPELLINGS[spelling](address)}/v.mp4")) as server:
            error = fetch(f"{server.origin}/media/v.mp4", settings=config(server))
        assert error.code in ("output_place", "name_lookup")
        assert len(server.heard) == 1


@pytest.mark.parametrize("scheme", ["http", "ftp", "file", "gopher", "dict", "ldap", "data", "javascript", "unix", ""])
def test_no_other_scheme_is_followed(scheme: str, dialled: list[str]) -> None:
    with pytest.raises(OutputBad):
        Egress(resolver=answers("93.184.216.34")).check_url(f"{scheme}://films.example/v")
    with pytest.raises(OutputBad):
        Egress(resolver=answers("93.184.216.34")).check_url(f"{scheme}://films.example:443/v")
    assert dialled == []


@pytest.mark.parametrize("url", ["https://films.example:80/", "https://films.example:22/", "https://a:443@b.example/"])
def test_no_other_port_and_no_user_name_is_followed(url: str) -> None:
    with pytest.raises(OutputBad):
        Egress().check_url(url)


# --- hosts by name -----------------------------------------------------------------------------------------------

NAMED = ("*.lumenfall.ai", "films.example")


@pytest.mark.parametrize(
    "host", ["media.lumenfall.ai", "a.b.lumenfall.ai", "MEDIA.Lumenfall.AI", "films.example", "films.example."]
)
def test_named_host_is_dialled(host: str, dialled: list[str]) -> None:
    error = fetch(f"https://{host}/v", resolver=answers("93.184.216.34"), settings=outside(output_hosts=NAMED))
    assert error.code == "unreachable"
    assert dialled == ["93.184.216.34"]


@pytest.mark.parametrize(
    "host",
    [
        "lumenfall.ai",
        "evil-lumenfall.ai",
        "lumenfall.ai.evil.example",
        "sub.films.example",
        "films.example.evil.example",
        "xfilms.example",
        "93.184.216.34",
        "gateway.example",
    ],
)
def test_other_host_is_refused_by_its_name_and_not_even_looked_up(host: str, dialled: list[str]) -> None:
    def asked(*_args: object) -> list[str]:
        raise AssertionError("it was looked up")

    error = fetch(f"https://{host}/v", resolver=asked, settings=outside(output_hosts=NAMED))
    assert isinstance(error, OutputHost)
    assert (error.code, error.host) == ("output_host", host)
    assert host in str(error)
    assert dialled == []


def test_named_host_has_to_be_public_all_the_same(dialled: list[str]) -> None:
    error = fetch("https://films.example/v", resolver=answers("10.0.0.1"), settings=outside(output_hosts=NAMED))
    assert error.code == "output_place"
    assert dialled == []


def test_redirect_to_a_host_that_is_not_named_is_refused(dialled: list[str]) -> None:
    guard = Egress(resolver=answers("93.184.216.34"), hosts=NAMED)
    with pytest.raises(OutputHost):
        guard.addresses("other.example", 443, 2)  # at connect time too, whoever forgot to ask before


def test_own_content_of_the_gateway_needs_no_name() -> None:
    with fake(says(200, FILM, Content_Type="video/mp4")) as server:
        GatewayClient(config(server, output_hosts=NAMED)).download(film(server, len(FILM)), io.BytesIO())
    assert len(server.heard) == 1


# --- a gateway that a team typed in ------------------------------------------------------------------------------


@pytest.fixture
def team() -> GatewayConfig:
    return GatewayConfig(base_url="https://gateway.example/v1", api_key=KEY, guarded=True)


def calls(gateway: GatewayClient) -> Iterator[Callable[[], object]]:
    yield gateway.models
    yield lambda: gateway.retrieve("video_1")
    yield lambda: gateway.download(job(None), io.BytesIO())
    yield lambda: gateway.download(job("https://gateway.example/v1/videos/x/content"), io.BytesIO())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1"])
def test_no_call_of_a_teams_own_gateway_goes_into_our_network(
    address: str, team: GatewayConfig, dialled: list[str]
) -> None:
    for call in calls(GatewayClient(team, resolver=answers(address))):
        with pytest.raises((NotSent, OutputBad)) as caught:
            call()
        assert caught.value.code in ("gateway_place", "output_place")
    assert dialled == []


def test_poller_asks_the_wall_too(team: GatewayConfig) -> None:
    poller = Poller(resolver=answers("10.0.0.1"))
    try:
        poller.ask("team", team, ["video_1"])
        [(_key, _id, error)] = poller.collect(wait_s=10)
    finally:
        poller.close()
    assert isinstance(error, NotSent)
    assert error.code == "gateway_place"


@pytest.mark.parametrize("more", [{"allow_loopback": True}, {"base_url": "https://gateway.example:8443/v1"}])
def test_guarded_gateway_has_no_leave_and_no_other_port(more: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        GatewayConfig(**{"base_url": "https://gateway.example/v1", "api_key": KEY, "guarded": True} | more)  # type: ignore[arg-type]
