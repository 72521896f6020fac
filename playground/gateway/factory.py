"""From plain setting values to a client. Reads no environment itself: the caller passes the values."""

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from playground.gateway.client import GatewayClient
from playground.gateway.declared import (
    KEY_TRUSTED_S,
    Honours,
    check_pair,
    declared,
    dialect_defaults,
    dialect_of,
    dialect_words,
)
from playground.gateway.host_names import is_local_name
from playground.gateway.types import (
    ConfigError,
    Dialect,
    GatewayConfig,
    Limits,
    checked_base_url,
)
from playground.gateway.wire import tls

LUMENFALL_URL = "https://api.lumenfall.ai/openai/v1"
SANDBOX_KEY = "sandbox"
DEFAULT_SANDBOX_PORT = 8001


def preload() -> None:
    """Read the certificates that connections are checked against, so that the first call need not."""
    tls()


def build(config: GatewayConfig) -> GatewayClient:
    return GatewayClient(config)


def config_from(values: Mapping[str, object], *, version: str = "0", limits: Limits | None = None) -> GatewayConfig:
    """The configuration that these values mean. Raises ConfigError naming the variable that is wrong.

    `GATEWAY_BASE_URL` with `GATEWAY_API_KEY` (and `GATEWAY_DIALECT`, `GATEWAY_HONOURS`) names any gateway; else
    `LUMENFALL_API_KEY` alone means Lumenfall; else the sandbox on this machine at `SANDBOX_PORT`. A Lumenfall key never
    goes elsewhere.
    """
    base_url, key = _text(values, "GATEWAY_BASE_URL"), _text(values, "GATEWAY_API_KEY")
    lumenfall_key = _text(values, "LUMENFALL_API_KEY")
    if base_url:
        config = _any_gateway(base_url, key, _text(values, "GATEWAY_DIALECT"), version, limits)
        return _honouring(config, honours_from(values, config.dialect))
    if key:
        raise ConfigError("GATEWAY_API_KEY is set but GATEWAY_BASE_URL is not.")
    if lumenfall_key:
        return _config(LUMENFALL_URL, lumenfall_key, Dialect.LUMENFALL, version, limits, local=False)
    return sandbox_config(values, version=version, limits=limits)


def honours_from(values: Mapping[str, object], dialect: Dialect) -> Honours:
    """What the gateway that these values name honours. `GATEWAY_HONOURS` speaks of that in `GATEWAY_BASE_URL` alone,
    `GATEWAY_KEY_TRUSTED_S` of Lumenfall too.
    """
    words = _text(values, "GATEWAY_HONOURS") if _text(values, "GATEWAY_BASE_URL") else ""
    trusted = _text(values, "GATEWAY_KEY_TRUSTED_S")
    try:
        trusted_s = int(trusted or KEY_TRUSTED_S)
        honours = declared(words or dialect_words(dialect), key_trusted_s=trusted_s)
    except ValueError as wrong:
        raise ConfigError(f"GATEWAY_HONOURS: {wrong}.") from None
    try:
        check_pair("GATEWAY_HONOURS", words, dialect)
    except ValueError as wrong:
        raise ConfigError(f"{wrong}.") from None
    return honours


def sandbox_config(values: Mapping[str, object], *, version: str = "0", limits: Limits | None = None) -> GatewayConfig:
    text = _text(values, "SANDBOX_PORT") or str(DEFAULT_SANDBOX_PORT)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ConfigError("SANDBOX_PORT must be a port number.")
    url = f"http://127.0.0.1:{int(text)}/openai/v1"
    return _config(url, SANDBOX_KEY, Dialect.LUMENFALL, version, limits, local=True)


def team_config(
    *, base_url: str, api_key: str, dialect: Dialect, allow_local: bool, version: str = "0"
) -> GatewayConfig:
    """A gateway that a team has connected: https on a public address, unless `allow_local` lets it be anything that the
    environment may name. Raises ConfigError in words for whoever typed it.
    """
    address = checked_base_url(base_url, allow_http=allow_local)
    parts = urlsplit(address)
    is_local = allow_local and is_local_name(parts.hostname or "")
    if parts.scheme == "http" and not is_local:
        raise ConfigError("The gateway address must begin with https://.")
    return GatewayConfig(
        base_url=address,
        api_key=api_key,
        dialect=dialect,
        allow_loopback=is_local,
        guarded=not allow_local,
        version=version,
    )


def is_sandbox(config: GatewayConfig) -> bool:
    """True for the imitation on this machine: its money is play money."""
    return config.api_key == SANDBOX_KEY and urlsplit(config.base_url).hostname == "127.0.0.1"


def _any_gateway(base_url: str, key: str, word: str, version: str, limits: Limits | None) -> GatewayConfig:
    if not key:
        raise ConfigError("GATEWAY_BASE_URL is set but GATEWAY_API_KEY is not.")
    try:
        host = urlsplit(checked_base_url(base_url, allow_http=True)).hostname or ""
    except ConfigError as wrong:
        raise ConfigError(f"GATEWAY_BASE_URL: {wrong}") from None
    if word and word not in list(Dialect):
        raise ConfigError(f"GATEWAY_DIALECT must be one of {', '.join(Dialect)}.")
    is_http = base_url.strip().lower().startswith("http://")
    if is_http and not is_local_name(host):
        raise ConfigError("GATEWAY_BASE_URL must begin with https://: plain http would show the key to everyone.")
    return _config(base_url, key, dialect_of(word, base_url), version, limits, local=is_local_name(host))


def _honouring(config: GatewayConfig, honours: Honours) -> GatewayConfig:
    return replace(
        config,
        honours_idempotency_key=honours.honours_idempotency_key,
        dry_run=honours.dry_run,
        cancel=honours.cancel,
    )


def _config(url: str, key: str, dialect: Dialect, version: str, limits: Limits | None, *, local: bool) -> GatewayConfig:
    config = GatewayConfig(
        base_url=url,
        api_key=key,
        dialect=dialect,
        allow_loopback=local,
        limits=limits or Limits(),
        version=version,
    )
    return _honouring(config, dialect_defaults(dialect))


def _text(values: Mapping[str, object], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value).strip()
