"""Settings, typed from the environment. Every variable is in .env.example and docs/operations.md.

The defaults are safe and local: SQLite below `var/`, the built-in sandbox gateway, only this machine may connect.
"""

from email.utils import parseaddr
from pathlib import Path

from environs import Env, validate

from playground import logs
from playground.addresses import host_patterns, split_address
from playground.gateway.declared import KEY_TRUSTED_S, check_pair, checked_words, dialect_of
from playground.object_storage import bucket_of
from playground.rate_limits import limits_of
from playground.secret_keys import secret_keys
from playground.settings_mail import checked_sender, mail_settings
from playground.version import read_version

BASE_DIR = Path(__file__).resolve().parent.parent


env = Env(eager=True)
env.read_env(BASE_DIR / ".env", recurse=False)

VERSION = read_version(BASE_DIR / "CHANGELOG.md")

# --- where we are ------------------------------------------------------------------------------------------------
HOST = env.str("HOST", "127.0.0.1")
PORT = env.int("PORT", 8000, validate=validate.Range(1, 65535))
SANDBOX_PORT = env.int("SANDBOX_PORT", 8001, validate=validate.Range(1, 65535))
# For the Procfile's web line; checked here, so that a broken value is said before anything starts.
WEB_WORKERS = env.int("WEB_WORKERS", 2, validate=validate.Range(1, 128))
WEB_THREADS = env.int("WEB_THREADS", 64, validate=validate.Range(1, 512))
BODY_SECONDS = env.int("BODY_SECONDS", 20, validate=validate.Range(1, 600))
WAITING_PER_MEMBER = env.int("WAITING_PER_MEMBER", 50, validate=validate.Range(min=1))
WAITING_PER_TEAM = env.int("WAITING_PER_TEAM", 500, validate=validate.Range(min=1))
RATE_LIMITS = limits_of(env.str("RATE_LIMITS", ""))
PUBLIC_URL = env.str("PUBLIC_URL", f"http://localhost:{PORT}").rstrip("/")
DATA_DIR = Path(env.str("PLAYGROUND_DATA", "") or BASE_DIR / "var").resolve()
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", validate=validate.Length(min=32))
SECRETS_KEYS = secret_keys("SECRETS_KEYS", env.str("SECRETS_KEYS", ""))

_public = split_address("PUBLIC_URL", PUBLIC_URL, "http", "https", example="https://videos.example.com")
PUBLIC_IS_LOOPBACK = _public.hostname in {"localhost", "127.0.0.1", "::1"}
_https = _public.scheme == "https"

ALLOWED_HOSTS = sorted({_public.hostname or "", "localhost", "127.0.0.1", "[::1]", *env.list("ALLOWED_HOSTS", [])})
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]
USE_X_FORWARDED_HOST = False
TRUST_PROXY = env.bool("TRUST_PROXY", False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- the application ---------------------------------------------------------------------------------------------
ROOT_URLCONF = "playground.urls"
WSGI_APPLICATION = "playground.wsgi.application"
AUTH_USER_MODEL = "playground.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "playground.apps.PlaygroundConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_structlog",
    "csp",
    "lucide",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "django_q",
]
MIDDLEWARE = [
    "playground.middleware.headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "playground.middleware.known_methods",
    "playground.middleware.unfinished_uploads",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "playground.sessions.bounded",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "playground.leaving.leaving",
    "playground.middleware.membership",
    "playground.signed_out.signed_out",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "playground.second_step.required",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "playground.views.context.chrome",
            ],
            "builtins": ["django.templatetags.i18n", "django.templatetags.static"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"

# --- database, cache, queue --------------------------------------------------------------------------------------
_sqlite_url = f"sqlite:///{DATA_DIR / 'playground.sqlite3'}"
DATABASES = {"default": env.dj_db_url("DATABASE_URL", _sqlite_url)}
_database = DATABASES["default"]
if _database["ENGINE"] == "django.db.backends.sqlite3":
    _database["ENGINE"] = "playground.db.sqlite3"
    _database["CONN_MAX_AGE"] = 600
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": (
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=27103364;"
            " PRAGMA mmap_size=134217728; PRAGMA cache_size=2000"
        ),
    }
else:
    _database["CONN_MAX_AGE"] = env.int("DATABASE_MAX_AGE", 60)
    # As long as SQLite waits: whoever holds a lock for longer has mostly gone without telling the server.
    _database.setdefault("OPTIONS", {}).setdefault("options", "-c lock_timeout=20s")
    _database["CONN_HEALTH_CHECKS"] = True

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        # Beyond this many entries, the first by name are thrown out.
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

Q_CLUSTER = {
    "name": "playground",
    "orm": "default",
    "workers": 6,
    "queue_limit": 6,
    "bulk": 1,
    "poll": 0.05,
    "save_limit": -1,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "timeout": 900,
    "retry": 1000,
    "log_level": "WARNING",
}

# --- people ------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "create.index"
_mail_url = env.str("EMAIL_URL", "").strip()
MAIL_IS_SET = bool(_mail_url)
_mail = mail_settings(_mail_url)
EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
EMAIL_HOST = _mail["EMAIL_HOST"]
EMAIL_PORT = _mail["EMAIL_PORT"]
EMAIL_HOST_USER = _mail["EMAIL_HOST_USER"]
EMAIL_HOST_PASSWORD = _mail["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS = _mail["EMAIL_USE_TLS"]
EMAIL_USE_SSL = _mail["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = _mail["EMAIL_TIMEOUT"]
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", "Video Playground <playground@localhost>")
checked_sender(DEFAULT_FROM_EMAIL, parseaddr(DEFAULT_FROM_EMAIL)[1])
ACCOUNT_LOGIN_BY_CODE_ENABLED = MAIL_IS_SET
# The client is who sent the request, or behind a trusted proxy the last address that it put into X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if TRUST_PROXY else 0
from playground.settings_accounts import *  # noqa: E402, F403  read after .env; see there

# --- gateway -----------------------------------------------------------------------------------------------------
LUMENFALL_API_KEY = env.str("LUMENFALL_API_KEY", "")
GATEWAY_BASE_URL = env.str("GATEWAY_BASE_URL", "").rstrip("/")
GATEWAY_API_KEY = env.str("GATEWAY_API_KEY", "")
GATEWAY_DIALECT = env.str("GATEWAY_DIALECT", "", validate=validate.OneOf(["", "lumenfall", "openai"]))
GATEWAY_HONOURS = checked_words("GATEWAY_HONOURS", env.str("GATEWAY_HONOURS", ""))
if GATEWAY_BASE_URL:
    split_address("GATEWAY_BASE_URL", GATEWAY_BASE_URL, "http", "https", example="https://gateway.example.com/v1")
    check_pair("GATEWAY_HONOURS", GATEWAY_HONOURS, dialect_of(GATEWAY_DIALECT, GATEWAY_BASE_URL))
GATEWAY_KEY_TRUSTED_S = env.int("GATEWAY_KEY_TRUSTED_S", KEY_TRUSTED_S, validate=validate.Range(min=1, max=31_536_000))
OUTPUT_HOSTS = host_patterns("OUTPUT_HOSTS", env.list("OUTPUT_HOSTS", []))
TEAM_GATEWAYS_LOCAL = env.bool("TEAM_GATEWAYS_LOCAL", False)
# The sandbox may call back to plain http on this machine. Read by both sides: the other one would refuse the order.
SANDBOX_HOOK_LOOPBACK = env.bool("SANDBOX_HOOK_LOOPBACK", False)
SANDBOX_IN_USE = not (LUMENFALL_API_KEY or GATEWAY_BASE_URL)

# --- files -------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "media"
MEDIA_ACCEL_PREFIX = env.str("MEDIA_ACCEL_PREFIX", "")
MEDIA_STREAMS = env.int("MEDIA_STREAMS", 32, validate=validate.Range(min=1))
# Never a setting itself: debug pages show settings, and hide of this only the keys in STORAGES.
_bucket = bucket_of(env.str("MEDIA_STORAGE_URL", ""), page_scheme=_public.scheme)
_folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": MEDIA_ROOT}}
STORAGES = {
    "default": _folder,
    "media": _bucket.storage() if _bucket else _folder,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
FILE_UPLOAD_TEMP_DIR = DATA_DIR / "tmp"
FILE_UPLOAD_PERMISSIONS = 0o640
FILE_UPLOAD_HANDLERS = ["playground.upload_handlers.CappedUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 9
UPLOAD_DAY_MB = env.int("UPLOAD_DAY_MB", 500, validate=validate.Range(min=1))
UPLOAD_TEAM_MB = env.int("UPLOAD_TEAM_MB", 20_000, validate=validate.Range(min=1))

# --- language and time -------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
USE_I18N = True
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True

# --- headers -----------------------------------------------------------------------------------------------------
_media_from = [_bucket.origin] if _bucket else []
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:", *_media_from],
        "media-src": ["'self'", "blob:", *_media_from],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_NAME = "__Host-session" if _https else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if _https else "csrf"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "playground.views.errors.csrf_failure"

# --- logs and metrics --------------------------------------------------------------------------------------------
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
logs.configure()
LOGGING = logs.logging_config(
    level=env.str("LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])),
    as_json=env.str("LOG_FORMAT", "text", validate=validate.OneOf(["text", "json"])) == "json",
)
DJANGO_STRUCTLOG_CELERY_ENABLED = False
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = TRUST_PROXY
DJANGO_STRUCTLOG_TRUST_UPSTREAM_CORRELATION_ID = TRUST_PROXY
