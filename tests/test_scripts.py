"""The shell scripts, in a copy, with a Python that installs nothing: their own logic is what is tested."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from threading import Barrier
from typing import Any, TextIO

import pytest

from tests import lanes
from tests.lanes import Lane, Result
from tests.support.running import Running

pytestmark = pytest.mark.pure

ROOT = Path(__file__).resolve().parents[1]
# Stands for python3 and for .venv/bin/python alike: makes the .venv, answers what the scripts ask, notes each call.
PYTHON = """#!/bin/sh
echo "$@" >>"$CALLS"
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") if [ "$3" = install ]; then exit "${PIP_EXIT:-0}"; fi ;;
    "-m uv") exit "${UV_EXIT:-0}" ;;
    "-m playground.supervisor") echo started ;;
    "-V ") echo "Python ${VERSION:-3.11.0}" ;;
    "-c import sys; sys.exit"*) exit "${TOO_OLD:-0}" ;;
    "-c import venv"*) exit "${NO_VENV:-0}" ;;
    "-c import sys; print"*) echo 3.11 ;;
    "-c import secrets"*) echo "a-secret-of-$$-0123456789012345678901234567890123456789" ;;
esac
"""


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.calls = folder / "calls"
        (self.root / "scripts").mkdir(parents=True)
        for name in ("up", "_lib.sh"):
            shutil.copy(ROOT / "scripts" / name, self.root / "scripts")
        (self.root / "requirements-uv.txt").write_text("uv==1\n")
        (self.root / "requirements.txt").write_text("one==1\n")
        (self.root / "requirements-s3.txt").write_text("two==1\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "python3").write_text(PYTHON)
        (self.bin / "python3").chmod(0o755)

    def up(self, **variables: str) -> subprocess.CompletedProcess[str]:
        self.calls.write_text("")
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "CALLS": str(self.calls), "PYTHON": "python3"}
        command = [self.root / "scripts" / "up"]
        return subprocess.run(command, cwd="/", env=environment | variables, capture_output=True, text=True)

    def installs(self) -> int:
        """How often the packages were installed, by uv."""
        return self.calls.read_text().count("-m uv pip install")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_installs_and_the_second_does_not(checkout: Checkout) -> None:
    first = checkout.up()
    assert (first.returncode, first.stdout) == (0, "started\n"), first.stderr
    assert "--require-hashes -r requirements.txt" in checkout.calls.read_text()
    second = checkout.up()
    assert (second.stdout, checkout.installs()) == ("started\n", 0)


def test_changed_requirements_are_installed(checkout: Checkout) -> None:
    checkout.up()
    (checkout.root / "requirements.txt").write_text("one==2\n")
    checkout.up()
    assert checkout.installs() == 1


def test_packages_for_a_bucket_are_installed_only_when_one_is_set(checkout: Checkout) -> None:
    checkout.up()
    assert "requirements-s3.txt" not in checkout.calls.read_text()
    checkout.up(MEDIA_STORAGE_URL="s3://store.example/videos")
    assert "--require-hashes -r requirements.txt -r requirements-s3.txt" in checkout.calls.read_text()
    checkout.up(MEDIA_STORAGE_URL="s3://store.example/videos")
    assert checkout.installs() == 0


@pytest.mark.parametrize(
    ("line", "variables", "wanted"),
    [
        ("MEDIA_STORAGE_URL=s3://store.example/videos", {}, True),
        ("export MEDIA_STORAGE_URL = 's3://store.example/videos'", {}, True),
        ("# MEDIA_STORAGE_URL=s3://store.example/videos", {}, False),
        ("MEDIA_STORAGE_URL=", {}, False),
        ("MEDIA_STORAGE_URL=s3://store.example/videos", {"MEDIA_STORAGE_URL": ""}, False),
    ],
)
def test_a_bucket_named_in_env_is_seen_and_the_environment_wins(
    checkout: Checkout, line: str, variables: dict[str, str], wanted: bool
) -> None:
    (checkout.root / ".env").write_text(f"SECRET_KEY=x\n{line}\n")
    checkout.up(**variables)
    assert ("requirements-s3.txt" in checkout.calls.read_text()) is wanted


def test_another_python_is_installed_for(checkout: Checkout) -> None:
    checkout.up()
    checkout.up(VERSION="3.13.1")
    assert checkout.installs() == 1


def test_an_interrupted_installation_starts_afresh(checkout: Checkout) -> None:
    checkout.up()
    (checkout.root / ".venv" / ".installing").touch()
    (checkout.root / ".venv" / "half").touch()
    healed = checkout.up()
    assert healed.returncode == 0
    assert checkout.installs() == 1
    assert not (checkout.root / ".venv" / "half").exists()


def test_a_venv_that_was_cut_off_before_pip_is_made_anew(checkout: Checkout) -> None:
    (checkout.root / ".venv" / "bin").mkdir(parents=True)
    assert checkout.up().returncode == 0
    assert "-m venv" in checkout.calls.read_text()


def test_a_failing_installation_starts_nothing_and_is_tried_again(checkout: Checkout) -> None:
    failed = checkout.up(PIP_EXIT="1")
    assert failed.returncode == 1
    assert failed.stderr.endswith("up: installing the packages failed; the reason is above\n")
    assert "started" not in failed.stdout
    assert checkout.up().stdout == "started\n"


def test_what_uv_cannot_install_is_installed_by_pip_which_is_said(checkout: Checkout) -> None:
    done = checkout.up(UV_EXIT="1")
    assert done.stdout == "started\n"
    assert "Trying with pip" in done.stderr
    assert "--no-compile --require-hashes -r requirements.txt" in checkout.calls.read_text()
    checkout.up()
    assert checkout.installs() == 0


def test_an_old_python_is_one_clear_line(checkout: Checkout) -> None:
    done = checkout.up(TOO_OLD="1", VERSION="3.9.2")
    assert done.returncode == 1
    assert done.stderr.startswith("up: Python 3.11 or newer is needed; found Python 3.9.2.")
    assert done.stderr.count("\n") == 1


def test_a_missing_venv_module_names_the_package(checkout: Checkout) -> None:
    done = checkout.up(NO_VENV="1")
    assert done.returncode == 1
    assert "apt install python3-venv (or python3.11-venv)" in done.stderr
    assert done.stderr.count("\n") == 1


def test_env_is_made_once_with_a_secret_and_only_for_its_owner(checkout: Checkout) -> None:
    checkout.up()
    env = checkout.root / ".env"
    made = env.read_text()
    assert "SECRET_KEY=a-secret-of-" in made
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    checkout.up()
    assert env.read_text() == made


def test_env_of_before_gets_a_key_for_stored_secrets_once_and_keeps_the_rest(checkout: Checkout) -> None:
    env = checkout.root / ".env"
    env.write_text("SECRET_KEY=mine")  # without a line end
    checkout.up()
    made = env.read_text()
    assert made.startswith("SECRET_KEY=mine\n")
    assert made.count("SECRETS_KEYS=a-secret-of-") == 1
    checkout.up()
    assert env.read_text() == made


def test_key_for_stored_secrets_that_the_environment_holds_is_not_written(checkout: Checkout) -> None:
    (checkout.root / ".env").write_text("SECRET_KEY=mine\n")
    checkout.up(SECRETS_KEYS="given")
    assert (checkout.root / ".env").read_text() == "SECRET_KEY=mine\n"


def test_no_env_is_made_where_the_environment_brings_the_secrets(checkout: Checkout) -> None:
    checkout.up()
    (checkout.root / ".env").unlink()
    assert checkout.up(SECRET_KEY="given", SECRETS_KEYS="given").stdout == "started\n"
    assert not (checkout.root / ".env").exists()
    checkout.up(SECRET_KEY="given")
    assert "SECRETS_KEYS=a-secret-of-" in (checkout.root / ".env").read_text()


@pytest.mark.parametrize("name", ["up", "test", "check", "lock", "audit", "sbom"])
def test_scripts_are_executable_and_parse(name: str) -> None:
    path = ROOT / "scripts" / name
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", path], check=True)


def test_ci_runs_check_and_test_and_nothing_else() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "./scripts/check && ./scripts/test"


# --- lanes ------------------------------------------------------------------------------------------------------------


def test_fast_is_one_lane_on_sqlite_without_whole_orders() -> None:
    (fast,) = lanes.parse(["--fast"])[0]
    assert fast.needs is lanes.nothing_more
    assert "not engine" in fast.arguments[1]


def test_no_arguments_mean_every_lane() -> None:
    assert [lane.name for lane in lanes.parse([])[0]] == [
        "sqlite",
        "postgres",
        "contract",
        "journeys",
        "faults",
        "browser",
    ]


def test_what_follows_the_dashes_goes_to_pytest() -> None:
    chosen, extra = lanes.parse(["contract", "--", "-k", "image"])
    assert ([lane.name for lane in chosen], extra) == (["contract"], ["-k", "image"])


def test_an_unknown_lane_is_refused() -> None:
    with pytest.raises(SystemExit, match="no lane mysql"):
        lanes.parse(["mysql"])


def test_a_lane_without_tests_has_failed(tmp_path: Path) -> None:
    result = lanes.count("browser", 5, tmp_path / "none.xml", 1.0)
    assert not result.good
    assert "no tests" in lanes.table([result])


def test_a_lane_whose_tests_were_all_skipped_has_failed(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="3" failures="0" errors="0" skipped="3"/></testsuites>')
    assert lanes.count("browser", 0, report, 1.0).problem == "no test ran"


def test_a_lane_that_broke_off_has_failed_whatever_was_counted(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="3" failures="0" errors="0" skipped="0"/></testsuites>')
    result = lanes.count("sqlite", 2, report, 1.0)
    assert (result.passed, result.good) == (3, False)


def test_a_lane_runs_beside_another_where_both_are_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """Each waits for the others to have begun; alone it waits for nobody."""
    both, niceness_of = Barrier(3), {}

    def run(lane: Lane, extra: list[str], out: TextIO, *, niceness: int = 0) -> lanes.Result:
        niceness_of[lane.name] = niceness
        if lane.name != "alone":
            both.wait(10)
        out.write(f"{lane.name} said\n")
        return lanes.Result(lane.name, passed=1)

    monkeypatch.setattr(lanes, "run", run)
    main, aside, alone = Lane("main", []), Lane("aside", [], beside="main"), Lane("alone", [], beside="nobody")
    polite = Lane("polite", [], beside="main", gives_way=True)
    ended = [result.lane for result in lanes.run_together([alone, main, aside, polite], [])]
    assert ended == ["alone", "main", "aside", "polite"]
    assert capsys.readouterr().out == "alone said\nmain said\naside said\npolite said\n"
    assert niceness_of == {"alone": 0, "main": 0, "aside": 0, "polite": lanes.GIVING_WAY}


def test_a_lane_that_gives_way_runs_with_that_niceness(monkeypatch: pytest.MonkeyPatch) -> None:
    class Started(Exception):
        pass

    def start(command: list[str], **_: Any) -> None:
        raise Started(*command)

    with monkeypatch.context() as patch:
        patch.setattr(lanes.subprocess, "run", start)
        with pytest.raises(Started) as started:
            lanes.run(Lane("polite", []), [], sys.stdout, niceness=7)
    python = started.value.args[: started.value.args.index("-m")]
    told = subprocess.check_output([*python, "-c", "import os; print(os.nice(0))"], text=True)
    assert int(told) == min(19, os.nice(0) + 7)


def test_a_lane_that_lacks_its_browser_fails_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    result = lanes.run(Lane("browser", [], lanes.with_chromium), [], sys.stdout)
    assert result.problem == "CHROMIUM=/nowhere/chromium is not a program"


def test_browsers_without_an_installation_have_failed_and_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(running: Running) -> None:
        raise AssertionError("port taken")

    monkeypatch.setenv("CHROMIUM", sys.executable)
    monkeypatch.setattr(Running, "prepared", broken)
    result = lanes.run(Lane("browser", [], lanes.with_browsers), [], sys.stdout)
    assert result.problem == "no installation: port taken"


def test_the_table_has_one_line_per_lane() -> None:
    text = lanes.table([Result("sqlite", 10, 0, 1, 2.5), Result("contract", 3, 2, 0, 1.0)])
    assert [line.split() for line in text.strip().splitlines()[1:]] == [
        ["sqlite", "10", "0", "1", "2.5", "ok"],
        ["contract", "3", "2", "0", "1.0", "FAILED"],
    ]
