"""Looks up every locked package, by name and version, in the list of known vulnerabilities.

Exit code 0: all were looked up and none is known to be vulnerable. 1: some are, and they are named. 3: NOT AUDITED, as
the list could not be read; nothing is known then, and a release has to be audited where it can be.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-s3.txt", "requirements-dev.txt", "requirements-uv.txt")
FOUND, NOT_AUDITED = 1, 3
# --disable-pip: the files name every package with its version and hashes, so nothing is resolved or installed.
COMMAND = ("--strict", "--require-hashes", "--disable-pip", "--progress-spinner=off", "--timeout=20", "--format=json")


def main(arguments: list[str]) -> int:
    files = arguments or [str(ROOT / name) for name in FILES]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", *COMMAND, f"--output={report}"]
        for file in files:
            command += ["--requirement", file]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        packages = _read(report)
    if packages is None:
        return not_audited(run.stderr)
    known = [package for package in packages if package.get("vulns")]
    if not known and run.returncode:
        return not_audited(run.stderr)
    for package in known:
        for vulnerability in package["vulns"]:
            fixed = ", ".join(vulnerability.get("fix_versions", [])) or "no version yet"
            sys.stdout.write(f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {fixed}\n")
    sys.stdout.write(f"{len(packages)} packages audited, {len(known)} with a known vulnerability\n")
    return FOUND if known else 0


def _read(report: Path) -> list[dict[str, Any]] | None:
    """What was found; None where nothing was written, or nothing that can be read."""
    try:
        packages: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return packages or None


def not_audited(words: str) -> int:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    why = lines[-1] if lines else "no answer"
    sys.stdout.write(f"NOT AUDITED: known vulnerabilities could not be looked up ({why[:300]})\n")
    return NOT_AUDITED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
