"""Runs the tests lane by lane and closes with one table. Started by scripts/test.

    ./scripts/test                          every lane but `thorough`
    ./scripts/test --fast                   SQLite, without what drives whole orders or takes seconds
    ./scripts/test sqlite browser -- -k tag some lanes, with arguments for pytest

A lane that cannot run has failed, and says why.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.support import postgres
from tests.support.chromium import NoChromium, ensure_chromium
from tests.support.running import for_browsers

ROOT = Path(__file__).resolve().parent.parent
APART = "not contract and not journey and not browser and not faults and not thorough"
PLACES = {
    "contract": (
        "tests/contract",
        "tests/sandbox",
        "tests/media",
        "tests/services/test_bucket.py",
        "tests/test_object_storage.py",
        "tests/views/test_media_in_a_bucket.py",
    ),
    "journey": ("tests/journeys", "tests/management", "tests/supervisor", "tests/test_up.py"),
    "faults": ("tests/faults",),
    "browser": ("tests/browser", "tests/views/*_in_chromium.py"),
}
"""Where the tests of a marker lie: its lane reads no others; tests/conftest.py fails for one that lies elsewhere."""
MOSTLY_WAITING = ["-n", "5", "--dist", "loadscope"]
"""Tests that wait for processes, jobs and pages leave two cores idle for more than half of their time."""
GIVING_WAY = 15
NOT_INHERITED = ("PLAYGROUND_TEST_DATABASE_URL", "DJANGO_SETTINGS_MODULE")
Environment = dict[str, str]


class NoInstallation(Exception):
    """Why none has started."""


@dataclass(frozen=True)
class Result:
    lane: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    problem: str = ""

    @property
    def good(self) -> bool:
        return not self.failed and not self.problem


@contextmanager
def nothing_more(out: TextIO) -> Iterator[Environment]:
    yield {}


@contextmanager
def with_postgres(out: TextIO) -> Iterator[Environment]:
    with postgres.server() as (url, origin):
        out.write(f"PostgreSQL from {origin}\n")
        yield {"PLAYGROUND_TEST_DATABASE_URL": url, "DATABASE_URL": url}


@contextmanager
def with_chromium(out: TextIO) -> Iterator[Environment]:
    path = ensure_chromium()
    out.write(f"Chromium: {path}\n")
    yield {"CHROMIUM": path}


@contextmanager
def with_browsers(out: TextIO) -> Iterator[Environment]:
    """Chromium, and an installation that all workers share: tests/browser/conftest.py takes it."""
    made = tempfile.TemporaryDirectory(prefix="playground-up-", ignore_cleanup_errors=True)
    with with_chromium(out) as chromium, made as folder:
        running = for_browsers(Path(folder) / "up")
        try:
            try:
                running.prepared()
                running.ready_to_order()
            except AssertionError as error:
                raise NoInstallation(f"no installation: {error}") from error
            yield chromium | {"PLAYGROUND_TEST_INSTALLATION": running.told()}
        finally:
            running.remove()


def found(places: Iterable[str]) -> list[Path]:
    return [path for place in places for path in sorted(ROOT.glob(place))]


@dataclass(frozen=True)
class Lane:
    name: str
    arguments: list[str]
    needs: Callable[[TextIO], AbstractContextManager[Environment]] = nothing_more
    places: tuple[str, ...] = ()
    beside: str = ""
    """A lane that this one runs beside where both are asked for: each alone leaves the processors idle."""
    gives_way: bool = False
    """It computes, and the lane it runs beside has times to keep: it takes the processors when that one leaves them."""

    def paths(self, extra: list[str]) -> list[str]:
        """The files to read: all of its places, or what `extra` names."""
        if any((ROOT / word.split("::")[0]).exists() for word in extra):
            return []
        return [str(path.relative_to(ROOT)) for path in found(self.places)]


LANES = {
    lane.name: lane
    for lane in (
        Lane("sqlite", ["-m", APART, "-n", "5"]),
        Lane("postgres", ["-m", f"{APART} and not pure", "-n", "5"], with_postgres, (), "journeys", gives_way=True),
        Lane("contract", ["-m", "contract", *MOSTLY_WAITING], places=PLACES["contract"]),
        Lane("journeys", ["-m", "journey", *MOSTLY_WAITING], places=PLACES["journey"]),
        Lane("faults", ["-m", "faults", *MOSTLY_WAITING, "-n", "3"], with_postgres, PLACES["faults"], "journeys"),
        Lane("browser", ["-m", "browser", *MOSTLY_WAITING, "-n", "4"], with_browsers, places=PLACES["browser"]),
    )
}


THOROUGH = Lane("thorough", ["-m", "thorough", "-n", "3"], places=("tests/walls",))
"""Too long for each change: run only where it is named."""
FAST = Lane("fast", ["-m", f"{APART} and not engine and not slow", "-n", "2"])


def parse(arguments: list[str]) -> tuple[list[Lane], list[str]]:
    """The lanes to run, and what goes to pytest."""
    ours, extra = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        ours, extra = arguments[:at], arguments[at + 1 :]
    if any(word in ("-h", "--help") for word in ours):
        sys.exit(__doc__)
    if ours == ["--fast"]:
        return [FAST], extra
    known = LANES | {THOROUGH.name: THOROUGH}
    names = ours or list(LANES)
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"test: there is no lane {', '.join(unknown)}. Lanes: {', '.join(known)}; or --fast")
    return [known[name] for name in names], extra


def run_together(lanes: list[Lane], extra: list[str]) -> Iterator[Result]:
    """One after the other, but for those that run beside another: what they say comes when both have ended."""
    names = {lane.name for lane in lanes}
    for lane in lanes:
        if lane.beside in names:
            continue
        others = [other for other in lanes if other.beside == lane.name]
        with ThreadPoolExecutor(len(others) or 1) as pool:
            running = [pool.submit(run_aside, other, extra) for other in others]
            yield run(lane, extra, sys.stdout)
            for words, result in (future.result() for future in running):
                sys.stdout.write(words)
                yield result


def run_aside(lane: Lane, extra: list[str]) -> tuple[str, Result]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        result = run(lane, extra, out, niceness=GIVING_WAY if lane.gives_way else 0)
        out.seek(0)
        return out.read(), result


def run(lane: Lane, extra: list[str], out: TextIO, *, niceness: int = 0) -> Result:
    out.write(f"\n=== {lane.name} ===\n")
    begin = time.monotonic()
    try:
        with lane.needs(out) as more:
            out.flush()
            return run_pytest(lane, extra, more, begin, out, niceness=niceness)
    except (postgres.NoPostgres, NoChromium, NoInstallation) as error:
        return Result(lane.name, seconds=time.monotonic() - begin, problem=str(error))


def run_pytest(
    lane: Lane, extra: list[str], more: Environment, begin: float, out: TextIO, *, niceness: int = 0
) -> Result:
    folder = Path(tempfile.mkdtemp(prefix=f"playground-{lane.name}-"))
    report = folder / "report.xml"
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment = inherited | {"PLAYGROUND_TEST_DATA": str(folder)} | more
    pytest = ["nice", "-n", str(niceness), sys.executable, "-m", "pytest"]
    command = [*pytest, f"--junit-xml={report}", *lane.arguments, *lane.paths(extra), *extra]
    try:
        code = subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT).returncode
        return count(lane.name, code, report, time.monotonic() - begin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def count(lane: str, code: int, report: Path, seconds: float) -> Result:
    """Reads pytest's report. A lane without tests, or one that broke off, has failed whatever the numbers say."""
    total = failed = skipped = 0
    if report.exists():
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    problem = {0: "", 1: "" if failed else "pytest ended with 1", 5: "no tests"}.get(code, f"pytest ended with {code}")
    if not problem and total == skipped:
        problem = "no test ran"
    return Result(lane, total - failed - skipped, failed, skipped, seconds, problem)


def table(results: list[Result]) -> str:
    lines = [f"\n{'lane':<10}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}"]
    for result in results:
        numbers = f"{result.passed:>8}{result.failed:>8}{result.skipped:>9}{result.seconds:>9.1f}"
        verdict = "ok" if result.good else f"FAILED {result.problem}".rstrip()
        lines.append(f"{result.lane:<10}{numbers}  {verdict}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    lanes, extra = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="playground-shared-", ignore_cleanup_errors=True) as shared:
        os.environ["PLAYGROUND_TEST_SHARED"] = shared
        results = list(run_together(lanes, extra))
    sys.stdout.write(table(results))
    return 0 if all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
