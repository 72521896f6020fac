"""Django settings of the sandbox alone: no database, no sessions, no users, nothing shared with the playground.

Everything is read from the environment; `python -m playground.sandbox` sets it from its flags. See docs/sandbox.md.
"""

import os
import secrets
from pathlib import Path

from .faults import HOOK_FAULTS

BASE_DIR = Path(__file__).resolve().parent.parent.parent


def _data_dir() -> Path:
    if own := os.environ.get("SANDBOX_DATA"):
        return Path(own)
    return Path(os.environ.get("PLAYGROUND_DATA") or BASE_DIR / "var") / "sandbox"


def _range(text: str) -> tuple[float, float]:
    """`"10-15"` -> (10, 15); `"3"` -> (3, 3). Raises ValueError for anything else."""
    low, _, high = text.partition("-")
    pair = float(low), float(high or low)
    if not 0 <= pair[0] <= pair[1]:
        raise ValueError(f"not a range of seconds: {text!r}")
    return pair


def _is_on(text: str) -> bool:
    """Raises ValueError for anything but a plain yes or no."""
    word = text.strip().lower()
    if word not in ("", "0", "false", "no", "off", "1", "true", "yes", "on"):
        raise ValueError(f"neither true nor false: {text!r}")
    return word in ("1", "true", "yes", "on")


def _hook_faults(text: str) -> frozenset[str]:
    found = frozenset(name for name in text.replace(" ", "").split(",") if name)
    if unknown := found - set(HOOK_FAULTS):
        raise ValueError(f"SANDBOX_HOOK_FAULTS: there is no {', '.join(sorted(unknown))}")
    return found


SANDBOX_DATA = _data_dir()
SANDBOX_PROFILE = os.environ.get("SANDBOX_PROFILE", "lumenfall")
SANDBOX_API_KEYS = tuple(key for key in os.environ.get("SANDBOX_API_KEYS", "").replace(" ", "").split(",") if key)
SANDBOX_IGNORES_KEYS = os.environ.get("SANDBOX_IGNORES_KEYS", "").lower() in ("1", "true", "yes")
SANDBOX_JOB_SECONDS = _range(os.environ.get("SANDBOX_JOB_SECONDS") or "0")
SANDBOX_SLOW_SECONDS = float(os.environ.get("SANDBOX_SLOW_SECONDS") or 60)
SANDBOX_SLOW_ANSWER_SECONDS = float(os.environ.get("SANDBOX_SLOW_ANSWER_SECONDS") or 20)
SANDBOX_EXPIRES_SECONDS = float(os.environ.get("SANDBOX_EXPIRES_SECONDS") or 3600)
SANDBOX_MAX_BODY_MB = float(os.environ.get("SANDBOX_MAX_BODY_MB") or 64)
SANDBOX_BALANCE = os.environ.get("SANDBOX_BALANCE") or "10000"
"""Play money in US dollars that each account starts with."""
SANDBOX_HOOK_LOOPBACK = _is_on(os.environ.get("SANDBOX_HOOK_LOOPBACK", ""))
"""Webhooks may go to plain http on this machine. Off: https to public names only."""
SANDBOX_HOOK_SCALE = float(os.environ.get("SANDBOX_HOOK_SCALE") or 1)
"""Stretches the waits of 5, 15 and 45 s between the tries of a webhook."""
SANDBOX_HOOK_SAME_IDS = _is_on(os.environ.get("SANDBOX_HOOK_SAME_IDS", ""))
"""The id in a webhook ends like that of the video; off: they share nothing."""
SANDBOX_HOOK_FAULTS = _hook_faults(os.environ.get("SANDBOX_HOOK_FAULTS", ""))

DEBUG = False
SECRET_KEY = secrets.token_urlsafe(32)  # nothing is signed that must outlive the process
ALLOWED_HOSTS = ["*"]  # http.py looks at them
OWN_NAMES = {"localhost"}
"""Names that this server answers to beside plain addresses; `--host` adds its own."""
ROOT_URLCONF = "playground.sandbox.urls"
WSGI_APPLICATION = None
INSTALLED_APPS: list[str] = []
DATABASES: dict[str, object] = {}
MIDDLEWARE = ["playground.sandbox.http.SandboxMiddleware"]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
        "OPTIONS": {"builtins": ["django.templatetags.i18n"]},
    }
]
USE_TZ = True
TIME_ZONE = "UTC"
APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = int(SANDBOX_MAX_BODY_MB * 1024 * 1024)
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # The request log is our own file; Django's would repeat it and call every 4xx a warning.
    "loggers": {"django.server": {"level": "CRITICAL"}, "django.request": {"level": "ERROR"}},
}
