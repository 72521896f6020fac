"""Reading a Procfile: `name: command` lines, the format that honcho and hosting platforms understand."""

import re
from pathlib import Path

_LINE = re.compile(r"^(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)$")


class StartError(Exception):
    """Why the start is impossible, as one line for a person."""


def read_procfile(path: Path) -> dict[str, str]:
    """The commands by name, in the order of the file. Variables in them are left for the shell to expand."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}") from error
    commands: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if not found:
            raise StartError(f"{path}, line {number}: expected `name: command`, found {line.strip()!r}")
        commands[found["name"]] = found["command"].strip()
    return commands
