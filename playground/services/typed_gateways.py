"""What an admin has typed to connect a gateway: judged, and tried out, before any of it is stored."""

from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from playground.gateway.declared import WORDS, Honours, check_pair, declared, dialect_words
from playground.gateway.factory import LUMENFALL_URL
from playground.gateway.types import ConfigError, GatewayConfig
from playground.gateway.types import Dialect as Spoken
from playground.models import Dialect, Gateway
from playground.services import gateway_checks, gateways
from playground.services.gateway_checks import CheckResult

__all__ = ["LUMENFALL_URL", "WORDS", "CheckResult"]

COLUMNS = dict(
    zip(
        WORDS,
        ("honours_idempotency_key", "has_dry_run", "has_cancel", "has_request_log", "has_webhooks"),
        strict=True,
    )
)
"""The column of each word that a gateway may be declared to honour."""


class WrongAddress(Exception):
    """An address that may not be connected; `str()` says why."""


class WrongKey(Exception):
    """A text that can be no key; `str()` says why, without it."""


class WrongWords(Exception):
    """Declared to honour what it cannot."""


class NoGoodAnswer(Exception):
    """The gateway did not answer as it must. Nothing was stored."""

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.words)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What an admin has typed. `honours` None: what its dialect does."""

    name: str
    base_url: str
    dialect: str
    key: str = field(repr=False)
    honours: tuple[str, ...] | None = None


def lumenfall(key: str) -> Typed:
    """The preset: only a key is asked for."""
    return Typed(name="Lumenfall", base_url=LUMENFALL_URL, dialect=Dialect.LUMENFALL.value, key=key)


@sensitive_variables("typed", "config")
def ask(typed: Typed) -> CheckResult:
    """Try what was typed without storing any of it. Raises WrongAddress, WrongKey and WrongWords."""
    honours_of(typed)
    return gateway_checks.ask(config_of(typed), is_own=True)


@sensitive_variables("key")
def ask_with(*, gateway: Gateway, key: str) -> CheckResult:
    """Try a stored gateway with another key, without storing that. Raises WrongAddress and WrongKey."""
    return gateway_checks.ask(config_of(_as_typed(gateway, key)), is_own=True)


def check_answer(result: CheckResult) -> None:
    if not result.ok:
        raise NoGoodAnswer(result)
    if not result.model_count:
        raise NoGoodAnswer(replace(result, ok=False, words=_("It answers, but lists no video model.")))


@sensitive_variables("typed")
def config_of(typed: Typed) -> GatewayConfig:
    if not typed.key.isascii() or not typed.key.isprintable() or " " in typed.key or not 0 < len(typed.key) <= 1024:
        raise WrongKey(_("A key has up to 1,024 plain characters and no spaces."))
    try:
        gateways.typed_config(base_url=typed.base_url, dialect=typed.dialect, key="any")
    except ConfigError as error:
        raise WrongAddress(str(error)) from None
    try:
        config = gateways.typed_config(base_url=typed.base_url, dialect=typed.dialect, key=typed.key)
    except ConfigError:
        raise WrongKey(_("This is no key: it looks like one that was sealed.")) from None
    return replace(config, limits=gateway_checks.limits())


def _as_typed(gateway: Gateway, key: str) -> Typed:
    return Typed(name=gateway.name, base_url=gateway.base_url, dialect=gateway.dialect, key=key)


def honours_of(typed: Typed) -> Honours:
    words = dialect_words(Spoken(typed.dialect)).split(",") if typed.honours is None else typed.honours
    return declare(tuple(words), typed.dialect)


def declare(words: tuple[str, ...], dialect: str) -> Honours:
    try:
        check_pair("", ",".join(words) or "nothing", Spoken(dialect))
        return declared(",".join(words))
    except ValueError:
        raise WrongWords(_("A log of requests can only be read of a gateway that speaks like Lumenfall.")) from None


def columns_of(honours: Honours) -> dict[str, Any]:
    return {
        "honours_idempotency_key": honours.honours_idempotency_key,
        "key_trusted_seconds": honours.key_trusted_s,
        "has_dry_run": honours.dry_run,
        "has_cancel": honours.cancel,
        "has_request_log": honours.request_log,
        "has_webhooks": honours.webhooks,
    }


def words_of(gateway: Gateway) -> list[str]:
    """What it is declared to honour."""
    return [word for word, column in COLUMNS.items() if getattr(gateway, column)]
