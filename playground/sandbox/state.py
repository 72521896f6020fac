"""The one set of jobs of this process, made by the server before it serves."""

from . import settings
from .hooks import HookRules, Sender
from .http import is_openai
from .job import Times
from .jobs import Jobs

_jobs: Jobs | None = None
_sender: Sender | None = None


def open_jobs() -> Jobs:
    """Open (or make) the data folder and take up what a previous process left."""
    global _jobs, _sender
    times = Times(
        job=settings.SANDBOX_JOB_SECONDS, slow=settings.SANDBOX_SLOW_SECONDS, expires=settings.SANDBOX_EXPIRES_SECONDS
    )
    honours_keys = not (is_openai() or settings.SANDBOX_IGNORES_KEYS)
    _jobs = Jobs(
        settings.SANDBOX_DATA,
        times=times,
        balance=settings.SANDBOX_BALANCE,
        honours_keys=honours_keys,
        same_ids=settings.SANDBOX_HOOK_SAME_IDS,
    )
    rules = HookRules(
        scale=settings.SANDBOX_HOOK_SCALE,
        loopback=settings.SANDBOX_HOOK_LOOPBACK,
        faults=settings.SANDBOX_HOOK_FAULTS,
    )
    _sender = Sender(_jobs.store, rules, clock=_jobs.now)
    _jobs.on_end = _sender.wake
    return _jobs


def jobs() -> Jobs:
    assert _jobs is not None, "open_jobs() comes first"
    return _jobs


def sender() -> Sender:
    assert _sender is not None, "open_jobs() comes first"
    return _sender
