"""Looks for secrets that somebody left in the files of the repository, and names place and kind, never the secret.

scripts/find_secrets.py            every file that git knows, and new ones that it does not ignore
scripts/find_secrets.py FILE...    these

What has the shape of a known key is looked for everywhere. What merely looks like a secret (a name such as `password`
with a value, text without a pattern) is not looked for in tests, whose passwords are made up. What is found and is none
stands in NO_SECRETS, with the reason; a comment in the file itself lets nothing pass.

Exit code 0: none. 1: some. 2: the files could not be listed.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

ROOT = Path(__file__).resolve().parent.parent
GUESSES = {"Base64HighEntropyString", "BasicAuthDetector", "HexHighEntropyString", "KeywordDetector"}
"""Those that judge by looks alone."""
TOO_MANY = {"IPPublicDetector"}
"""An address is no secret, and the tables of networks that may not be dialled are full of them."""
GUESSED = ("tests/", "benchmarks/")
"""Where nothing is guessed."""
ONLY_HASHES = re.compile(r"requirements[a-z0-9-]*\.txt|static/vendor/manifest\.json")
NO_SECRETS = (
    "password",  # stands for one in examples of addresses
    "SECRET",  # likewise
    "playground.forms.addresses.ResetPasswordForm",  # the name of a form
    "whsec_",  # what every secret of webhooks begins with
)
OURS = (("Lumenfall Key", re.compile(r"\blmnfl_(?!canary)[A-Z0-9.]{20,}", re.IGNORECASE)),)
"""Shapes that the library does not know."""
FILTERS = (
    "common.is_invalid_file",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
    "heuristic.is_templated_secret",
)


def main(arguments: list[str]) -> int:
    names = arguments or listed()
    if not names:
        sys.stderr.write("git names no files here\n")
        return 2
    names = [name for name in names if not ONLY_HASHES.fullmatch(name) and _is_text(ROOT / name)]
    problems = {*of_known_shape(names), *guessed([name for name in names if not name.startswith(GUESSED)])}
    sys.stdout.writelines(f"{problem}\n" for problem in sorted(problems))
    return 1 if problems else 0


def listed() -> list[str]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return [name for name in run.stdout.split("\0") if name]


def _is_text(path: Path) -> bool:
    return path.is_file() and b"\0" not in path.read_bytes()[:8192]


def of_known_shape(names: list[str]) -> Iterator[str]:
    """Line by line the library takes long: it is given only files in which something has such a shape at all."""
    kinds = [
        kind for kind in get_mapping_from_secret_type_to_class().values() if kind.__name__ not in GUESSES | TOO_MANY
    ]
    shapes = [shape for kind in kinds for shape in kind.denylist]
    suspect = []
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        yield from _ours(name, text)
        if any(shape.search(text) for shape in shapes):
            suspect.append(name)
    yield from _scanned(suspect, {kind.__name__ for kind in kinds})


def guessed(names: list[str]) -> Iterator[str]:
    return _scanned(names, GUESSES)


def _scanned(names: list[str], kinds: set[str]) -> Iterator[str]:
    settings = {
        "plugins_used": [{"name": kind} for kind in sorted(kinds)],
        "filters_used": [{"path": f"detect_secrets.filters.{name}"} for name in FILTERS],
    }
    with transient_settings(settings):
        for name in names:
            for found in scan_file(str(ROOT / name)):
                if found.secret_value not in NO_SECRETS:
                    yield f"{name}:{found.line_number}: {found.type}"


def _ours(name: str, text: str) -> Iterator[str]:
    for kind, shape in OURS:
        for found in shape.finditer(text):
            yield f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {kind}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
