"""How much may be uploaded: by a person in a day, and by a team in all. Exact, whoever uploads at the same time.

Each limit is kept by one conditional UPDATE of one row, in the transaction that adds the picture's row: of fifty that
come at once, as many are taken as there is room for. What a team's pictures take up is given back with each that goes.
"""

from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.media.images import ImageRefused
from playground.models import Membership, UploadDay, UploadTotal

MEGABYTE = 1_000_000
DAYS_KEPT = timedelta(days=7)


def check(*, by: Membership, sent_bytes: int, now: datetime) -> None:
    """Raises ImageRefused when there is no room already: saves the work of decoding, and keeps no limit."""
    sent = UploadDay.objects.filter(user_id=by.user_id, day=_day(now)).values_list("sent_bytes", flat=True).first()
    if (sent or 0) + sent_bytes > _day_limit():
        raise _over_day()
    stored = UploadTotal.objects.filter(team_id=by.team_id).values_list("stored_bytes", flat=True).first()
    if (stored or 0) + sent_bytes > _team_limit():
        raise _over_team()


def take(*, by: Membership, sent_bytes: int, stored_bytes: int, now: datetime) -> None:
    """Count a picture that is being kept. Call inside the transaction that does so. Raises ImageRefused.

    The person's row always comes first, so that no two wait for each other.
    """
    day = UploadDay(user_id=by.user_id, day=_day(now))
    UploadDay.objects.bulk_create([day], ignore_conflicts=True)
    days = UploadDay.objects.filter(user_id=by.user_id, day=day.day, sent_bytes__lte=_day_limit() - sent_bytes)
    if not days.update(sent_bytes=F("sent_bytes") + sent_bytes):
        raise _over_day()
    UploadTotal.objects.bulk_create([UploadTotal(team_id=by.team_id)], ignore_conflicts=True)
    totals = UploadTotal.objects.filter(team_id=by.team_id, stored_bytes__lte=_team_limit() - stored_bytes)
    if not totals.update(stored_bytes=F("stored_bytes") + stored_bytes):
        raise _over_team()


def give_back(*, team_id: UUID, stored_bytes: int) -> None:
    """A picture is gone. Call inside the transaction that removes its row."""
    UploadTotal.objects.filter(team_id=team_id).update(stored_bytes=F("stored_bytes") - stored_bytes)


def prune(*, now: datetime) -> int:
    """Forget the days that limit nobody any more."""
    return UploadDay.objects.filter(day__lt=_day(now - DAYS_KEPT)).delete()[0]


def _day(now: datetime) -> date:
    return timezone.localdate(now)


def _day_limit() -> int:
    return int(settings.UPLOAD_DAY_MB) * MEGABYTE


def _team_limit() -> int:
    return int(settings.UPLOAD_TEAM_MB) * MEGABYTE


def _over_day() -> ImageRefused:
    words = _("That would be more than the %(limit)s MB that you may upload in a day. Go on tomorrow.")
    return ImageRefused("over_day", words % {"limit": settings.UPLOAD_DAY_MB})


def _over_team() -> ImageRefused:
    words = _(
        "The team's pictures take up all of their %(limit)s MB. Remove one that no video was made from, "
        "or ask who runs this server for more."
    )
    return ImageRefused("over_team", words % {"limit": settings.UPLOAD_TEAM_MB})
