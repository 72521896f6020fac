"""A database for each stage, SQLite or PostgreSQL, and a look into it from outside the engine."""

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg


class Sqlite:
    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.path = folder / "playground.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(sql).fetchall()

    def drop(self) -> None:
        """It goes with its folder."""


class Postgres:
    """A database of its own on the server at `server_url`."""

    kind = "postgres"

    def __init__(self, server_url: str, *, name: str = "") -> None:
        self.server_url = server_url
        self.name = name or f"faults_{uuid.uuid4().hex[:12]}"
        self.url = f"{server_url.rpartition('/')[0]}/{self.name}"
        exists = self._server(f"SELECT 1 FROM pg_database WHERE datname = '{self.name}'")
        if not exists:
            self._server(f'CREATE DATABASE "{self.name}"')

    def _server(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.server_url, autocommit=True) as connection:
            done = connection.execute(sql)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(sql).fetchall()  # type: ignore[arg-type]

    def drop(self) -> None:
        self._server(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


Database = Sqlite | Postgres
