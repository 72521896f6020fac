"""Accounts that people of an allowed e-mail domain make for themselves.

Nothing is written before the address is proven: what is asked for is a mail, and its link, signed and good for an
hour, leads to the step that makes the account. Without `SIGNUP_DOMAINS`, without mail or without the team they would
join there is no such way.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.models import Membership, Role, Team, User
from playground.services import audit, mailing, profiles
from playground.services.people import LinkEnded

log = structlog.get_logger(__name__)

LIFETIME = timedelta(hours=1)
SALT = "playground sign-up link"


class NotAllowed(Exception):
    """Not of an allowed domain, or nobody may sign up."""


def team_to_join() -> Team | None:
    """The team of `SIGNUP_TEAM`, else the one that was there first."""
    slug = settings.SIGNUP_TEAM
    found = Team.objects.filter(slug=slug).first() if slug else Team.objects.order_by("id").first()
    if found is None and settings.SIGNUP_DOMAINS:
        log.warning("signup_team_missing", team=slug)
    return found


def is_open() -> bool:
    """Whether the page for signing up is there for anybody."""
    return bool(settings.SIGNUP_DOMAINS and settings.MAIL_IS_SET) and team_to_join() is not None


def is_allowed(email: str) -> bool:
    """Of exactly one of the domains: those below it are others' perhaps."""
    return email.strip().rpartition("@")[2].lower() in settings.SIGNUP_DOMAINS


def ask(*, email: str, base_url: str, now: datetime | None = None) -> None:
    """Send the link, or to somebody who has an account the word that they have. Raises NotAllowed, or
    NotMailed while the mail server takes no mail at all.

    Whoever asks sees the same answer for both: also when the server refused this one mail, see `mailing`.
    """
    if not is_open() or not is_allowed(email):
        raise NotAllowed
    email = email.strip().lower()
    now = now or timezone.now()
    known = User.objects.filter(email__iexact=email).exists()
    token = signing.dumps({"email": email, "at": int(now.timestamp())}, salt=SALT)
    paths = {"sign_in": reverse("account_login"), "finish": reverse("signup.finish", args=[token])}
    words = {name: base_url.rstrip("/") + path for name, path in paths.items()}
    message = EmailMessage(
        subject=_("Your account in Video Playground"),
        body=render_to_string("signup/known.txt" if known else "signup/mail.txt", words),
        to=[email],
    )
    try:
        mailing.send(message, what="sign-up")
    except mailing.NotMailed as error:
        if not error.is_refusal:
            raise


def open_request(*, token: str, now: datetime | None = None) -> str:
    """The proven address of the link, while it is good. Raises LinkEnded: also once there is an account."""
    now = now or timezone.now()
    try:
        found = signing.loads(token, salt=SALT)
        email, at = str(found["email"]), float(found["at"])
    except (signing.BadSignature, KeyError, TypeError, ValueError) as error:
        raise LinkEnded from error
    is_old = now.timestamp() - at > LIFETIME.total_seconds()
    if is_old or not is_open() or not is_allowed(email) or User.objects.filter(email__iexact=email).exists():
        raise LinkEnded
    return email


def finish(*, token: str, name: str, password: str, now: datetime | None = None) -> Membership:
    """The account, in its team. Raises LinkEnded, or ValidationError for a password that the rules refuse."""
    email = open_request(token=token, now=now)
    validate_password(password, User(email=email, name=name))
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name.strip())
            profiles.prove(user=user)
            return join(user=user, way="mail", now=now)
    except IntegrityError as error:
        raise LinkEnded from error


def join(*, user: User, way: str, now: datetime | None = None) -> Membership:
    """Take somebody of an allowed domain into the team, by `way`: mail, or the provider's name. Raises NotAllowed."""
    team = team_to_join()
    if team is None:
        raise NotAllowed
    with transaction.atomic():
        membership, is_new = Membership.objects.get_or_create(
            team=team, user=user, defaults={"role": Role(settings.SIGNUP_ROLE)}
        )
        if is_new:
            data = {"member": str(membership.id), "role": membership.role, "way": way}
            audit.record("member_signed_up", by=user, team=team, data=data, now=now)
    log.info("member_signed_up", team=team.slug, role=membership.role, way=way)
    return membership
