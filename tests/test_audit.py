"""scripts/audit.py: what is known, what is not known, and that the two are never taken for one another."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
GOOD = {"name": "django", "version": "5.2.19", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["1.1"], "aliases": []}]}
# Stands for pip-audit: notes what it is asked, writes the report that the test wants.
STANDIN = """
import os, sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile
Path(os.environ["CALLS"]).write_text("\\n".join(sys.argv[1:]))
report = next(word for word in sys.argv if word.startswith("--output=")).removeprefix("--output=")
if os.environ["REPORT"]:
    Path(report).write_text(os.environ["REPORT"])
print(os.environ["SAYS"], file=sys.stderr)
sys.exit(int(os.environ["EXIT"]))
"""


@pytest.fixture
def audit(tmp_path):
    (tmp_path / "pip_audit.py").write_text(STANDIN)

    def run(packages=None, *, code=0, says="", report=None):
        text = report if report is not None else json.dumps({"dependencies": packages, "fixes": []})
        told = {"PYTHONPATH": str(tmp_path), "CALLS": str(tmp_path / "calls"), "REPORT": text, "SAYS": says}
        command = [sys.executable, str(ROOT / "scripts" / "audit.py")]
        environment = os.environ | told | {"EXIT": str(code)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    run.calls = lambda: (tmp_path / "calls").read_text().splitlines()
    return run


def test_all_locked_files_are_looked_up_strictly(audit):
    run = audit([GOOD])
    assert (run.returncode, run.stdout) == (0, "1 packages audited, 0 with a known vulnerability\n")
    calls = audit.calls()
    assert {"--strict", "--require-hashes", "--disable-pip"} <= set(calls)
    assert {Path(word).name for word in calls if word.endswith(".txt")} == {
        p.name for p in ROOT.glob("requirements*.txt")
    }


def test_known_vulnerability_fails_and_is_named(audit):
    run = audit([GOOD, BAD], code=1, says="Found 1 known vulnerability")
    assert run.returncode == 1
    assert "old 1.0: CVE-2026-1, mended in 1.1\n" in run.stdout


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"report": "", "code": 1, "says": "ERROR:pip_audit._cli:django: Could not connect"}, "Could not connect"),
        ({"report": "{", "code": 0}, "no answer"),
        ({"packages": [], "code": 0}, "no answer"),
        ({"packages": [GOOD], "code": 1, "says": "a package was skipped"}, "a package was skipped"),
    ],
)
def test_what_could_not_be_looked_up_is_said_loudly_with_a_code_of_its_own(audit, given, why):
    run = audit(**given)
    assert run.returncode == 3
    assert run.stdout.startswith("NOT AUDITED: ")
    assert why in run.stdout


def test_list_that_cannot_be_reached_is_not_audited():
    """The real program, where it is installed, asked without any network; else it is missing, which is as little."""
    away = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    command = [sys.executable, str(ROOT / "scripts" / "audit.py"), str(ROOT / "requirements-uv.txt")]
    run = subprocess.run(command, env=os.environ | away, capture_output=True, text=True, timeout=100, check=False)
    assert (run.returncode, run.stdout[:11]) == (3, "NOT AUDITED")


def test_tampered_package_is_not_installed(tmp_path):
    """What pip is given to install has to be, byte for byte, what was locked."""
    for name in ("locked", "tampered"):
        _wheel(tmp_path / name, "VALUE = 1" if name == "locked" else "VALUE = 2")
    digest = sha256((tmp_path / "locked" / WHEEL).read_bytes()).hexdigest()
    (tmp_path / "requirements.txt").write_text(f"probe==1.0 --hash=sha256:{digest}\n")
    assert _install(tmp_path, "locked").returncode == 0
    refused = _install(tmp_path, "tampered")
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    unlocked = tmp_path / "requirements.txt"
    unlocked.write_text("probe==1.0\n")
    assert "--require-hashes" in _install(tmp_path, "locked").stderr


WHEEL = "probe-1.0-py3-none-any.whl"


def _wheel(folder: Path, code: str) -> None:
    folder.mkdir()
    about = "probe-1.0.dist-info"
    with ZipFile(folder / WHEEL, "w") as wheel:
        wheel.writestr("probe.py", code)
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def _install(folder: Path, source: str):
    """With the words of scripts/_lib.sh, into a folder of the test."""
    line = next(line for line in (ROOT / "scripts" / "_lib.sh").read_text().splitlines() if "-m pip install" in line)
    words = line.strip().split()[3:-1]
    assert "--require-hashes" in words
    command = [sys.executable, "-m", "pip", *words, "-r", str(folder / "requirements.txt")]
    command += ["--no-index", f"--find-links={folder / source}", f"--target={folder / 'installed'}", "--upgrade"]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
