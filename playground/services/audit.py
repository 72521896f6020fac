"""Writing down who did what to money, keys and unclear orders."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from playground.models import AuditEntry, Team, User


def record(
    kind: str, *, by: User | None, team: Team | None, data: dict[str, Any] | None = None, now: datetime | None = None
) -> AuditEntry:
    """Append an entry. `kind` is in the past tense; `data` holds ids and amounts in micros, never a secret or a prompt.

    Call it inside the transaction that does the deed, so that neither is there without the other. Without `by` the
    engine did it; without `team` it concerns the whole installation.
    """
    by_name = (by.name or by.email) if by else ""
    fields = {"kind": kind, "by": by, "by_name": by_name, "team": team}
    return AuditEntry.objects.create(**fields, data=data or {}, at=now or timezone.now())
