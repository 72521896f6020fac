"""The sandbox's own page, which needs no key, and the names that the sandbox answers to."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.sandbox_server import ROOT, SandboxServer


def test_page_lists_models_faults_and_jobs_without_foreign_assets(lumenfall: SandboxServer) -> None:
    lumenfall.wait(lumenfall.create(prompt="harbour [[sandbox:dearer]]").json["id"])
    page = lumenfall.request("GET", lumenfall.root_url + "/", key=None).body.decode()
    assert "[[sandbox:drop]]" in page
    assert "seedance-2.0" in page
    assert '<td class="completed">completed</td>' in page
    assert "<code>dearer</code>" in page
    ordered = re.search(r'<time datetime="([^"]+)">([^<]+)</time>', page)
    assert ordered
    assert ordered[1] == f"{ordered[2].replace(' ', 'T')}+00:00"
    assert abs((datetime.fromisoformat(ordered[1]) - datetime.now(UTC)).total_seconds()) < 60
    assert "https://" not in page
    assert lumenfall.request("GET", lumenfall.root_url + "/healthz", key=None).status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/sandbox/charges", "/sandbox/requests", "/sandbox/hooks"])
def test_who_has_no_key_is_shown_nothing_of_a_prompt_or_a_picture(lumenfall: SandboxServer, path: str) -> None:
    video = lumenfall.wait(lumenfall.create(prompt="a canary <b>sings</b>").json["id"])
    token = video["output"]["url"].split("/media/")[1].split("/")[0]
    page = lumenfall.request("GET", lumenfall.root_url + path, key=None).body.decode()
    assert "canary" not in page
    assert "sings" not in page
    assert token not in page


@pytest.mark.parametrize("path", ["/", "/healthz", "/sandbox/charges", "/v1/models", "/v1/webhooks/secret", "/nowhere"])
def test_names_of_others_are_not_answered(lumenfall: SandboxServer, path: str) -> None:
    def status(host: str) -> int:
        return lumenfall.request("GET", lumenfall.root_url + path, headers={"Host": host}).status

    usual = status(f"127.0.0.1:{lumenfall.port}")
    for host in ("localhost", f"LocalHost:{lumenfall.port}", "localhost.", "[::1]:8001", "127.0.0.1", "10.0.0.7:80"):
        assert status(host) == usual, host
    for host in ("evil.test", "localhost.evil.test", "127.0.0.1.evil.test:8001", "evil.test@localhost", "a b", "_", ""):
        assert status(host) == 403, host


def test_name_that_the_server_was_started_with_is_answered(tmp_path: Path) -> None:
    code = (
        "from playground.sandbox import server; server.serve = lambda *_: None\n"
        "from playground.sandbox.__main__ import run; from playground.sandbox import settings\n"
        "run('Box.internal', 0, 'lumenfall'); print(sorted(settings.OWN_NAMES))"
    )
    env = {**os.environ, "SANDBOX_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "playground.sandbox.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.stdout == "['box.internal', 'localhost']\n", done.stderr
