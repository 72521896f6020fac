"""Log files: who may read them."""

import os
from pathlib import Path

import pytest

from playground.supervisor import output
from playground.supervisor.output import Output


@pytest.mark.parametrize("made_before", [False, True])
def test_log_files_are_readable_to_their_user_and_group_only_also_after_a_rotation(
    tmp_path: Path, made_before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if made_before:
        (tmp_path / "web.log").touch()
        (tmp_path / "web.log").chmod(0o644)
    monkeypatch.setattr(output, "LOG_BYTES", 10)
    before = os.umask(0o022)
    try:
        lines = Output("web", tmp_path)
        for number in range(2):
            lines.feed(f"line number {number}\n".encode())
        lines.close()
    finally:
        os.umask(before)
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        "web.log": "0o640",
        "web.log.1": "0o640",
    }
