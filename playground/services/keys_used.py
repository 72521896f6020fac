"""Which keys of the gateways were in use when, kept in a file beside the database.

A restored database knows the keys of its time alone. Had another one been in use since, orders may have gone out with
it, and the same key being back proves nothing. Written when a worker starts, since a key is read once, at the start;
each line has a time, the gateway's address and the mark of its key (services/sent_with.py), which tells nothing of it.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings

from playground.models import Gateway
from playground.services import sent_with

log = structlog.get_logger(__name__)


def _file() -> Path:
    return Path(settings.DATA_DIR) / "keys-used.jsonl"


def note(*, now: datetime) -> None:
    """Write down the keys in use that differ from the last ones written."""
    known = {address: mark for _at, address, mark in _lines()}
    marks = {gateway.base_url: sent_with.mark(gateway) for gateway in Gateway.objects.order_by("created_at")}
    new = {address: mark for address, mark in marks.items() if mark and known.get(address) != mark}
    if new:
        with _file().open("a", encoding="utf-8") as file:
            file.writelines(json.dumps([now.isoformat(), address, mark]) + "\n" for address, mark in new.items())


def changed_since(gateway: Gateway, at: datetime) -> bool:
    """Whether another key of this gateway than the one at `at` was in use here since then, or is now."""
    lines = [(then, mark) for then, address, mark in _lines() if address == gateway.base_url]
    before = [mark for then, mark in lines if then <= at][-1:]
    since = [mark for then, mark in lines if then > at]
    now = sent_with.mark(gateway)
    return len({*before, *since, *([now] if now else [])}) > 1


def _lines() -> Iterator[tuple[datetime, str, str]]:
    try:
        text = _file().read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            at, address, mark = json.loads(line)
            yield datetime.fromisoformat(at), str(address), str(mark)
        except (ValueError, TypeError):
            log.warning("line_of_keys_used_not_read", file=str(_file()))
