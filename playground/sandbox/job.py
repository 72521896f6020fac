"""One job as a value: its row, its state at a time, its final cost."""

import json
import logging
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .orders import Order

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """One row of the job table; see `store.SCHEMA`."""

    id: str
    request_id: str
    hook_id: str
    account: str
    idempotency_key: str | None
    created_at: float
    starts_at: float
    due_at: float
    model: str
    slug: str
    provider: str
    prompt: str
    seconds: str
    size: str
    pixels: str
    audio: int
    count: int
    seed: int
    reference: str
    fault: str
    webhook_url: str
    user: str
    media_token: str
    estimate_micros: int
    upstream_id: str
    rendered_at: float | None = None
    sizes: str = "[]"
    render_error: str = ""
    ended_at: float | None = None
    outcome: str = ""
    error_code: str = ""
    error_message: str = ""
    deleted: int = 0
    purged: int = 0
    trace_id: str = ""

    @classmethod
    def of(cls, row: sqlite3.Row) -> "Job":
        return cls(**{key: row[key] for key in row.keys()})  # noqa: SIM118 - iterating a Row gives values

    def is_what(self, order: "Order") -> bool:
        """Whether `order` asks for this very job; of its pictures only whether there are any."""
        asked = (self.prompt, self.model, self.seconds, self.size, self.audio, self.count, self.seed, self.webhook_url)
        wanted = (order.prompt, order.model_name, str(order.seconds), order.size, int(order.audio), order.count)
        pictures = any(isinstance(data, bytes) for data in order.references)
        return asked == (*wanted, order.seed, order.webhook_url) and bool(self.reference) == pictures

    def status(self, now: float) -> str:
        if self.ended_at is not None:
            return self.outcome
        return "queued" if now < self.starts_at else "in_progress"

    @property
    def final_micros(self) -> int:
        return self.estimate_micros * 3 // 2 if self.fault == "dearer" else self.estimate_micros

    @property
    def file_sizes(self) -> list[int]:
        sizes: list[int] = json.loads(self.sizes)
        return sizes


@dataclass(frozen=True, slots=True)
class Times:
    """All in seconds; `job` is a range from which each job takes its own time."""

    job: tuple[float, float] = (0.0, 0.0)
    slow: float = 60.0
    expires: float = 3600.0


def job_ended(job: Job) -> None:
    """Called exactly once for each job that ends, after its end is written down. Webhooks hang here."""
    log.info("job %s ended: %s", job.id, job.outcome)
