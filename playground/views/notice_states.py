"""How it stands by now with what a notice tells of: an order that was unclear, a gateway that was paused.

A notice keeps what was true when it was made. What it asks for, and says of money, is read anew, lest it asks for ever.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from playground.domain.status import Status
from playground.models import AuditEntry, Event, Gateway, Generation, Membership, Notice
from playground.services import pauses
from playground.services.unclear import DECISIONS


@dataclass(frozen=True, slots=True)
class Decided:
    """`kind`: of the decision, "" where its answer came after all. `name`: of who decided."""

    run_id: UUID | None
    kind: str = ""
    name: str = ""
    is_shown: bool = True
    """The run is one that this member sees."""


@dataclass(frozen=True, slots=True)
class Paused:
    """`reason`: why, in words, as the notice tells; `now`: the reason of a pause that lasts, which may have become
    another. `since`: when it went on, where that is known. `words`: of a pause that lasts, in place of the notice's.
    """

    is_over: bool
    reason: str
    now: str
    since: datetime | None = None
    words: str = ""


def decided(found: Iterable[Notice], *, by: Membership) -> dict[UUID, Decided]:
    """By notice: those of unclear orders that are not to be decided any more."""
    about = {notice.id: (notice, _uuid(notice.data.get("generation"))) for notice in _of(found, "unclear_order")}
    ids = [id for _notice, id in about.values() if id]
    rows = {row.id: row for row in Generation.objects.decided_by(by).filter(id__in=ids)} if ids else {}
    shown = Generation.objects.shown_to(by, rows.values())
    events = list(Event.objects.filter(generation_id__in=rows, kind__in=DECISIONS).select_related("by").order_by("id"))
    told = {}
    for notice, id in about.values():
        row = rows.get(id) if id else None
        event = next((one for one in events if one.generation_id == id and one.at >= notice.at), None)
        if row and event and not _came_after_all(row, event):
            told[notice.id] = Decided(row.run_id, event.kind, event.by.display_name if event.by else "", id in shown)
        elif row is None or row.state is not Status.UNKNOWN:
            told[notice.id] = Decided(row.run_id if row else None, is_shown=id in shown)
    return told


def _came_after_all(row: Generation, event: Event) -> bool:
    """Closed, and then an answer came: from a sender that had been frozen."""
    return event.kind == "closed_by_admin" and row.state is not Status.REJECTED


def paused(found: Iterable[Notice]) -> dict[UUID, Paused]:
    """By notice: how it is with the gateways that were told to be paused."""
    about = {notice.id: (notice, _uuid(notice.data.get("gateway"))) for notice in _of(found, "gateway_paused")}
    if not about:
        return {}
    gateways = Gateway.objects.in_bulk([id for _notice, id in about.values() if id])
    oldest = min(notice.at for notice, _id in about.values())
    resumed = list(AuditEntry.objects.filter(kind="gateway_resumed", at__gte=oldest).order_by("id"))
    told = {}
    for notice, id in about.values():
        mine = (entry for entry in resumed if entry.data.get("gateway") == str(id) and entry.at >= notice.at)
        since = next((entry.at for entry in mine), None)
        told[notice.id] = _paused(notice, gateways.get(id) if id else None, since)
    return told


def _paused(notice: Notice, gateway: Gateway | None, since: datetime | None) -> Paused:
    reason = str(notice.data.get("reason", ""))
    is_over = since is not None or gateway is None or gateway.paused_at is None
    now = gateway.paused_reason if gateway and gateway.paused_reason else reason
    plays = gateway is not None and gateway.is_sandbox and now == pauses.BALANCE
    words = pauses.words(gateway) if gateway and plays else ""
    return Paused(is_over, pauses.why(reason), now, since, words)


def _of(found: Iterable[Notice], kind: str) -> list[Notice]:
    return [notice for notice in found if notice.kind == kind]


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
