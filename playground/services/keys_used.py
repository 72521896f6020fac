"""Which keys of the gateways were in use when, kept in a file beside the database.

A restored database knows the keys of its time alone. Had another one been in use since, orders may have gone out with
it, and the same key being back proves nothing. Written when a worker starts, since a key of the environment is read
once, at the start; when an admin sets a team's; and every minute by the worker, should either have failed or happened
on another machine. Each line has a time, the gateway's address and the mark of its key (services/sent_with.py), which
tells nothing of it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog
from django.conf import settings

from playground.gateway.types import plain_address
from playground.models import Gateway
from playground.services import sent_with

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Line:
    at: datetime
    address: str
    mark: str


def _file() -> Path:
    return Path(settings.DATA_DIR) / "keys-used.jsonl"


def note(*, now: datetime) -> None:
    """Write down the keys in use that differ from the last ones written; all after a line that cannot be read.

    A disk that takes nothing is told in the log and keeps no worker from starting.
    """
    known: dict[str, str] = {}
    for line in _lines():
        known = known | {line.address: line.mark} if line else {}
    rows = [(_place(row), sent_with.mark(row)) for row in Gateway.objects.order_by("created_at")]
    marks = {address: mark for address, mark in rows if mark}  # a row of before may have the address and no key
    new = {address: mark for address, mark in marks.items() if known.get(address) != mark}
    lines = [json.dumps([now.isoformat(), address, mark]) + "\n" for address, mark in new.items()]
    try:
        with _file().open("a", encoding="utf-8") as file:
            # A line of its own after one that a crash or a full disk has cut; an empty line is none.
            file.writelines(["\n", *lines] if lines else [])
    except OSError as error:
        log.error("keys_in_use_not_written_down", file=str(_file()), why=str(error))


def changed_since(gateway: Gateway, at: datetime) -> bool:
    """Whether another key of this gateway than the one at `at` was in use here since then, or is now.

    Also where something that was written since then cannot be read, which may have been one: then a person is asked.
    """
    lines = list(_lines())
    earlier = [number for number, line in enumerate(lines) if line and line.at <= at]
    if None in lines[max(earlier, default=-1) + 1 :]:
        return True
    mine = [line for line in filter(None, lines) if line.address == _place(gateway)]
    before = [line.mark for line in mine if line.at <= at][-1:]
    since = [line.mark for line in mine if line.at > at]
    now = sent_with.mark(gateway)
    return len({*before, *since, *([now] if now else [])}) > 1


def _place(gateway: Gateway) -> str:
    """Two teams may have two keys at one address. No address has a fragment, so one with the id is no other's."""
    address = plain_address(gateway.base_url)
    return f"{address}#{gateway.id}" if gateway.team_id else address


def _lines() -> Iterator[_Line | None]:
    """None for a line that cannot be read, or for a file that cannot."""
    try:
        text = _file().read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        log.error("keys_in_use_not_read", file=str(_file()), why=str(error))
        yield None
        return
    for line in filter(None, text.splitlines()):
        try:
            at, address, mark = json.loads(line)
            yield _Line(datetime.fromisoformat(at).astimezone(UTC), str(address), str(mark))
        except (ValueError, TypeError, OverflowError):
            log.warning("line_of_keys_used_not_read", file=str(_file()))
            yield None
