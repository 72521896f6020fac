"""A consistent copy of the living database, and a copy put in place of it.

SQLite is copied by its own backup call in one step: readers block no writer, and what is committed meanwhile is not in
it. The file alone would not do, since part of the rows is in the write-ahead log beside it. PostgreSQL is copied by
pg_dump at a snapshot that is also used to read which files its rows name. What is there is moved aside, never deleted.

A copy has none of the rows that sign somebody in: whoever reads it would be let into the running installation by them,
and a restore ends them anyway.
"""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from allauth.account.models import EmailConfirmation
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, connections, transaction

from playground.models import Heartbeat, Reference, SignInLink, Video
from playground.services import restored

NamedFile = tuple[str, int | None, str | None]
"""Key, and where the row knows them its bytes and SHA-256."""
FILE_NAMES = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
PG_SCHEMA = "public"
LEFT_OUT = (
    *(model._meta.db_table for model in (Session, UserSession, SignInLink, EmailConfirmation)),
    settings.CACHES["default"]["LOCATION"],
)
"""Tables whose rows are in no copy: sessions, with what was typed into forms, one-time links, what is only passing."""


class CannotCopy(Exception):
    """Why the database cannot be copied or put in place, as one line."""


def engine() -> str:
    """`sqlite` or `postgresql`."""
    return str(connection.vendor)


def place() -> Path:
    """SQLite's file."""
    return Path(connection.settings_dict["NAME"])


def copy_to(target: Path, *, at: datetime) -> list[NamedFile]:
    """Write a copy of the database to `target`, marked as one of `at`; returns the files its rows name."""
    return _copy_sqlite(target, at=at) if engine() == "sqlite" else _dump(target)


def _copy_sqlite(target: Path, *, at: datetime) -> list[NamedFile]:
    whole = target.with_suffix(".whole")
    for file in (target, whole):
        file.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(f"file:{place()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(whole)) as to,
    ):
        source.backup(to, pages=-1)
        to.execute("PRAGMA journal_mode=DELETE")
        moment = connection.ops.adapt_datetimefield_value(at)
        table = Heartbeat._meta.db_table
        to.execute(f"INSERT INTO {table} (name, at, detail) VALUES (?, ?, '{{}}')", (restored.MARK, str(moment)))  # noqa: S608 - our own tables  # nosec B608
        _leave_out(to)
        to.execute("VACUUM INTO ?", (str(target),))  # without the remains of deleted rows
    whole.unlink()
    os.chmod(target, 0o600)
    return check_sqlite(target)


def _leave_out(copy: sqlite3.Connection) -> None:
    there = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in there.intersection(LEFT_OUT):
        copy.execute(f"DELETE FROM {table}")  # noqa: S608 - our own tables  # nosec B608
    copy.commit()


def check_sqlite(file: Path) -> list[NamedFile]:
    """Prove a copy: SQLite's own check of every page and index, and of every foreign key. Returns what it names."""
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
            found = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
            if found != ["ok"]:
                raise CannotCopy(f"the copy of the database is damaged: {'; '.join(found)}")
            if copy.execute("PRAGMA foreign_key_check").fetchone():
                raise CannotCopy("the copy of the database has rows that point nowhere")
            return list(_named(copy.execute))
    except sqlite3.DatabaseError as error:
        raise CannotCopy(f"the copy of the database cannot be read: {error}") from None


def _named(execute: Any) -> Iterator[NamedFile]:
    video, reference = Video._meta.db_table, Reference._meta.db_table
    yield from execute(f"SELECT key, size_bytes, sha256 FROM {video} ORDER BY key")  # noqa: S608 - our own tables  # nosec B608
    yield from execute(f"SELECT key, size_bytes, sha256 FROM {reference} ORDER BY key")  # noqa: S608 - our own tables  # nosec B608
    for table, column in (
        (video, "poster_key"),
        (video, "preview_key"),
        (reference, "original_key"),
        (reference, "thumb_key"),
    ):
        yield from execute(f"SELECT {column}, NULL, NULL FROM {table} WHERE {column} <> '' ORDER BY 1")  # noqa: S608 - our own tables  # nosec B608


def migrations(execute: Any) -> list[str]:
    rows = execute("SELECT name FROM django_migrations WHERE app = 'playground' ORDER BY id")
    return [row[0] for row in rows]


def applied() -> list[str]:
    """Our migrations that the living database has."""
    with connection.cursor() as cursor:
        return migrations(lambda sql: (cursor.execute(sql), cursor.fetchall())[1])


def _dump(target: Path) -> list[NamedFile]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        left_out = [f"--exclude-table-data=*.{table}" for table in LEFT_OUT]
        _run_pg("pg_dump", ["--format=custom", f"--snapshot={snapshot}", f"--file={target}", "--no-owner", *left_out])
        named = list(_named(lambda sql: (cursor.execute(sql), cursor.fetchall())[1]))
    os.chmod(target, 0o600)
    check_dump(target)
    return named


def check_dump(file: Path) -> None:
    """Read a dump to its end, as a restore would."""
    _run_pg("pg_restore", [f"--file={os.devnull}", str(file)], connect=False)


def _run_pg(program: str, arguments: Sequence[str], *, connect: bool = True) -> None:
    found = shutil.which(program) or _of_debian(program)
    if found is None:
        raise CannotCopy(
            f"{program} is not on this machine; install PostgreSQL's client programs of the server's version"
        )
    given = connection.settings_dict
    where = [f"--dbname={given['NAME']}"] if connect else []
    for option, name in (("host", "HOST"), ("port", "PORT"), ("username", "USER")):
        if connect and given.get(name):
            where.append(f"--{option}={given[name]}")
    environment = os.environ | ({"PGPASSWORD": given["PASSWORD"]} if given.get("PASSWORD") else {})
    done = subprocess.run([found, *where, *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise CannotCopy(f"{program}: {' '.join(done.stderr.split())[-400:]}")


def _of_debian(program: str) -> str | None:
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    found = [path / program for path in sorted(folders, key=lambda path: int(path.parent.name.split(".")[0]))]
    return next((str(path) for path in reversed(found) if path.exists()), None)


def place_dump(copy: Path, *, at: datetime, aside: str) -> str:
    """Make a dump the database; returns where the earlier one is now.

    All in one transaction: the earlier schema renamed, the dump read in, the mark set. Cut off, nothing happened; and
    when the earlier schema has its new name already, all of it happened before.
    """
    schema, table = aside.replace("-", "_"), Heartbeat._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        is_done = cursor.fetchone() is not None
    connections.close_all()
    if is_done:
        return f"schema {schema}"
    script = copy.with_suffix(".sql")
    _run_pg(
        "pg_restore",
        ["--no-owner", "--no-privileges", f"--schema={PG_SCHEMA}", f"--file={script}", str(copy)],
        connect=False,
    )
    before, after = copy.with_suffix(".before"), copy.with_suffix(".after")
    before.write_text(f'ALTER SCHEMA {PG_SCHEMA} RENAME TO "{schema}";\nCREATE SCHEMA {PG_SCHEMA};\n')
    moment = at.isoformat()
    after.write_text(
        f"INSERT INTO {PG_SCHEMA}.{table} (name, at, detail) VALUES ('{restored.MARK}', '{moment}', '{{}}');\n"  # noqa: S608 - our own tables  # nosec B608
    )
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--output={os.devnull}"]
    _run_pg("psql", [*options, *(f"--file={part}" for part in (before, script, after))])
    return f"schema {schema}"
