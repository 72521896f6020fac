"""How mail is sent, read from `EMAIL_URL`. What cannot work is refused at the start, not at somebody's first mail.

Two forms are taken: a mail server, and `console:`, which writes mails to the output of the web process. Ways that put a
mail where nobody gets it are refused: pages would say that it is on its way.
"""

from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

EXAMPLE = "smtp://user:password@mail.example.com:587/?tls=true"
TIMEOUT_S = 10
MOST_TIMEOUT_S = 30
CONSOLE = "django.core.mail.backends.console.EmailBackend"
SERVER = "playground.mail_server.EmailBackend"
PORTS = {"smtp": 25, "submission": 587, "submit": 587}
SWITCHES = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def mail_settings(url: str) -> dict[str, Any]:
    """Django's settings for `url`; none means `console:`. Raises ValueError that names it without its value."""
    if url in {"", "console:", "console://"}:
        return _settings(EMAIL_BACKEND=CONSOLE)
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise _wrong(f"must be an address such as {EXAMPLE}") from error
    _check(parts, host, port)
    query = parse_qs(parts.query, keep_blank_values=True)
    port = port or (465 if _switch(query, "ssl") else PORTS[parts.scheme])
    is_ssl = _switch(query, "ssl")
    is_tls = _switch(query, "tls") if "tls" in query else parts.scheme != "smtp" and not is_ssl
    _check_encryption(port, is_ssl, is_tls)
    return _settings(
        EMAIL_HOST=host,
        EMAIL_PORT=port,
        EMAIL_HOST_USER=unquote(parts.username or ""),
        EMAIL_HOST_PASSWORD=unquote(parts.password or ""),
        EMAIL_USE_SSL=is_ssl,
        EMAIL_USE_TLS=is_tls,
        EMAIL_TIMEOUT=_timeout(query),
    )


def checked_sender(value: str, address: str) -> str:
    """`value` if its `address` is one that a mail server may take. Raises ValueError naming `MAIL_FROM`."""
    local, _at, domain = address.rpartition("@")
    if not local or not domain or not value.isprintable() or any(character.isspace() for character in address):
        raise ValueError(f"MAIL_FROM must be an e-mail address, not {value!r}")
    return value


def _settings(**given: Any) -> dict[str, Any]:
    basis = {"EMAIL_BACKEND": SERVER, "EMAIL_HOST": "localhost", "EMAIL_PORT": 25, "EMAIL_TIMEOUT": TIMEOUT_S}
    closed = {"EMAIL_HOST_USER": "", "EMAIL_HOST_PASSWORD": "", "EMAIL_USE_SSL": False, "EMAIL_USE_TLS": False}
    return basis | closed | given


def _check(parts: SplitResult, host: str, port: int | None) -> None:
    if parts.scheme == "smtps":
        raise _wrong(
            "begins with smtps, which means two things: write smtp://...:465/?ssl=true, or submission://...:587"
        )
    if parts.scheme in {"file", "memory", "dummy"}:
        raise _wrong(f"cannot be {parts.scheme}: nobody would get the mail. It must be an address such as {EXAMPLE}")
    if parts.scheme not in PORTS or not host or port == 0 or any(character.isspace() for character in host):
        raise _wrong(f"must be an address such as {EXAMPLE}")
    if parts.path not in {"", "/"} or parts.fragment:
        raise _wrong("has something after its host: in user and password write / as %2F, # as %23 and ? as %3F")
    if bool(parts.username) != bool(parts.password):
        raise _wrong("has a user without a password, or a password without a user")


def _check_encryption(port: int, is_ssl: bool, is_tls: bool) -> None:
    if is_ssl and is_tls:
        raise _wrong("takes one of ssl=true and tls=true, not both")
    if port == 465 and not is_ssl:
        raise _wrong("names port 465, which is encrypted from the first byte: add ?ssl=true")


def _switch(query: dict[str, list[str]], name: str) -> bool:
    if unknown := set(query) - {"ssl", "tls", "timeout"}:
        raise _wrong(f"knows ssl, tls and timeout behind its ?, not {len(unknown)} other")
    value = query.get(name, ["false"])[-1].lower()
    if value not in SWITCHES:
        raise _wrong(f"takes {name}=true or {name}=false")
    return SWITCHES[value]


def _timeout(query: dict[str, list[str]]) -> int:
    value = query.get("timeout", [str(TIMEOUT_S)])[-1]
    if not value.isdecimal() or not 1 <= int(value) <= MOST_TIMEOUT_S:
        raise _wrong(f"takes a timeout of 1 to {MOST_TIMEOUT_S} seconds")
    return int(value)


def _wrong(why: str) -> ValueError:
    return ValueError(f"EMAIL_URL {why}")
