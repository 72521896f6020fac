"""What goes to a gateway and what comes back, as plain frozen values.

Nothing here speaks HTTP. Money is integer micros of a US dollar, times are aware datetimes in UTC, text that came from
a gateway has been cut to a sane length and cleaned of characters a database would refuse.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import BinaryIO
from urllib.parse import urlsplit

from playground.domain.capabilities import Capabilities
from playground.domain.parameters import ORDER_FIELDS, ParameterValue
from playground.gateway.errors import FailureKind
from playground.gateway.host_names import reads_one_way

MIB = 1024 * 1024
SEALED = "gAAAAA"
"""How every text begins that services/sealing.py has sealed. None is ever sent in place of a key."""


class Dialect(StrEnum):
    LUMENFALL = "lumenfall"
    OPENAI = "openai"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. `read` and `write` limit one silent wait, `total` the whole call from name lookup to last byte."""

    connect: float
    read: float
    write: float
    total: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how large. The worker's task limits (submit 150 s, collect 900 s) lie above these totals."""

    create: Timing = Timing(connect=5, read=60, write=30, total=120)
    estimate: Timing = Timing(connect=3, read=5, write=5, total=5)
    retrieve: Timing = Timing(connect=5, read=10, write=10, total=15)
    cancel: Timing = Timing(connect=5, read=10, write=10, total=15)
    models: Timing = Timing(connect=5, read=10, write=10, total=30)
    balance: Timing = Timing(connect=5, read=8, write=8, total=10)
    requests: Timing = Timing(connect=5, read=10, write=10, total=20)
    download: Timing = Timing(connect=5, read=30, write=10, total=840)
    max_answer_bytes: int = MIB
    max_download_bytes: int = 1024 * MIB


class ConfigError(ValueError):
    """A gateway setting that cannot work. The message is for an administrator and never has the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """One gateway: where it is, how it talks, what it honours. Raises ConfigError when the values cannot work.

    `allow_loopback` lets `base_url` be plain http and lets media come from the very host and port of `base_url`
    whatever its address; it opens nothing else. `guarded`: its name may lead to public addresses and port 443 alone,
    looked at each time it is dialled; for what somebody typed who does not run this machine.
    """

    base_url: str
    api_key: str = field(repr=False)
    dialect: Dialect = Dialect.OPENAI
    honours_idempotency_key: bool = False
    dry_run: bool = False
    cancel: bool = False
    allow_loopback: bool = False
    guarded: bool = False
    native_base_url: str = ""
    """For balance and requests; derived from `base_url` when empty (`/openai/v1` becomes `/v1`)."""
    output_hosts: tuple[str, ...] = ()
    """Hosts that files may be fetched from, `films.example` or `*.films.example`, on top of the guard; none: any."""
    limits: Limits = field(default_factory=Limits)
    version: str = "0"
    """Ours, for the User-Agent header."""

    def __post_init__(self) -> None:
        base = checked_base_url(self.base_url, allow_http=self.allow_loopback)
        object.__setattr__(self, "base_url", base)
        native = self.native_base_url or re.sub(r"/openai/v1$", "/v1", base)
        native = checked_base_url(native, allow_http=self.allow_loopback)
        if urlsplit(native)[:2] != urlsplit(base)[:2]:
            raise ConfigError("The native address must be on the same host as the gateway address.")
        object.__setattr__(self, "native_base_url", native)
        if not re.fullmatch(r"[\x21-\x7e]{1,1024}", self.api_key):
            raise ConfigError("The gateway key must be 1 to 1024 visible ASCII characters without spaces.")
        if self.api_key.startswith(SEALED):
            raise ConfigError("What stands in place of the gateway key is a sealed text, not a key.")
        if self.guarded and (self.allow_loopback or (urlsplit(base).port or 443) != 443):
            raise ConfigError("The gateway address must use port 443.")
        if not re.fullmatch(r"[\w.+-]{1,64}", self.version, re.ASCII):
            raise ConfigError("The version must be a short word.")


def checked_base_url(url: str, *, allow_http: bool) -> str:
    """The address as `plain_address` has it, or ConfigError."""
    cleaned = url.strip().rstrip("/")
    try:
        parts = urlsplit(cleaned)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError("The gateway address is not a web address.") from None
    if (
        not parts.hostname
        or not reads_one_way(parts.hostname)
        or not port_is_fine
        or re.search(r"[\s\x00-\x1f\x7f\\]", cleaned)
    ):
        raise ConfigError("The gateway address is not a web address.")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_http):
        raise ConfigError("The gateway address must begin with https://.")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("The gateway address must not hold a user name, a query or a fragment.")
    return plain_address(cleaned)


def plain_address(url: str) -> str:
    """Scheme and host in small letters, no default port, no slash at the end: one address, one way to write it."""
    parts = urlsplit(url.strip().rstrip("/"))
    host = parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme, ":"))
    return parts._replace(netloc=host).geturl()


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """A stored reference image. `open` gives a fresh binary file at its start; `size` is its length in bytes."""

    name: str
    content_type: str
    size: int
    open: Callable[[], BinaryIO]


ExtraValue = ParameterValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One paid order. The same Order always makes the same bytes on the wire.

    `order_id` is the generation's id; the multipart boundary is derived from it. `size` is `WIDTHxHEIGHT`, `seconds`
    whole seconds. `extra` holds what else the model takes (negative_prompt, seed, generate_audio ...); it must not
    name a field this class sets itself (ValueError).
    """

    order_id: str
    model: str
    prompt: str
    seconds: int | None = None
    size: str | None = None
    extra: Mapping[str, ExtraValue] = field(default_factory=dict)
    references: tuple[ReferenceFile, ...] = ()
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        clash = [name for name in self.extra if name in ORDER_FIELDS or name.startswith(("input_", "image_url"))]
        if clash:
            raise ValueError(f"extra fields must not set {', '.join(sorted(clash))}")
        if not self.order_id or not self.model:
            raise ValueError("an order needs an id and a model")
        if any(isinstance(value, float) and not math.isfinite(value) for value in self.extra.values()):
            raise ValueError("extra numbers must be finite")
        if self.idempotency_key is not None and not 0 < len(self.idempotency_key) <= 256:
            raise ValueError("an idempotency key has 1 to 256 characters")

    def body(self, *, with_key: bool = True) -> dict[str, ExtraValue]:
        """The fields as sent, without the reference files, always in the same sequence.

        `seconds` is text (what every gateway takes). Pass `with_key=config.honours_idempotency_key`.
        """
        fields: dict[str, ExtraValue] = {"model": self.model, "prompt": self.prompt}
        if self.seconds is not None:
            fields["seconds"] = str(self.seconds)
        if self.size is not None:
            fields["size"] = self.size
        fields.update((name, self.extra[name]) for name in sorted(self.extra))
        if with_key and self.idempotency_key is not None:
            fields["idempotency_key"] = self.idempotency_key
        return fields


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNRECOGNISED = "unrecognised"
    """A status word we do not know: not finished, but never to be waited for without a deadline."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the finished file is. `url` None: at `/videos/{id}/content` of the gateway itself."""

    url: str | None
    content_type: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed. `code` and `message` are the gateway's own words ("" when it gave none)."""

    code: str
    message: str
    kind: FailureKind


@dataclass(frozen=True, slots=True)
class Job:
    """One order as the gateway tells it. Everything but `id`, `state` and `raw_status` may be unknown."""

    id: str
    state: JobState
    raw_status: str = ""
    progress: int | None = None
    """0 to 100."""
    output: Output | None = None
    error: JobError | None = None
    cost_micros: int | None = None
    cost_estimate_micros: int | None = None
    provider: str = ""
    executed_model: str = ""
    model: str = ""
    """As it was ordered, in the gateway's words."""
    size: str = ""
    seconds: str = ""
    created_at: datetime | None = None
    expires_at: datetime | None = None
    """When the output link stops working."""
    request_id: str = ""
    told_id: str = ""
    """The id that the answer itself names, which may be another one than that it was asked by."""


@dataclass(frozen=True, slots=True)
class Component:
    """One line of an estimate. A gateway's unit prices are dollars and its totals micros; here both are micros."""

    metric: str
    quantity: float
    unit_price_micros: int | None
    total_micros: int | None


@dataclass(frozen=True, slots=True)
class Estimate:
    total_micros: int
    provider: str = ""
    model: str = ""
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of the gateway's list. `capabilities` None: neither the gateway nor our own table knows them."""

    slug: str
    name: str
    owner: str = ""
    aliases: tuple[str, ...] = ()
    capabilities: Capabilities | None = None
    price_note: str = ""
    retired: bool = False
    deprecated: bool = False
    video: bool = True


@dataclass(frozen=True, slots=True)
class Balance:
    """`available_micros` None: the gateway bills afterwards or does not say."""

    available_micros: int | None
    billing_type: str = ""


@dataclass(frozen=True, slots=True)
class Downloaded:
    size_bytes: int
    sha256: str
    content_type: str
