"""The running version is the newest heading of CHANGELOG.md: one source of truth."""

import re
from pathlib import Path

_HEADING = re.compile(r"^## (\d+\.\d+\.\d+)\b", re.MULTILINE)


def read_version(changelog: Path) -> str:
    """`1.2.3` from the first `## 1.2.3` heading. Raises ValueError when there is none."""
    match = _HEADING.search(changelog.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{changelog} has no version heading")
    return match.group(1)
