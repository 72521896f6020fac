"""The life of a job: accepted, queued, in progress, ended. States follow the clock and never go back.

A job's times are fixed when it is accepted, so a restart changes nothing; only "ended" is written down, once, together
with the final charge. A finished job also needs its file: until that is drawn the job stays in progress.
"""

import hashlib
import json
import random
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from playground.domain.capabilities import parse_size

from . import hooks
from .faults import without_token
from .http import ApiError, new_id
from .job import Job, Times, job_ended
from .orders import Order
from .render import Clip
from .store import Store
from .workers import Renderer, name

NEVER_DRAWN = ("fail", "refused-late", "stuck")
STARTS_AFTER = 0.2
"""Share of the job's time that it spends queued."""


class Jobs:
    def __init__(
        self,
        folder: Path,
        *,
        times: Times,
        balance: str,
        honours_keys: bool,
        same_ids: bool = False,
        on_end: Callable[[Job], None] = job_ended,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.folder, self.times, self.honours_keys, self.on_end = folder, times, honours_keys, on_end
        self.same_ids = same_ids
        self.balance_micros = int(Decimal(balance) * 1_000_000)
        self.wall, self.latest, self.clock_lock = clock, 0.0, threading.Lock()
        self.store = Store(folder / "sandbox.sqlite3")
        self.renderer = Renderer(self._rendered)

    def now(self) -> float:
        """Seconds since 1970, never less than before: a clock set back must not take a job back."""
        with self.clock_lock:
            self.latest = max(self.latest, self.wall())
            return self.latest

    # Taking orders

    def replay(self, account: str, key: str) -> Job | None:
        """The job that `account` has already ordered with `key`, if this gateway honours keys."""
        if not key or not self.honours_keys:
            return None
        row = self.store.row("SELECT * FROM job WHERE account = ? AND idempotency_key = ?", account, key)
        return Job.of(row) if row else None

    def accept(self, order: Order, account: str, request_id: str, trace_id: str = "") -> tuple[Job, bool]:
        """Write the job and its charge in one transaction; (job, True) if the key named an earlier job.

        Raises ApiError 402 if the balance does not cover the estimate.
        """
        job = replace(self._new_job(order, account, request_id), trace_id=trace_id)
        for index, data in enumerate(order.references):
            if isinstance(data, bytes):
                self.place(job).mkdir(parents=True, exist_ok=True)
                (self.place(job) / f"reference-{index}").write_bytes(data)
        try:
            earlier = self._write(job, order)
        except BaseException:
            shutil.rmtree(self.place(job), ignore_errors=True)
            raise
        if earlier is not None:
            shutil.rmtree(self.place(job), ignore_errors=True)
            return earlier, True
        self._draw(job)
        return job, False

    def _write(self, job: Job, order: Order) -> Job | None:
        with self.store.write() as db:
            if job.idempotency_key:
                found = db.execute(
                    "SELECT * FROM job WHERE account = ? AND idempotency_key = ?", (job.account, job.idempotency_key)
                ).fetchone()
                if found:
                    return Job.of(found)
            self._check_balance(db, job)
            values = asdict(job)
            names = ", ".join(f'"{column}"' for column in values)
            marks = ", ".join("?" for _ in values)
            db.execute(f"INSERT INTO job ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608 - own names  # nosec B608
            digest = hashlib.sha256(job.prompt.encode()).hexdigest()
            db.execute(
                "INSERT INTO charge VALUES (?, ?, ?, ?, ?, ?, 'held', ?)",
                (
                    job.id,
                    job.account,
                    order.idempotency_key,
                    digest,
                    job.estimate_micros,
                    job.estimate_micros,
                    job.created_at,
                ),
            )
        return None

    def _check_balance(self, db: sqlite3.Connection, job: Job) -> None:
        spent = db.execute("SELECT COALESCE(SUM(micros), 0) FROM charge WHERE account = ?", (job.account,)).fetchone()[
            0
        ]
        left = self.balance_micros - int(spent)
        if job.estimate_micros > left:
            required, available = job.estimate_micros / 1e6, max(0, left) / 1e6
            raise ApiError(
                402,
                "INSUFFICIENT_BALANCE",
                f"Insufficient balance: ${required:.2f} required, ${available:.2f} available",
            )

    def _new_job(self, order: Order, account: str, request_id: str) -> Job:
        now = round(self.now(), 6)  # as exact as the log can tell it
        job_id = f"video_{request_id.removeprefix('req_')}" if self.same_ids else new_id("video_")
        low, high = self.times.job
        takes = random.Random(job_id).uniform(low, high)  # noqa: S311 - fixed by the id
        if order.fault == "slow":
            takes = self.times.slow
        reference = next((f"reference-{i}" for i, data in enumerate(order.references) if isinstance(data, bytes)), "")
        return Job(
            id=job_id, request_id=request_id, hook_id=f"msg_{request_id}", account=account,
            idempotency_key=(order.idempotency_key or None) if self.honours_keys else None,
            created_at=now, starts_at=now + takes * STARTS_AFTER, due_at=now + takes,
            model=order.model_name, slug=order.model.slug, provider=order.provider, prompt=order.prompt,
            seconds=str(order.seconds), size=order.size, pixels=order.pixels, audio=int(order.audio), count=order.count,
            seed=order.seed, reference=reference, fault=order.fault, webhook_url=order.webhook_url, user=order.user,
            media_token=secrets.token_urlsafe(18),
            estimate_micros=order.total_micros, upstream_id=secrets.token_hex(12),
        )  # fmt: skip

    # Drawing

    def place(self, job: Job) -> Path:
        return self.folder / "clips" / job.id

    def file(self, job: Job, index: int = 0, ending: str = "mp4") -> Path:
        return self.place(job) / f"{name(index)}.{ending}"

    def clips(self, job: Job) -> list[Clip]:
        width, height = parse_size(job.pixels) or (1280, 720)
        seconds = float(job.seconds)
        if job.fault == "smaller":
            width, height, seconds = width // 4 * 2, height // 4 * 2, max(1.0, seconds / 2)
        reference = str(self.place(job) / job.reference) if job.reference else None
        prompt = without_token(job.prompt)
        return [
            Clip(prompt, width, height, seconds, audio=bool(job.audio), seed=job.seed + index, reference=reference)
            for index in range(job.count)
        ]

    def _draw(self, job: Job) -> None:
        if job.fault not in NEVER_DRAWN:
            self.renderer.start(job.id, self.clips(job), str(self.place(job)))

    def _rendered(self, job_id: str, sizes: list[int], error: str) -> None:
        with self.store.write() as db:
            db.execute(
                "UPDATE job SET rendered_at = ?, sizes = ?, render_error = ? WHERE id = ? AND rendered_at IS NULL",
                (self.now(), json.dumps(sizes), error, job_id),
            )
        self.get(job_id)

    def resume(self) -> None:
        """After a start: draw again what was not finished, and end what came due meanwhile."""
        self.renderer.warm_up()
        for row in self.store.rows(
            "SELECT * FROM job WHERE ended_at IS NULL AND rendered_at IS NULL ORDER BY created_at"
        ):
            self._draw(Job.of(row))
        self.settle_due()

    # Ending

    def settle_due(self) -> None:
        """End every job whose time is up, polled or not."""
        for row in self.store.rows("SELECT * FROM job WHERE ended_at IS NULL AND due_at <= ?", self.now()):
            self._settle(Job.of(row))

    def purge(self) -> None:
        """Delete the files of jobs whose links ended more than an hour ago."""
        before = self.now() - self.times.expires - 3600
        for row in self.store.rows("SELECT * FROM job WHERE ended_at < ? AND purged = 0", before):
            shutil.rmtree(self.place(Job.of(row)), ignore_errors=True)
            with self.store.write() as db:
                db.execute("UPDATE job SET purged = 1 WHERE id = ?", (row["id"],))

    def _settle(self, job: Job) -> Job:
        if job.ended_at is not None or self.now() < job.due_at or job.fault == "stuck":
            return job
        if job.fault == "fail":
            return self._end(job, "failed", job.due_at, "UPSTREAM_ERROR", "The provider could not make this video")
        if job.fault == "refused-late":
            return self._end(
                job, "failed", job.due_at, "CONTENT_POLICY_VIOLATION", "The result was blocked by moderation"
            )
        if job.rendered_at is None:
            return job
        at = max(job.due_at, job.rendered_at)
        if job.render_error:
            return self._end(job, "failed", at, "INTERNAL_ERROR", "The sandbox could not draw this video")
        return self._end(job, "completed", at)

    def _end(self, job: Job, outcome: str, at: float, code: str = "", message: str = "") -> Job:
        charged = outcome == "completed"
        with self.store.write() as db:
            changed = db.execute(
                "UPDATE job SET ended_at = ?, outcome = ?, error_code = ?, error_message = ?"
                " WHERE id = ? AND ended_at IS NULL",
                (at, outcome, code, message, job.id),
            ).rowcount
            if changed:
                db.execute(
                    "UPDATE charge SET micros = ?, state = ? WHERE job_id = ?",
                    (job.final_micros if charged else 0, "charged" if charged else "released", job.id),
                )
                hooks.queue(db, job, self.now())
        ended = Job.of(self._row(job.id))
        if changed:
            self.on_end(ended)
        return ended

    def cancel(self, job: Job) -> Job:
        """End an unfinished job as cancelled, without a charge; a finished one stays as it is."""
        job = self._settle(job)
        return job if job.ended_at is not None else self._end(job, "cancelled", self.now())

    def delete(self, job: Job) -> None:
        self.cancel(job)
        with self.store.write() as db:
            db.execute("UPDATE job SET deleted = 1 WHERE id = ?", (job.id,))
        shutil.rmtree(self.place(job), ignore_errors=True)

    # Reading

    def _row(self, job_id: str) -> sqlite3.Row:
        row = self.store.row("SELECT * FROM job WHERE id = ? OR request_id = ?", job_id, job_id)
        if row is None:
            raise KeyError(job_id)
        return row

    def get(self, job_id: str) -> Job | None:
        """The job with this video or request id as it is now, or None."""
        try:
            job = Job.of(self._row(job_id))
        except KeyError:
            return None
        return None if job.deleted else self._settle(job)

    def by_token(self, token: str) -> Job | None:
        row = self.store.row("SELECT * FROM job WHERE media_token = ? AND deleted = 0", token)
        return self._settle(Job.of(row)) if row else None

    def expires_at(self, job: Job) -> float | None:
        if job.outcome != "completed" or job.ended_at is None:
            return None
        return job.ended_at if job.fault == "expired" else job.ended_at + self.times.expires

    def newest(self, account: str | None, limit: int) -> list[Job]:
        sql = (
            "SELECT * FROM job WHERE deleted = 0 AND (? IS NULL OR account = ?)"
            " ORDER BY created_at DESC, rowid DESC LIMIT ?"
        )
        rows = self.store.rows(sql, account, account, limit)
        return [self._settle(Job.of(row)) for row in rows]

    def spent_micros(self, account: str) -> int:
        row = self.store.row("SELECT COALESCE(SUM(micros), 0) AS total FROM charge WHERE account = ?", account)
        return int(row["total"]) if row else 0

    def charges(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.store.rows("SELECT * FROM charge ORDER BY created_at, rowid")]
