"""What somebody is signed in with: listing it, ending all of it, and whether it still stands.

Whose a session is stands inside of it, and beside it in a row of allauth's `UserSession`. By those rows the sessions of
a person are found without looking into those of everybody else.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone

from playground.models import Membership, Role, User

UNKNOWN_ADDRESS = "0.0.0.0"  # noqa: S104 - nobody listens there  # nosec B104
"""Of a client that comes without one, as through a socket in a folder."""


def keep_listed(*, user: User, key: str, address: str, program: str) -> None:
    """Write down whose session this is. `program` is what the browser calls itself."""
    longest = UserSession._meta.get_field("user_agent").max_length
    fields = {"user": user, "ip": address or UNKNOWN_ADDRESS, "user_agent": program[:longest]}
    UserSession.objects.update_or_create(session_key=key, defaults=fields)


def end_all(*, user: User) -> int:
    """Sign the person out everywhere, from the next request on; returns of how many sessions.

    A session that is not listed is taken for none (`playground/sessions.py`), so these are all.
    """
    listed = UserSession.objects.filter(user=user)
    ended = Session.objects.filter(session_key__in=listed.values("session_key")).delete()[0]
    listed.delete()
    return ended


def still_sees(
    *, by: Membership, session_key: str, among: models.QuerySet[Any], id: UUID, now: datetime | None = None
) -> bool:
    """Whether the member who asked by this session may still have this one of `among`, which is what they see.

    That is: they are signed in by it, with the password of then, and in the team, where they may as much as
    then. One query.
    """
    session = Session.objects.filter(session_key=session_key, expire_date__gt=now or timezone.now())
    as_much = [role for role in Role if role.rank >= Role(by.role).rank]
    member = Membership.objects.filter(id=by.id, role__in=as_much)
    standing = member.filter(user__password=by.user.password, user__is_active=True)
    return among.filter(models.Exists(session), models.Exists(standing), id=id).exists()
