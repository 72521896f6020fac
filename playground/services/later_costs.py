"""The cost of a video that came after its order had ended here."""

from datetime import datetime

import structlog

from playground.models import EntryKind, Generation, LedgerEntry
from playground.services import engine

log = structlog.get_logger(__name__)


def counted(row: Generation, cost_micros: int | None, *, now: datetime) -> dict[str, int | None]:
    """As a field of the row: what it cost, where nothing is settled yet. A settled cost stays, so that card and books
    say the same; a cost of nothing is none any more, for now it was made.

    That the gateway names another one by now is written down; the comparison with the gateway names the difference.
    """
    settled = LedgerEntry.objects.filter(generation=row, kind=EntryKind.SETTLE).values_list("amount_micros", flat=True)
    if not settled:
        return {"cost_micros": cost_micros} if cost_micros is not None or not row.cost_micros else {}
    if cost_micros is not None and settled[0] != cost_micros:
        data = {"settled_micros": settled[0], "cost_micros": cost_micros}
        engine.note(row.id, "cost_told_later", now=now, data=data)
        log.warning("cost_told_after_it_was_settled", generation=str(row.id), **data)
    return {}
