"""MEDIA_STORAGE_URL: read and checked at the start, and turned into the entry "media" of Django's STORAGES.

`s3://KEY:SECRET@host:port/bucket/folder?region=...&scheme=...&style=...`. A mistake is one line that names the variable
and never its value, which holds a secret. Nothing here imports the S3 packages: they are loaded with the store's first
use, and an installation without a bucket does not have them.
"""

import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

VARIABLE = "MEDIA_STORAGE_URL"
EXAMPLE = "s3://KEY:SECRET@s3.example.com/bucket?region=eu-central-1"
BACKEND = "playground.media.bucket.BucketStorage"
PACKAGES = ("boto3", "storages")
# What may stand behind the question mark, with its default and what it may be.
OPTIONS = {
    "region": ("us-east-1", r"[a-z0-9-]+"),
    "scheme": ("https", r"https?"),
    "style": ("path", r"path|virtual"),
}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class Bucket:
    """`host` with its port, if any. `style`: the bucket's name in the path, or in front of the host ("virtual")."""

    name: str
    folder: str
    host: str
    scheme: str
    region: str
    style: str
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def origin(self) -> str:
        """Where browsers are sent for the bytes, so what the content security policy has to allow."""
        return self.endpoint if self.style == "path" else f"{self.scheme}://{self.name}.{self.host}"

    def storage(self) -> dict[str, Any]:
        """The entry of STORAGES. Without keys the S3 library looks for them in its own places."""
        options: dict[str, Any] = {
            "bucket_name": self.name,
            "location": self.folder,
            "endpoint_url": self.endpoint,
            "region_name": self.region,
            "addressing_style": self.style,
        }
        if self.access_key:
            own = {"access_key": self.access_key, "secret_key": self.secret_key}
            options |= own | {"security_token": None, "session_profile": None}
        return {"BACKEND": BACKEND, "OPTIONS": options}


def bucket_of(value: str, *, page_scheme: str) -> Bucket | None:
    """The bucket that `value` names, None when it is empty. Raises ValueError with a line for the operator.

    `page_scheme` is that of PUBLIC_URL: a page loaded over https may not load media over http.
    """
    if not value:
        return None
    parts = _split(value)
    name, _, folder = parts.path.strip("/").partition("/")
    if not _BUCKET.fullmatch(name):
        raise _wrong("the first part of its path must be the name of a bucket")
    if folder and not _FOLDER.fullmatch(folder):
        raise _wrong("the folder behind the bucket may hold letters, digits, dots, hyphens and underscores only")
    options = _options(parts.query)
    if page_scheme == "https" and options["scheme"] == "http":
        raise _wrong("scheme=http cannot go with an https PUBLIC_URL, browsers refuse the mixture")
    missing = [package for package in PACKAGES if find_spec(package) is None]
    if missing:
        raise _wrong("its packages are not installed: start with ./scripts/up, or install requirements-s3.txt")
    access_key, secret_key = _keys(parts)
    return Bucket(name=name, folder=folder, host=_host(parts), access_key=access_key, secret_key=secret_key, **options)


def _wrong(why: str) -> ValueError:
    return ValueError(f"{VARIABLE}: {why}. An example: {EXAMPLE}")


def _split(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        fits = parts.scheme == "s3" and bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        fits = False
    if not fits:
        raise _wrong("it is no address, or characters of its secret such as / and + are not written as %2F and %2B")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port else host


def _keys(parts: SplitResult) -> tuple[str, str]:
    access, secret = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(access) != bool(secret):
        raise _wrong("it needs key and secret, or neither")
    return access, secret


def _options(query: str) -> dict[str, str]:
    """scheme, region and style, each given or by default."""
    given = dict(parse_qsl(query, keep_blank_values=True))
    if given.keys() - OPTIONS.keys():
        raise _wrong(f"behind the question mark only {', '.join(OPTIONS)} may stand")
    values = {name: given.get(name, OPTIONS[name][0]) for name in OPTIONS}
    for name, value in values.items():
        if not re.fullmatch(OPTIONS[name][1], value):
            raise _wrong(f"{name} must look like {OPTIONS[name][0]}")
    return values
