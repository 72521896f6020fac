"""Webhooks out: one for each end of a job that asked for it, signed, tried up to four times, from the background.

The end of a job and its hook are one transaction, so a restart loses none; a hook that was being sent when the process
died is sent again, under the same id. Nothing here holds up an answer: the threads of the API only write a row. The
address is checked when the order comes in and again before each try. See docs/sandbox.md.
"""

import base64
import json
import logging
import secrets
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from playground.domain.webhooks import SECRET_PREFIX, signature, why_not_sent_to

from .http import code_for
from .job import Job
from .post import NotPosted, post
from .store import Store

RETRY_S = (5.0, 15.0, 45.0)
TIMEOUT_S = 30.0
CLAIM_S = 60.0
"""A try that has no result after this is taken for lost; no try takes so long."""
IDLE_S = 0.2
REFUSED, LOST = "refused: the address", "lost on purpose"
FINAL = (REFUSED, LOST)
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HookRules:
    """`scale` stretches the waits between tries; `loopback` lets hooks go to plain http on this machine."""

    scale: float = 1.0
    loopback: bool = False
    faults: frozenset[str] = frozenset()


def queue(db: sqlite3.Connection, job: Job, now: float) -> None:
    """Within the transaction that ends the job: its hook is due."""
    if job.webhook_url:
        db.execute("INSERT OR IGNORE INTO hook (job_id, next_at) VALUES (?, ?)", (job.id, now))


def secret_of(store: Store, account: str) -> str:
    """The account's webhook secret, made at the first use."""
    with store.write() as db:
        fresh = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        db.execute("INSERT OR IGNORE INTO hook_secret VALUES (?, ?)", (account, fresh))
        return str(db.execute("SELECT key FROM hook_secret WHERE account = ?", (account,)).fetchone()[0])


def renew_secret(store: Store, account: str) -> None:
    """Forget the account's secret, as a gateway does when its owner asks for a new one."""
    with store.write() as db:
        db.execute("DELETE FROM hook_secret WHERE account = ?", (account,))


def payload(job: Job, root: str) -> bytes:
    """The body of a job's hook; `root` is the sandbox's own address. Neither cost nor end of the link are in it."""
    data: dict[str, Any] = {
        "object": "video.generation",
        "id": job.request_id,
        "model": job.model,
        "status": job.outcome,
    }
    if job.outcome == "completed":
        no_output = job.fault == "missing-output"
        data["output"] = None if no_output else {"url": f"{root}/media/{job.media_token}/{job.id}.mp4"}
    if job.error_code:
        data["error"] = {"code": code_for(job.error_code), "message": job.error_message}
    return json.dumps({"type": f"video.{job.outcome}", "data": data}, separators=(",", ":")).encode()


class Sender:
    """Sends what is due, a few at a time."""

    def __init__(self, store: Store, rules: HookRules, *, clock: Callable[[], float]) -> None:
        self.store, self.rules, self.clock = store, rules, clock
        self.root = ""
        self.woken = threading.Event()
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="hook")

    def start(self, root: str) -> None:
        """Begin to send, and send again what a predecessor was sending. `root` is this server's address."""
        self.root = root.rstrip("/")
        with self.store.write() as db:
            db.execute("UPDATE hook SET next_at = ?, busy = 0 WHERE busy = 1", (self.clock(),))
        threading.Thread(target=self._run, name="hooks", daemon=True).start()

    def wake(self, job: Job) -> None:
        """A job has ended."""
        log.info("job %s ended: %s", job.id, job.outcome)
        self.woken.set()

    def _run(self) -> None:
        while True:
            self.woken.wait(IDLE_S)
            self.woken.clear()
            try:
                self.send_due()
            except Exception:
                log.exception("sending hooks failed; the next look comes in a moment")

    def send_due(self) -> None:
        """Hand every due hook to a thread of its own."""
        now = self.clock()
        for row in self.store.rows("SELECT rowid AS number, * FROM hook WHERE next_at <= ? ORDER BY rowid", now):
            if self._is_held(row):
                self._write(row["job_id"], held=1, next_at=now + RETRY_S[0] * self.rules.scale)
            else:
                self._write(row["job_id"], busy=1, next_at=now + CLAIM_S)
                self.pool.submit(self._send, row["job_id"], int(row["tries"]))

    def _is_held(self, row: sqlite3.Row) -> bool:
        faults = self.rules.faults
        return not row["held"] and ("delayed" in faults or ("reordered" in faults and row["number"] % 2 == 1))

    def _send(self, job_id: str, tries: int) -> None:
        row = self.store.row("SELECT * FROM job WHERE id = ?", job_id)
        if row is None:
            return
        answer = self._try(Job.of(row))
        now = self.clock()
        if answer.isdigit() and 200 <= int(answer) < 300:
            self._write(job_id, busy=0, tries=tries + 1, answer=answer, next_at=None, delivered_at=now)
            return
        is_over = answer.startswith(FINAL) or tries >= len(RETRY_S)
        again = None if is_over else now + RETRY_S[tries] * self.rules.scale
        self._write(job_id, busy=0, tries=tries + 1, answer=answer, next_at=again)

    def _try(self, job: Job) -> str:
        """The status of the receiver's answer, or a word for why there was none."""
        if why := why_not_sent_to(job.webhook_url, loopback=self.rules.loopback):
            return f"{REFUSED} {why}"
        if "lost" in self.rules.faults:
            return LOST
        body = payload(job, self.root)
        headers = self._headers(job, body)
        try:
            status = post(job.webhook_url, body, headers, seconds=TIMEOUT_S, loopback=self.rules.loopback)
            if "duplicate" in self.rules.faults:
                status = post(job.webhook_url, body, headers, seconds=TIMEOUT_S, loopback=self.rules.loopback)
        except NotPosted as error:
            return str(error)
        return str(status)

    def _headers(self, job: Job, body: bytes) -> dict[str, str]:
        timestamp = int(self.clock())
        key = secret_of(self.store, job.account)
        if "forged" in self.rules.faults:
            key = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        return {
            "Content-Type": "application/json",
            "webhook-id": job.hook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(key, message_id=job.hook_id, timestamp=timestamp, body=body),
        }

    def _write(self, job_id: str, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        with self.store.write() as db:
            db.execute(f"UPDATE hook SET {names} WHERE job_id = ?", (*values.values(), job_id))  # noqa: S608 - own names  # nosec B608
