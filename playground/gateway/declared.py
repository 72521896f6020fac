"""What a gateway is declared to honour: by whoever sets it up, else by its dialect. Nothing is guessed: everything
unknown is a no, since a wrong yes costs money."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from playground.gateway.types import Dialect


@dataclass(frozen=True, slots=True)
class Honours:
    honours_idempotency_key: bool = False
    """The same order with the same key is taken once."""
    key_trusted_s: int = 0
    """How long a sent key is believed to be remembered."""
    dry_run: bool = False
    cancel: bool = False
    request_log: bool = False
    """It lists the requests it got, with the trace id that came along: an order whose answer was lost can be found."""
    webhooks: bool = False


KEY_TRUSTED_S = 3600
"""Where a gateway honours keys and does not say how long it remembers them, as Lumenfall: our own cautious guess."""
WORDS = ("idempotency-key", "dry-run", "cancel", "request-log", "webhooks")
NOTHING = "nothing"


def dialect_words(dialect: Dialect) -> str:
    return ",".join(WORDS) if dialect is Dialect.LUMENFALL else NOTHING


def dialect_defaults(dialect: Dialect) -> Honours:
    return declared(dialect_words(dialect))


def checked_words(name: str, words: str) -> str:
    """The words as they are. Raises ValueError that names the variable they come from."""
    try:
        declared(words)
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from None
    return words


def dialect_of(word: str, base_url: str) -> Dialect:
    """The named dialect; without a word Lumenfall's at its own host, else that of OpenAI."""
    if word:
        return Dialect(word)
    host = urlsplit(base_url).hostname or ""
    return Dialect.LUMENFALL if host == "lumenfall.ai" or host.endswith(".lumenfall.ai") else Dialect.OPENAI


def check_pair(name: str, words: str, dialect: Dialect) -> None:
    """Raises ValueError that names the variable when these words need another dialect: only one has a log to read."""
    if declared(words or dialect_words(dialect)).request_log and dialect is not Dialect.LUMENFALL:
        raise ValueError(f"{name}: request-log can only be read in the lumenfall dialect")


def declared(words: str, *, key_trusted_s: int = KEY_TRUSTED_S) -> Honours:
    """What these words, separated by commas, declare; all others are a no. "nothing" alone is a no to all.

    Raises ValueError for a word that is none of WORDS, and for keys that are trusted for no time.
    """
    said = {word.strip().lower() for word in words.split(",")} - {""}
    if said == {NOTHING}:
        return Honours()
    if unknown := sorted(said - set(WORDS)):
        raise ValueError(f"{unknown[0]!r} is not one of {', '.join(WORDS)}, or {NOTHING} alone")
    takes_key = "idempotency-key" in said
    if takes_key and key_trusted_s <= 0:
        raise ValueError("a key has to be trusted for some time")
    return Honours(
        honours_idempotency_key=takes_key,
        key_trusted_s=key_trusted_s if takes_key else 0,
        dry_run="dry-run" in said,
        cancel="cancel" in said,
        request_log="request-log" in said,
        webhooks="webhooks" in said,
    )
