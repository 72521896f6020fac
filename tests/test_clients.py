"""Whose request it is: the connection's address, and X-Forwarded-For only as far as the proxy's own word goes."""

import pytest
from django.test import RequestFactory

from playground.clients import address_of

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (False, "198.51.100.7", "192.0.2.1"),
        (True, "198.51.100.7", "198.51.100.7"),
        (True, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (True, "203.0.113.9,", "192.0.2.1"),
        (True, "", "192.0.2.1"),
        (True, "198.51.100.7:51001", "198.51.100.7"),
        (True, "[2001:db8:1:2::9]:51001", "2001:db8:1:2::"),
        (True, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (True, "198.51.100.7, unknown", "192.0.2.1"),
    ],
)
def test_only_the_last_address_of_a_trusted_proxy_counts(settings, trusted, forwarded, expected):
    settings.TRUST_PROXY = trusted
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert address_of(request) == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("x" * 100, ""),
    ],
)
def test_a_network_is_one_client(address, expected):
    assert address_of(RequestFactory().get("/", REMOTE_ADDR=address)) == expected
