"""Who someone is here: memberships, one-time links, the first admin.

A one-time link holds a 256-bit token of which only the SHA-256 is stored. Opening it changes nothing (mail scanners
open links); the button on its page uses it up.
"""

import hashlib
import secrets
from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify

from playground.models import Membership, Role, SignInLink, Team, User
from playground.services import audit, profiles

TEAM_IN_SESSION = "team"
LINK_LIFETIME = timedelta(minutes=15)
WELCOME_LIFETIME = timedelta(hours=24)


class NeedsAdmin(Exception):
    """A team that is made would have nobody who rules it. Nothing was changed."""


class LinkEnded(Exception):
    """The link was used, is too old, or never was: one answer for all three."""


def membership_of(user: User | AnonymousUser, session: MutableMapping[str, Any]) -> Membership | None:
    """The membership in the session's team, else in the team joined first; None for a stranger."""
    if not isinstance(user, User):
        return None
    memberships = Membership.objects.select_related("team", "user").filter(user=user)
    slug = session.get(TEAM_IN_SESSION)
    chosen = memberships.filter(team__slug=slug).first() if slug else None
    return chosen or memberships.order_by("id").first()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new_link(*, user: User | None, lifetime: timedelta, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    SignInLink.objects.create(user=user, token_hash=_digest(token), created_at=now, expires_at=now + lifetime)
    return token


def nobody_yet() -> bool:
    """True while no account exists: the welcome step is open to the holder of its link."""
    return not User.objects.exists()


def first_admin_link(base_url: str, *, now: datetime | None = None) -> str | None:
    """A fresh welcome address while nobody has an account, else None. Earlier welcome links end."""
    now = now or timezone.now()
    with transaction.atomic():
        if not nobody_yet():
            return None
        SignInLink.objects.filter(user=None, used_at=None).delete()
        token = _new_link(user=None, lifetime=WELCOME_LIFETIME, now=now)
    return base_url.rstrip("/") + reverse("welcome.index", args=[token])


def signin_link(
    *,
    email: str,
    base_url: str,
    team_slug: str | None = None,
    role: Role | None = None,
    now: datetime | None = None,
) -> str:
    """A 15-minute sign-in address for `email`. Makes account, team and membership where missing.

    Without `team_slug` the first team is used, or one called "Team" is made. An existing membership changes its role
    only when `role` is given; a new one is an admin in a new team, else a creator. What it changes of a team is on that
    team's record, and the link, which stands for the password, on that of each team of theirs. Raises ValidationError
    when the address is none, NeedsAdmin for another role in a new team, LastAdmin where the team would be without one.
    """
    from django.core.validators import validate_email

    validate_email(email)
    now = now or timezone.now()
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email.strip()).first()
        if user is None:
            user = User.objects.create_user(email)
            profiles.prove(user=user)  # whoever is at the machine says whose address it is
        existing = Membership.objects.filter(user=user).order_by("id").first()
        if team_slug or role or existing is None:
            _join(user=user, team_slug=team_slug or (existing.team.slug if existing else None), role=role, now=now)
        token = _new_link(user=user, lifetime=LINK_LIFETIME, now=now)
        for team in profiles.teams_of(user):
            data = {"user": str(user.id), "name": user.display_name}
            audit.record("signin_link_made", by=None, team=team, data=data, now=now)
    return base_url.rstrip("/") + reverse("signin_link.index", args=[token])


def _join(*, user: User, team_slug: str | None, role: Role | None, now: datetime) -> None:
    from playground.services import members  # which stands on this module

    team = Team.objects.filter(slug=team_slug).first() if team_slug else Team.objects.order_by("id").first()
    is_new = team is None
    if team is None:
        if role not in {None, Role.ADMIN}:
            raise NeedsAdmin
        name = (team_slug or "team").replace("-", " ").capitalize()
        team = Team.objects.create(name=name, slug=free_slug(team_slug or "team"))
        audit.record("team_made", by=None, team=team, data={"name": team.name}, now=now)
    membership, made = Membership.objects.get_or_create(
        team=team, user=user, defaults={"role": role or (Role.ADMIN if is_new else Role.CREATOR)}
    )
    if made:
        data = {"member": str(membership.id), "name": user.display_name, "role": membership.role}
        audit.record("member_added", by=None, team=team, data=data, now=now)
    elif role:
        members.change_on_the_server(member=membership, role=role, now=now)


def free_slug(name: str) -> str:
    """A slug of `name` that no team has."""
    base = slugify(name)[:60] or "team"
    slug, number = base, 2
    while Team.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug


def open_link(*, token: str, welcome: bool, now: datetime | None = None) -> SignInLink:
    """The usable link of `token`, without using it up. Raises LinkEnded."""
    now = now or timezone.now()
    link = SignInLink.objects.filter(
        token_hash=_digest(token), used_at=None, expires_at__gt=now, user__isnull=welcome
    ).first()
    if link is None or (welcome and not nobody_yet()):
        raise LinkEnded
    return link


def use_signin_link(*, token: str, now: datetime | None = None) -> User:
    """Use the link up and return whose it was. Raises LinkEnded, also for the loser of two presses at once."""
    now = now or timezone.now()
    link = open_link(token=token, welcome=False, now=now)
    if not SignInLink.objects.filter(id=link.id, used_at=None).update(used_at=now) or link.user is None:
        raise LinkEnded
    if not link.user.is_active:
        raise LinkEnded
    return link.user


def welcome(
    *, token: str, name: str, team_name: str, email: str, password: str, now: datetime | None = None
) -> Membership:
    """The first account: an admin with a new team. Raises LinkEnded, or ValidationError for a weak password."""
    now = now or timezone.now()
    with transaction.atomic():
        link = open_link(token=token, welcome=True, now=now)
        if not SignInLink.objects.filter(id=link.id, used_at=None).update(used_at=now):
            raise LinkEnded
        validate_password(password, User(email=email, name=name))
        user = User.objects.create_user(email, password, name=name.strip())
        profiles.prove(user=user)
        team = Team.objects.create(name=team_name.strip(), slug=free_slug(team_name))
        audit.record("team_made", by=user, team=team, data={"name": team.name}, now=now)
        return Membership.objects.create(team=team, user=user, role=Role.ADMIN)
