"""What the benchmarks share: an installation in a folder of its own, its processes, a gateway, a visitor, medians.

Nothing here touches the data of a real installation, and everything listens on 127.0.0.1.
"""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playground.supervisor.environment import service_environment
from playground.supervisor.procfile import read_procfile
from playground.supervisor.tree import descendants
from tests.environment import isolated
from tests.media.server import REPOSITORY, answers, free_port, wait_until


@contextmanager
def entered(folder: Path, *, database: str = "", **variables: str) -> Iterator[None]:
    """This process as one of an installation below `folder`: settings, tables, cache table, static files.

    With a `database` URL the rows go to a database made beside that one, which is dropped at the end. Programs that
    are started meanwhile use it too.
    """
    os.environ |= isolated(folder) | {"LOG_LEVEL": "ERROR", "PORT": str(free_port())} | variables
    if database:
        os.environ["DATABASE_URL"] = database
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    if database:
        name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        os.environ["DATABASE_URL"] = urlsplit(database)._replace(path=f"/{name}").geturl()
    call_command("prepare")
    try:
        yield
    finally:
        if database:
            connection.creation.destroy_test_db(urlsplit(database).path[1:], verbosity=0)
        connection.close()


@contextmanager
def database(word: str) -> Iterator[str]:
    """For `entered`: "sqlite" is none, "postgres" a server made for the block which waits for its disk, else a URL."""
    if word in ("", "sqlite"):
        yield ""
    elif word == "postgres":
        from tests.support import postgres

        with postgres.server(forgetful=False, durable=True) as (url, _):
            yield url
    else:
        yield word


@contextmanager
def gateway(*options: str) -> Iterator[int]:
    """`benchmarks.upstream` with these options; yields its port."""
    command = [sys.executable, "-m", "benchmarks.upstream", *options]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        ended(process)


def of_gateway(port: int, path: str) -> Any:
    """What the upstream answers to one of its `/bench/` addresses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    told = json.loads(connection.getresponse().read())
    connection.close()
    return told


@contextmanager
def web(*, threads: int = 64, workers: int = 1) -> Iterator[tuple[int, int]]:
    """The web server of the Procfile over the entered installation. Yields its port and the id of a serving process.

    One process unless told, so that the two sides of a comparison cannot land on differently busy ones.
    """
    port = int(os.environ["PORT"])
    of_server = {"HOST": "127.0.0.1", "WEB_WORKERS": str(workers), "WEB_THREADS": str(threads)}
    environment = service_environment(os.environ, of_server)
    command = read_procfile(REPOSITORY / "Procfile")["web"]
    process = subprocess.Popen(["/bin/sh", "-c", f"exec {command}"], cwd=REPOSITORY, env=environment)
    try:
        wait_until(lambda: process.poll() is not None or answers(port), "the web server did not start")
        if process.poll() is not None:
            raise RuntimeError(f"the web server ended with {process.returncode}")
        serving = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield port, int(serving[0])
    finally:
        ended(process)


@contextmanager
def program(*command: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another program of this interpreter, ended with the block."""
    process = subprocess.Popen([sys.executable, *command], cwd=REPOSITORY, env=os.environ | variables)
    try:
        yield process
    finally:
        ended(process)


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tree(root: int) -> list[int]:
    """A process and all below it."""
    return [root, *descendants(root)]


def memory_mb(root: int) -> float:
    """Of a process and all below it, what they share counted once."""
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it has ended
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def cpu_s(root: int) -> float:
    """Processor time of a process, all below it and those of them that have ended and were waited for."""
    ticks = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def load() -> str:
    """For the printed line: how busy the machine was, by ourselves and by others."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def visitor() -> tuple[Any, dict[str, str]]:
    """A membership of a new team, and the request headers of its signed-in person: session and CSRF."""
    from django.test import Client

    from tests.factories import make_member

    member = make_member()
    client = Client()
    client.force_login(member.user)
    token = "b" * 32
    return member, {"Cookie": f"session={client.session.session_key}; csrf={token}", "X-CSRFToken": token}


def get(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> int:
    """One GET over a kept connection; the body is read and thrown away."""
    connection.request("GET", path, headers=dict(headers))
    answer = connection.getresponse()
    answer.read()
    return answer.status


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of them do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -(-int(share * 100) * len(ranked) // 100) - 1)]
