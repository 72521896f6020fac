"""What a gateway of each kind is declared to honour. Nothing is guessed: everything unknown is a no, since a wrong yes
costs money."""

from dataclasses import dataclass

from playground.gateway.types import Dialect


@dataclass(frozen=True, slots=True)
class DialectDefaults:
    honours_idempotency_key: bool = False
    """The same order with the same key is taken once."""
    key_trusted_s: int = 0
    """How long a sent key is believed to be remembered."""
    dry_run: bool = False
    cancel: bool = False
    request_log: bool = False
    """It lists the requests it got, with the trace id that came along: an order whose answer was lost can be found."""
    webhooks: bool = False


_LUMENFALL = DialectDefaults(
    honours_idempotency_key=True,
    key_trusted_s=3600,  # its documentation names no time; an hour is our own cautious guess
    dry_run=True,
    cancel=True,
    request_log=True,
    webhooks=True,
)


def dialect_defaults(dialect: Dialect) -> DialectDefaults:
    return _LUMENFALL if dialect is Dialect.LUMENFALL else DialectDefaults()
