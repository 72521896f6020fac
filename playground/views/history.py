"""The history of generations in words: what each event means for a person.

A video that cannot be saved is tried for weeks, so what comes again and again is one line.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from playground.domain.status import Status
from playground.models import Event, Generation
from playground.services.orphan_files import REFUSED_KEPT
from playground.templatetags.lost_files import OF_ONE_TRY, lost_file

WORDS: dict[str, str | Promise] = {
    "ordered": _("Ordered; waiting to be sent"),
    "put_back": _("Not sent yet, tried again later"),
    "expired_at_gateway": _("Given up by the gateway"),
    "handed_out": _("Its turn to be sent"),
    "not_begun": _("Not sent after all, waits for its turn again"),
    "sending": _("Being sent"),
    "submitted": _("Taken by the gateway"),
    "refused": _("Refused by the gateway"),
    "sent_again": _("Sent again with the same key"),
    "sender_lost": _("Whoever sent it was cut off before an answer came"),
    "answer_unclear": _("No clear answer came"),
    "look_up_planned": _("Not sent again; looked for in the gateway's log in a minute"),
    "log_not_read": _("The gateway's log could not be read; tried again"),
    "found_in_log": _("Found in the gateway's log, and taken up from there"),
    "log_says_refused": _("The gateway's log says that it was refused and cost nothing"),
    "answer_lost": _("No clear answer came; waiting for an admin"),
    "sent_anew": _("It never ran, an admin says: sent again"),
    "closed_by_admin": _("It never ran, an admin says: closed, its money given back"),
    "adopted": _("It ran, an admin says, and gave its id"),
    "other_id_told": _("The gateway answered once more, with another id"),
    "not_found": _("The gateway does not know it just now"),
    "not_written": _("What became of it could not be written down here; tried again every five minutes"),
    "money_not_freed": _("Its money could not be given back just now; put right by the next hourly repair"),
    "started": _("Generating"),
    "completed": _("Made; the file is at the provider"),
    "saving_started": _("Saving our own copy"),
    "saving_failed": _("Saving did not work; tried again"),
    "stored": _("Saved and checked"),
    "failed": _("Failed at the provider"),
    "restored": _("Restored from a backup; it may have been sent since"),
    "stop_requested": _("Stop was asked for"),
    "stop_delivered": _("The gateway was told to stop"),
    "stop_not_delivered": _("The gateway could not be told to stop"),
    "stopped": _("Stopped"),
    "cancelled": _("Stopped before it was sent"),
    "given_up": _("Past its time"),
    "lost": _("The gateway no longer knows it"),
    "cost_above_set_aside": _("It cost more than was set aside for it"),
    "cost_told_later": _("The gateway names another cost than the one that was counted"),
    "approved": _("Approved"),
    "approval_taken_back": _("Approval taken back"),
    "output_lost": _("Its file could not be saved, and is not tried any more"),
}


FAILED_TRY = _("Saving did not work: %(fault)s; tried again")
CLOSED_UNPRICED = _("It never ran, an admin says: closed, nothing was set aside for it")
ANSWERED = frozenset({"refused", "answer_unclear", "put_back", "failed"})
"""What the gateway said stands with these: it is what its support asks for."""
IDS_SHOWN = 10
"""Of a line that came again and again the first and the last so many request ids."""

BLOCK_MOST = 3
"""Lines of one round: a try to save begins and fails, a try to send waits, begins and is put back."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line. One that came again and again, alone or in a round with others, is told once, with its count."""

    at: datetime
    words: str | Promise
    by: str
    position: int
    """Which video of the run, from 1."""
    last_at: datetime
    count: int = 1
    status: int | None = None
    """Of HTTP, as the gateway answered; with `code`, ours, and `answer`, in its own words."""
    code: str = ""
    answer: str = ""
    request_ids: tuple[str, ...] = ()

    @property
    def has_answer(self) -> bool:
        return bool(self.status or self.code or self.answer or self.request_ids)

    def is_again(self, other: "Entry") -> bool:
        return self._said() == other._said()

    def _said(self) -> tuple[object, ...]:
        return self.words, self.by, self.status, self.code, self.answer

    def with_again(self, other: "Entry") -> "Entry":
        ids = tuple(dict.fromkeys((*self.request_ids, *other.request_ids)))
        if len(ids) > 2 * IDS_SHOWN:
            ids = ids[:IDS_SHOWN] + ids[-IDS_SHOWN:]
        return replace(self, last_at=other.last_at, count=self.count + other.count, request_ids=ids)


def _words(event: Event, generation: Generation) -> str | Promise:
    if event.kind == "closed_by_admin" and not generation.estimate_micros:
        return CLOSED_UNPRICED
    if event.kind == "saving_failed" and event.data.get("code") in OF_ONE_TRY:
        return FAILED_TRY % {"fault": gettext(OF_ONE_TRY[event.data["code"]])}
    if event.kind != "output_lost" or "code" not in event.data:
        return WORDS.get(event.kind, event.kind.replace("_", " ").capitalize())
    words = lost_file(event.data["code"])
    if not event.data.get("kept"):
        return words
    kept = _("The file that came is kept for %(days)d days; whoever runs this installation can get it: %(place)s")
    return f"{words} {kept % {'days': REFUSED_KEPT.days, 'place': event.data['kept']}}"


def _answer(event: Event, generation: Generation) -> dict[str, Any]:
    """What came back; of a try to save the code that has no words of ours. Nothing of other events."""
    data, code = event.data, str(event.data.get("code", ""))
    if event.kind == "saving_failed":
        return {} if code in OF_ONE_TRY else {"code": code}
    if event.kind not in ANSWERED:
        return {}
    message = str(data.get("message", ""))
    if event.kind == "failed" and generation.state is Status.FAILED:
        message = generation.error_message
    request_id = str(data.get("request_id", ""))
    told = {"status": data.get("http_status"), "code": code, "answer": message}
    return told | {"request_ids": (request_id,) if request_id else ()}


def history(generations: Iterable[Generation]) -> list[Entry]:
    """Every event of these generations in the order of time; one query. Kinds without words are shown by their name.

    What repeats itself is folded by video: those of a run take turns, and each has rounds of its own.
    """
    rows = {generation.id: generation for generation in generations}
    events = Event.objects.filter(generation_id__in=rows).select_related("by").order_by("at", "id")
    lines: dict[int, list[Entry]] = {}
    for event in events:
        row = rows[event.generation_id]
        by, position = event.by.display_name if event.by else "", row.position + 1
        line = Entry(event.at, _words(event, row), by, position, last_at=event.at, **_answer(event, row))
        _fold(lines.setdefault(position, []), line)
    return sorted((entry for entries in lines.values() for entry in entries), key=lambda entry: entry.at)


def _fold(entries: list[Entry], line: Entry) -> None:
    """Add a line, and take the newest into those right before them that say the same, alone or in a short round."""
    entries.append(line)
    for size in range(1, BLOCK_MOST + 1):
        before, newest = entries[-2 * size : -size], entries[-size:]
        if len(before) == size and all(map(Entry.is_again, before, newest)):
            entries[-2 * size :] = map(Entry.with_again, before, newest)
            return
