"""What must outlive a restart: jobs, idempotency keys, the charge log and webhooks to send, in one SQLite file.

Each accepted order is one transaction that writes the job and its charge together, before the answer leaves. A process
killed at any moment has therefore either both or neither, and an idempotency key can never name two jobs.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, hook_id TEXT NOT NULL UNIQUE, account TEXT NOT NULL,
    idempotency_key TEXT, created_at REAL NOT NULL, starts_at REAL NOT NULL, due_at REAL NOT NULL,
    model TEXT NOT NULL, slug TEXT NOT NULL, provider TEXT NOT NULL, prompt TEXT NOT NULL, seconds TEXT NOT NULL,
    size TEXT NOT NULL, pixels TEXT NOT NULL, audio INTEGER NOT NULL, count INTEGER NOT NULL, seed INTEGER NOT NULL,
    reference TEXT NOT NULL, fault TEXT NOT NULL, webhook_url TEXT NOT NULL, user TEXT NOT NULL,
    media_token TEXT NOT NULL UNIQUE,
    estimate_micros INTEGER NOT NULL, upstream_id TEXT NOT NULL,
    rendered_at REAL, sizes TEXT NOT NULL DEFAULT '[]', render_error TEXT NOT NULL DEFAULT '',
    ended_at REAL, outcome TEXT NOT NULL DEFAULT '', error_code TEXT NOT NULL DEFAULT '',
    error_message TEXT NOT NULL DEFAULT '',
    deleted INTEGER NOT NULL DEFAULT 0, purged INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX IF NOT EXISTS job_key ON job (account, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_open ON job (due_at) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS job_new ON job (created_at);
CREATE TABLE IF NOT EXISTS charge (
    job_id TEXT PRIMARY KEY, account TEXT NOT NULL, idempotency_key TEXT NOT NULL, prompt_sha256 TEXT NOT NULL,
    micros INTEGER NOT NULL, estimate_micros INTEGER NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS hook (
    job_id TEXT PRIMARY KEY, next_at REAL, busy INTEGER NOT NULL DEFAULT 0, held INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '', delivered_at REAL
);
CREATE INDEX IF NOT EXISTS hook_due ON hook (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS hook_secret (account TEXT PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS try (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
"""
ADDED = {"trace_id": "TEXT NOT NULL DEFAULT ''"}
"""Columns of `job` that came later; a file of an earlier version gets them when it is opened."""


class Store:
    """One connection per thread; every write is an IMMEDIATE transaction, so writers queue and never fail halfway."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.local = threading.local()
        with self.write() as db:
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            have = {row["name"] for row in db.execute("PRAGMA table_info(job)")}
            for column, kind in ADDED.items():
                if column not in have:
                    db.execute(f"ALTER TABLE job ADD COLUMN {column} {kind}")

    def connection(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self.local, "connection", None)
        if found is None:
            found = sqlite3.connect(self.path, timeout=20, isolation_level=None)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode=WAL")
            # A killed process loses nothing at NORMAL; only a power cut could, and this is play money.
            found.execute("PRAGMA synchronous=NORMAL")
            self.local.connection = found
        return found

    def close(self) -> None:
        """Close this thread's connection; called when a client's thread ends."""
        found: sqlite3.Connection | None = getattr(self.local, "connection", None)
        if found is not None:
            found.close()
            self.local.connection = None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        db = self.connection()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        return self.connection().execute(sql, values).fetchall()

    def row(self, sql: str, *values: Any) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self.connection().execute(sql, values).fetchone()
        return found

    def count_try(self, name: str) -> int:
        """Count one more try under `name` and return how many there have been."""
        with self.write() as db:
            db.execute("INSERT INTO try VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET count = count + 1", (name,))
            return int(db.execute("SELECT count FROM try WHERE name = ?", (name,)).fetchone()[0])
