"""Settings of signing in that cannot work are said at the start, by name."""

import os
import subprocess
import sys

import pytest

from playground.settings_accounts import both, checked_issuer, domains, passkeys_work_on
from tests.support.installation import ROOT

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("url", "offered"),
    [
        ("http://localhost:8000", True),
        ("https://videos.example.com", True),
        ("http://videos.example.com", False),
        ("http://127.0.0.1:8000", False),
        ("https://192.0.2.7", False),
        ("https://[::1]", False),
    ],
)
def test_passkeys_are_offered_where_browsers_make_them(url, offered):
    assert passkeys_work_on(url) is offered


def test_pair_set_by_half_names_what_is_missing():
    assert both("A", "x", "B", "y") is True
    assert both("A", "", "B", "") is False
    with pytest.raises(ValueError, match="A is set but B is not"):
        both("A", "x", "B", "")
    with pytest.raises(ValueError, match="B is set but A is not"):
        both("A", "", "B", "y")


def test_directory_is_reached_over_https_but_on_this_machine():
    assert checked_issuer("https://login.example.com/realms/x/") == "https://login.example.com/realms/x"
    assert checked_issuer("http://localhost:9000")
    for url in ("http://login.example.com", "login.example.com", "ftp://login.example.com"):
        with pytest.raises(ValueError, match="OIDC_ISSUER_URL must"):
            checked_issuer(url)


def test_domains_are_names():
    assert domains(" Example.com, @example.org ,") == ["example.com", "example.org"]
    for wrong in ("example", "*.example.com", "a@example.com", "example.com/x", "."):
        with pytest.raises(ValueError, match="SIGNUP_DOMAINS"):
            domains(wrong)


BROKEN = [
    {"OIDC_CLIENT_SECRET": "hunter2-hunter2"},
    {"OIDC_ISSUER_URL": "https://login.example.com"},
    {"GOOGLE_CLIENT_ID": "x"},
    {"GITHUB_CLIENT_SECRET": "hunter2-hunter2"},
    {"SIGNUP_DOMAINS": "everybody"},
    {"SIGNUP_ROLE": "admin"},
    {"REQUIRE_MFA": "maybe"},
]


@pytest.mark.journey
@pytest.mark.parametrize("values", BROKEN, ids=lambda values: next(iter(values)))
def test_broken_value_is_one_line_that_names_it_and_no_secret(tmp_path, values):
    environment = os.environ | {"SECRET_KEY": "x" * 40, "PLAYGROUND_DATA": str(tmp_path)} | values
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert said.count("\n") == 1, said
    assert next(iter(values)) in said
    assert "hunter2" not in said
