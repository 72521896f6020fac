"""Structured logs: one event a line, with the request id of django-structlog bound to it.

Prompts, keys, tokens and signed addresses are never logged. `scrub` is the last wall: it drops the values of keys that
would hold one, wherever they come from, and cuts what a client would fill the log with.
"""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

SECRET_WORDS = ("prompt", "api_key", "authorization", "password", "token", "secret", "cookie", "signature")


QUIET = (
    "django.server",
    "django.db.backends",
    "django.template",
    "httpx",
    "httpcore",
    "aiohttp",
    "django-q",
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
)
"""Who speaks from level warning on only: some write out whole requests, signatures or rows at level debug."""

_ONE_TIME = "welcome|sign-in|signup|invite|join|hooks|s|password/reset/key|confirm-email"
_TOKEN_IN_PATH = re.compile(rf"/({_ONE_TIME})/(?!\[not logged\])[^\s?\"']+", re.IGNORECASE)
"""Addresses whose rest is a secret."""
_LONG = re.compile(r"[\w-]{40,}", re.ASCII)
"""As long as our tokens. A mail program may have put a space where `_TOKEN_IN_PATH` looks for the token."""
_RESET_KEY = re.compile(r"(?:(?<![0-9a-z])[0-9a-z]+-)?[0-9a-z]{5,8}-[0-9a-f]{32}(?![0-9a-f])", re.IGNORECASE)
"""allauth's key for a new password, wherever it stands: whose it is, the time and a hash. Each run is read once, since
a client may send one of thousands of letters.
"""
_QUERY = re.compile(r"(?<=[\w/.\]-])\?(?!\[not logged\])[^\s\"'<>]+")
"""A prompt may stand in an address, `/create/?prompt=...`, and a signature in that of a file."""


LONGEST = {"user_agent": 200, "request_id": 64, "correlation_id": 64, "exception": 20_000}
"""In characters. Who asks chooses them: the log holds a few megabytes, and some hundred requests may not fill it."""
LONGEST_OF_OTHERS = 2_000


def scrub(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value whose name says it is private, and the secret part of one-time addresses in any value."""
    for name in event:
        if any(word in name.lower() for word in SECRET_WORDS):
            event[name] = "[not logged]"
        elif isinstance(event[name], str):
            event[name] = _cut(masked_path(event[name]), LONGEST.get(name, LONGEST_OF_OTHERS))
    return event


def _cut(text: str, longest: int) -> str:
    """Without its middle, where it is too long: the end of a traceback says what was wrong."""
    if len(text) <= longest:
        return text
    half = (longest - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def masked_path(text: str) -> str:
    """`text` without the secret part of one-time addresses in it, and without what follows their question marks."""
    if "/" not in text:
        return text
    masked = _LONG.sub(_unless_a_name, _TOKEN_IN_PATH.sub(r"/\1/[not logged]", text))
    masked = _RESET_KEY.sub("[not logged]", masked)
    return _QUERY.sub("?[not logged]", masked)


def _unless_a_name(found: re.Match[str]) -> str:
    """A token has capital and small letters; ids, hashes and names in code stay readable."""
    text = found[0]
    return text if text in {text.lower(), text.upper()} else "[not logged]"


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        scrub,
    ]


class Refusals(logging.Filter):
    """What a sender did wrong (a host name, a broken form) is one line at warning level: no fault of ours to trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.") and getattr(record, "status_code", 500) < 500:
            record.exc_info = record.exc_text = None
            record.levelno = min(record.levelno, logging.WARNING)
            record.levelname = logging.getLevelName(record.levelno)
        return True


class Waiting(logging.Filter):
    """/readyz answers 503 until all is ready, which is how a start is waited for: no fault, and one line is enough."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.msg
        if isinstance(said, dict) and said.get("code") == 503 and said.get("request") == "GET /readyz":
            record.levelno, record.levelname, said["level"] = logging.INFO, "INFO", "info"
        path = getattr(getattr(record, "request", None), "path", "")
        said_already = record.name == "django.request" and getattr(record, "status_code", 503) == 503
        return not (said_already and path == "/readyz")


def configure() -> None:
    """Once for a process: a logger keeps what it found when it first wrote."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Django's `LOGGING`: the standard library's records go out the way that `configure` gives our own."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    filters = {"refusals": {"()": Refusals}, "waiting": {"()": Waiting}}
    quietly = {name: {"handlers": ["console"], "level": logging.WARNING, "propagate": False} for name in QUIET}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    scrub,  # what is in a traceback now
                    renderer,
                ],
            }
        },
        "filters": filters,
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": list(filters)}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "django": {"handlers": ["console"], "level": level, "propagate": False},
            **quietly,
        },
    }
