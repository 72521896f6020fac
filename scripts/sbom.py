"""Writes the bill of materials of an installation: every locked package and every vendored file, as CycloneDX 1.6.

scripts/sbom [FILE]     to FILE, or where none is named to the standard output

It holds what `scripts/up` installs: requirements.txt, requirements-uv.txt, and requirements-s3.txt, which only
installations with a bucket have. Of a package that is locked in two versions, for an older and a newer Python, both
stand there. The same files give the same text, so that two releases can be compared.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-s3.txt", "requirements-uv.txt")
COMMAND = ("requirements", "-", "--output-reproducible", "--no-validate", "--spec-version=1.6", "--output-format=JSON")

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
"""What is locked, read without the tool: it leaves out, with a warning, what it does not understand."""


def main(arguments: list[str]) -> int:
    locked = "".join((ROOT / name).read_text(encoding="utf-8") for name in FILES)
    command = [sys.executable, "-m", "cyclonedx_py", *COMMAND]
    run = subprocess.run(command, cwd=ROOT, input=locked, capture_output=True, text=True, check=False)
    if run.returncode:
        return none(f"the locked packages could not be read: {run.stderr.strip()}")
    bill = json.loads(run.stdout)
    held = {(part["name"], part["version"]) for part in bill.get("components", ())}
    if unread := sorted(set(_PIN.findall(locked)) - held):
        return none(f"{', '.join(' '.join(pin) for pin in unread)} could not be read")
    text = json.dumps(bill_of(bill), indent=2, sort_keys=True) + "\n"
    if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        return none(f"it would not be CycloneDX 1.6: {wrong}")
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


def none(why: str) -> int:
    sys.stderr.write(f"no bill of materials: {why}\n")
    return 1


def bill_of(bill: dict[str, Any]) -> dict[str, Any]:
    """What the tool wrote, with this project on top, each package once and named by what it is, and vendored files."""
    parts = {part["bom-ref"]: part for part in [*map(package, bill["components"]), *vendored()]}
    top = itself()
    bill["metadata"]["component"] = top
    bill["components"] = [parts[ref] for ref in sorted(parts)]
    bill["dependencies"] = [
        {"ref": top["bom-ref"], "dependsOn": sorted(parts)},
        *({"ref": ref} for ref in sorted(parts)),
    ]
    return bill


def itself() -> dict[str, Any]:
    name = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    newest = re.search(r"^## (\d+\.\d+\.\d+)\b", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    if newest is None:
        raise ValueError("CHANGELOG.md has no version heading")
    return {"type": "application", "bom-ref": name, "name": name, "version": newest[1]}


def package(found: dict[str, Any]) -> dict[str, Any]:
    """Without the line of the lock file, whose hashes stand beside it already."""
    kept = {name: value for name, value in found.items() if name != "description"}
    return kept | {"bom-ref": found["purl"]}


def vendored() -> list[dict[str, Any]]:
    """Scripts of others that lie in the repository."""
    manifest = json.loads((ROOT / "static" / "vendor" / "manifest.json").read_text(encoding="utf-8"))
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{entry['name']}@{entry['version']}",
            "purl": f"pkg:npm/{entry['name']}@{entry['version']}",
            "name": entry["name"],
            "version": entry["version"],
            "licenses": [{"license": {"id": entry["licence"]}}],
            "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
        }
        for entry in manifest.values()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
