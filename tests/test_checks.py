"""What scripts/check asks: each is seen to fail for a planted flaw, and what lets something pass says why."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


# --- secrets ----------------------------------------------------------------------------------------------------------

PLANTED = {
    "a key of Lumenfall": 'KEY = "lmnfl_' + "k3yid4x7.Zt9qLw2RvB8nYc5HsD1f" + '"',
    "a key of a cloud": "id = AKIA" + "Q7XN4ZTE2WJ5RB6P",
    "a private key": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "a token of a code host": "ghp_" + "a8Kd02jfLsPq9ZxW4vBnM6tYr1EuIo3cHg5T",
}
GUESSED = {
    "a password in a setting": "PASSWORD = " + '"tr0ub4dor-and-three"',
    "a password in an address": "url = 'postgres://playground:tr0ub4" + "dor@db.example/playground'",
    "a key without a name": 'x = "' + "mF9pVq2sT7wYz4LrXbN8cKd3GhJ6aUeQ" + '"',
}


@pytest.fixture
def look(tmp_path):
    """The script, in a folder of its own, over one file."""
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "find_secrets.py"
    script.write_text((ROOT / "scripts" / "find_secrets.py").read_text())

    def run_over(folder: str, *texts: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / folder / "planted.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(texts) + "\n")
        return run(sys.executable, script, f"{folder}/planted.txt")

    return run_over


@pytest.mark.parametrize(
    ("folder", "texts"), [("tests", [*PLANTED.values()]), ("docs", [*PLANTED.values(), *GUESSED.values()])]
)
def test_planted_secret_is_found_and_not_shown(look, folder, texts):
    found = look(folder, *texts)
    assert found.returncode == 1
    lines = {line.rsplit(":", 1)[0] for line in found.stdout.splitlines()}
    assert lines == {f"{folder}/planted.txt:{number}" for number in range(1, 1 + len(texts))}
    assert not [text for text in ("Zt9qLw2RvB8n", "Q7XN4ZTE2WJ5", "tr0ub4dor", "mF9pVq2sT7wY") if text in found.stdout]


@pytest.mark.parametrize(
    ("folder", "texts"), [("tests", [*GUESSED.values()]), ("docs", ["postgres://user:password@host:5432/playground"])]
)
def test_made_up_passwords_of_tests_and_examples_are_none(look, folder, texts):
    found = look(folder, *texts)
    assert (found.returncode, found.stdout) == (0, "")


def test_without_a_repository_nothing_is_said_to_be_clean(tmp_path):
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "find_secrets.py"
    script.write_text((ROOT / "scripts" / "find_secrets.py").read_text())
    assert run(sys.executable, script).returncode == 2


# --- bandit -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flaw",
    [
        "import subprocess\nsubprocess.run('ls ' + input(), shell=True)\n",
        "import pickle\npickle.loads(input().encode())\n",
        "def find(db, name):\n    return db.execute(f\"SELECT * FROM user WHERE name = '{name}'\")\n",
        "access = 'user\u202e \u2066# no admin\u2069 \u2066'\n",
    ],
)
def test_flaw_of_medium_severity_is_found(tmp_path, flaw):
    words = next(line for line in (ROOT / "scripts" / "check").read_text().splitlines() if "bandit" in line).split()
    options = [word for word in words if word.startswith("-")]
    (tmp_path / "planted.py").write_text(flaw)
    found = run(BIN / "bandit", *options, tmp_path)
    assert found.returncode == 1, found.stderr
    assert "planted.py" in found.stdout
    (tmp_path / "planted.py").write_text("print(1)\n")
    assert run(BIN / "bandit", *options, tmp_path).returncode == 0


def test_what_bandit_shall_pass_over_is_named_and_says_why():
    """`# noqa: S608 - own names  # nosec B608`: the reason stands before it, for both."""
    reasoned = re.compile(r"# noqa: S\d+ - \w.*  # nosec B\d+$")
    paths = [path for folder in ("playground", "scripts", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    lines = [line for path in paths for line in path.read_text().splitlines() if "# nosec" in line]
    assert lines
    assert [line for line in lines if not reasoned.search(line)] == []


# --- the bill of materials --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bill(tmp_path_factory):
    file = tmp_path_factory.mktemp("sbom") / "sbom.json"
    made = run(sys.executable, "scripts/sbom.py", file)
    assert made.returncode == 0, made.stderr
    again = run(sys.executable, "scripts/sbom.py")
    assert again.stdout == file.read_text()
    return json.loads(file.read_text())


def test_bill_of_materials_holds_all_that_is_installed_and_nothing_of_checks(bill):
    locked = {
        pin
        for name in ("requirements", "requirements-s3", "requirements-uv")
        for pin in PIN.findall((ROOT / f"{name}.txt").read_text())
    }
    assert len(locked) > 60
    assert {(part["name"], part["version"]) for part in bill["components"]} == locked | {("htmx.org", "4.0.1")}
    assert bill["metadata"]["component"]["name"] == "video-playground"


def test_bill_of_materials_has_the_hashes_that_are_installed(bill):
    part = next(part for part in bill["components"] if part["name"] == "django")
    told = {digest["content"] for place in part["externalReferences"] for digest in place["hashes"]}
    entry = (ROOT / "requirements.txt").read_text().split("\ndjango==")[1].split("\n    # via")[0]
    assert told == set(re.findall(r"sha256:([0-9a-f]{64})", entry))


def test_packages_that_cannot_be_read_are_no_bill(tmp_path):
    for name in ("scripts/sbom.py", "static/vendor/manifest.json", "pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    script = tmp_path / "scripts" / "sbom.py"
    for name in ("requirements.txt", "requirements-s3.txt", "requirements-uv.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text() + "\nunread==1.0 of them\n")
    made = run(sys.executable, script)
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr == "no bill of materials: unread 1.0 could not be read\n"
