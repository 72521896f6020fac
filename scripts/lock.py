"""Writes the hash-locked requirement files, or says whether they are in step with their sources.

scripts/lock [uv arguments]      resolve and write the files
scripts/lock.py --check          offline: every name of the .in file is pinned in the .txt file within its limits
"""

import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements-uv", "requirements", "requirements-s3", "requirements-dev")
UV = ("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes")
# Names of package servers belong to the machine that resolves, not to the lock.
TIDY = ("--no-emit-index-url", "--no-emit-find-links", "--custom-compile-command", "./scripts/lock")
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE)


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        problems = [problem for name in FILES for problem in check(name)]
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        return 1 if problems else 0
    uv = str(Path(sys.executable).parent / UV[0])
    for name in FILES:
        command = [uv, *UV[1:], *TIDY, *arguments, f"{name}.in", "-o", f"{name}.txt"]
        subprocess.run(command, cwd=ROOT, check=True)
    return 0


def check(name: str) -> list[str]:
    """What is wrong with one pair of files, one line each."""
    locked = (ROOT / f"{name}.txt").read_text(encoding="utf-8")
    pins: dict[str, list[str]] = {}
    for pin in _PIN.finditer(locked):
        pins.setdefault(canonicalize_name(pin["name"]), []).append(pin["version"])
    problems = []
    for requirement in sources(name):
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not versions:
            problems.append(f"{name}.txt does not hold {requirement.name}; run ./scripts/lock")
        elif not any(requirement.specifier.contains(version, prereleases=True) for version in versions):
            problems.append(f"{name}.txt has {requirement.name} {versions}, wanted {requirement}; run ./scripts/lock")
    if "://" in locked:
        problems.append(f"{name}.txt names a package server; run ./scripts/lock")
    return problems


def sources(name: str) -> list[Requirement]:
    lines = (ROOT / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith(("#", "-"))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
