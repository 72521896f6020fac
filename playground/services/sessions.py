"""Ending what somebody is signed in with."""

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from playground.models import User


def end_all(*, user: User) -> int:
    """Sign the person out everywhere, from the next request on; returns of how many sessions.

    Every way of signing in leaves a row with allauth. Sessions that are older than that have none: each holds whose it
    is, so they are looked through too.
    """
    keys = set(UserSession.objects.filter(user=user).values_list("session_key", flat=True))
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.get_decoded().get(SESSION_KEY) == str(user.pk):
            keys.add(session.session_key)
    ended = Session.objects.filter(session_key__in=keys).delete()[0]
    UserSession.objects.filter(user=user).delete()
    return ended
