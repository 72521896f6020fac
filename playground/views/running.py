"""What the pill in the header says: how many videos are being made, and how many stand in line."""

from django.db.models import Count, Q

from playground.domain.status import UNTAKEN
from playground.models import Generation, Membership

WORTH_SAYING = 5
"""So many that wait are a line. Fewer are a run of four on its way, which is over before it is read."""


def running(membership: Membership) -> dict[str, int]:
    """`running_count` and `waiting_count` of the member's team; those that wait count as running while they are few."""
    mine = Generation.objects.visible_to(membership).active().order_by()
    found = mine.aggregate(active=Count("id"), waiting=Count("id", filter=Q(status__in=UNTAKEN)))
    waiting = found["waiting"] if found["waiting"] >= WORTH_SAYING else 0
    return {"running_count": found["active"] - waiting, "waiting_count": waiting}
