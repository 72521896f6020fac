"""A process that runs management commands, one after another: each on its own would take a second to start Django.

    python -m tests.support.commands SOCKET

It ends with whoever holds its standard input. One line of JSON asks, one answers.
"""

import json
import select
import socket
import sys
from io import StringIO
from pathlib import Path


def ask(path: Path, *arguments: str) -> str:
    """What the command says, as run by the process that listens at `path`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        connection.sendall(json.dumps(arguments).encode() + b"\n")
        with connection.makefile() as answer:
            problem, said = json.loads(answer.readline())
    assert not problem, problem
    return str(said)


def answer(line: str) -> tuple[str, str]:
    """What went wrong, and what the command said."""
    from django.core.management import CommandError, call_command

    said = StringIO()
    try:
        call_command(*json.loads(line), stdout=said)
    except CommandError as error:
        return str(error) or "failed", said.getvalue()
    return "", said.getvalue()


def serve(path: str) -> None:
    import django

    django.setup()
    with socket.socket(socket.AF_UNIX) as listener:
        unfinished = f"{path}.new"
        listener.bind(unfinished)
        listener.listen(16)
        Path(unfinished).rename(path)  # who sees it can connect
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection = listener.accept()[0]
            with connection, connection.makefile("rw") as stream:
                stream.write(json.dumps(answer(stream.readline())) + "\n")


if __name__ == "__main__":
    serve(sys.argv[1])
