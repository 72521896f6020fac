"""The product as a user who cannot write its code: it starts, works, and changes nothing there.

Under root that user is another one, with no account and no home, and with a Python that it can reach: one below root's
own home is root's alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment import CLOSED
from tests.support.installation import ROOT
from tests.support.processes import wait_until
from tests.support.running import Running
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.journey, pytest.mark.timeout(300)]

NUMBER = 10001
"""Of nobody: there is no such account, no home and no name."""
OTHER_USER = ["setpriv", f"--reuid={NUMBER}", f"--regid={NUMBER}", "--clear-groups", "sh", "-c", 'exec "$0" "$@"']
"""Before a command. The shell between: setpriv itself still opens what only root may."""
CODE = ("manage.py", "Procfile", "CHANGELOG.md", "requirements.txt", "playground", "static", "templates", "scripts")
"""What an installation needs of the repository."""
WRITING = 0o222


def python_for(user: list[str]) -> Path:
    """A Python like this one that `user` can run."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for path in (Path(sys.executable).resolve(), Path("/usr/local/bin") / name, Path("/usr/bin") / name):
        words = [*user, str(path), "-c", "import sqlite3, ssl"]
        if path.exists() and not subprocess.run(words, cwd="/", capture_output=True, check=False).returncode:
            return path
    pytest.skip(f"no {name} here that another user can run")


def checkout(folder: Path, python: Path) -> Path:
    """The code with what Python made of it before, and a .venv that was installed before. Nobody may write it."""
    code = folder / "code"
    code.mkdir()
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, code / name)
    venv(code / ".venv", python)
    for path in [code, *code.rglob("*")]:
        if not path.is_symlink():
            path.chmod((path.stat().st_mode | (0o555 if path.is_dir() else 0o444)) & ~WRITING)
    return code


def venv(folder: Path, python: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(python)
    (folder / "lib").symlink_to(Path(sys.prefix) / "lib")
    (folder / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")
    server = (Path(sys.prefix) / "bin" / "granian").read_text().split("\n", 1)[1]
    (folder / "bin" / "granian").write_text(f"#!{folder}/bin/python\n{server}")
    (folder / "bin" / "granian").chmod(0o755)
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    (folder / ".installed").write_text(version + (ROOT / "requirements.txt").read_text())


class Apart(Running):
    """An installation whose code is a folder of its own, run by another user where that may be chosen."""

    def __init__(self, folder: Path, user: list[str]) -> None:
        super().__init__(folder / "run", **CLOSED, SANDBOX_JOB_SECONDS="0", HOME="/nonexistent", PATH=os.defpath)
        self.user = user
        self.code = checkout(folder, python_for(user))

    def start(self, *command: str) -> "Apart":
        with self.out.open("wb") as stream:
            self.process = subprocess.Popen(
                [*self.user, self.code / "scripts" / "up"],
                cwd="/",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        return self

    def command(self, *arguments: str) -> str:
        words = [*self.user, self.code / ".venv" / "bin" / "python", "manage.py", *arguments]
        return subprocess.run(
            words, cwd=self.code, env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def given_away(self) -> None:
        """As after an earlier start by that user, but for what `prepare` makes of the code."""
        self.prepared()
        data = Path(self.environment["PLAYGROUND_DATA"])
        shutil.rmtree(data / "static")
        for stamp in data.glob("*.stamp"):
            stamp.unlink()
        if self.user:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, NUMBER, NUMBER)


@pytest.fixture
def up() -> Iterator[Apart]:
    user = OTHER_USER if os.getuid() == 0 else []
    # Not below pytest's own folder, which is its owner's alone.
    folder = Path(tempfile.mkdtemp(prefix="playground-apart-"))
    folder.chmod(0o755)
    try:
        made = Apart(folder, user)
        try:
            made.given_away()
            yield made
        finally:
            made.remove()
    finally:
        for path in [folder, *folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o755)
        shutil.rmtree(folder)


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """All that lies below, and when it was changed."""
    found = [folder, *folder.rglob("*")]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


def owners(pids: set[int]) -> set[int]:
    return {(Path("/proc") / str(pid)).stat().st_uid for pid in pids if (Path("/proc") / str(pid)).exists()}


def test_video_is_ordered_and_saved_by_a_user_who_cannot_write_the_code(up: Apart) -> None:
    before = state(up.code)
    up.ready_to_order()
    assert owners(up.processes()) == {NUMBER if up.user else os.getuid()}
    ana = Visitor(up.url).sign_in(up.command("signin_link", "ana@example.com").strip())
    assert ana.order("A boat", seconds=1).status == 303
    wait_until(up.all_done, what="saved")
    video = ana.ask("/gallery/").values(r"/media/videos/[^\"]+")
    assert video
    assert state(up.code) == before
