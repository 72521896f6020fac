"""Telling people what happened while they looked elsewhere."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from playground.models import Membership, Notice, Team, User


def tell(
    kind: str,
    *,
    team: Team,
    key: str,
    data: dict[str, Any] | None = None,
    user: User | None = None,
    now: datetime | None = None,
) -> bool:
    """Make a notice for `user`, or for all admins of `team`. False when the same `key` was told before.

    `data` is what its words are made of: amounts in micros, ids, names; never a secret or a prompt.
    """
    fields = {"kind": kind, "data": data or {}, "user": user, "at": now or timezone.now()}
    return Notice.objects.get_or_create(team=team, key=key, defaults=fields)[1]


def seen(*, by: Membership, upto: datetime) -> None:
    """This member has seen what was told by then. Never takes back what was seen before."""
    rows = Membership.objects.filter(id=by.id).exclude(notices_seen_at__gte=upto)
    if rows.update(notices_seen_at=upto):
        by.notices_seen_at = upto
