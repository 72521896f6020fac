"""The table of addresses, the resolver, and TLS by name."""

import socket
import threading

import httpx  # noqa: TID251
import pytest

from playground.gateway import egress
from playground.gateway.egress import Egress, is_public, resolve
from playground.gateway.errors import NotSent, OutputBad

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.255.0.1",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.254",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "64:ff9b::7f00:1",
    "64:ff9b::5db8:d822",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "2620:4f:8000::1",
    "4000::1",
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"]
LOOPBACK_SPELLINGS = ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0"]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "1.2.3", "1.2.3.4.5", "::g"])
def test_an_unreadable_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("host", [*LOOPBACK_SPELLINGS, "localhost"])
def test_each_spelling_of_this_machine_is_refused_by_what_it_resolves_to(host: str) -> None:
    with pytest.raises((OutputBad, NotSent)):
        Egress().addresses(host, 443, 2)


@pytest.mark.parametrize("address", [address for address in REFUSED if "%" not in address])
def test_each_refused_address_is_refused_behind_a_name_and_as_a_literal(address: str) -> None:
    guard = Egress(resolver=lambda host, port, seconds: [address])
    with pytest.raises(OutputBad):
        guard.addresses("films.example", 443, 2)
    literal = f"[{address}]" if ":" in address else address
    url = guard.check_url(f"https://{literal}/v.mp4")
    with pytest.raises(OutputBad):
        guard.addresses(url.host, 443, 2)


def test_only_port_443_is_dialled() -> None:
    guard = Egress(resolver=lambda host, port, seconds: ["1.1.1.1"])
    assert guard.addresses("films.example", 443, 2) == ["1.1.1.1"]
    with pytest.raises(OutputBad):
        guard.addresses("films.example", 22, 2)


def test_the_exemption_is_for_one_host_and_port_only() -> None:
    own = egress.origin(httpx.URL("http://localhost:8001/openai/v1"))
    guard = Egress(exempt=own)
    assert guard.addresses("127.0.0.1", 8001, 2) == ["127.0.0.1"]
    assert str(guard.check_url("http://localhost:8001/v.mp4")) == "http://localhost:8001/v.mp4"
    for place in ("http://127.0.0.1:8002/v", "http://127.0.0.2:8001/v", "https://127.0.0.1:8001/v"):
        with pytest.raises(OutputBad):
            guard.check_url(place)
    with pytest.raises(OutputBad):
        guard.addresses("127.0.0.1", 443, 2)


def test_a_resolver_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(egress.socket, "getaddrinfo", lambda *args, **kwargs: release.wait(20) and [])
    with pytest.raises(NotSent):
        resolve("films.example", 443, 0.05)
    left = [thread for thread in threading.enumerate() if thread.name == "gateway-resolver"]
    assert left
    assert all(thread.daemon for thread in left), "it would hold up the end of the process"
    release.set()


@pytest.mark.parametrize("trouble", [socket.gaierror(8, "no"), UnicodeError("label too long"), OSError("x")])
def test_a_resolver_that_raises_refuses(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def raises(*args: object, **kwargs: object) -> None:
        raise trouble

    monkeypatch.setattr(egress.socket, "getaddrinfo", raises)
    with pytest.raises(NotSent):
        resolve("films.example", 443, 2)
