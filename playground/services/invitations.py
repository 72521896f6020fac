"""Open seats in a team: made and revoked by its admins, taken by the holder of a link.

A link holds a 256-bit token of which only the SHA-256 is stored. Opening it changes nothing; the button on its page
uses it up, once, also for two presses at once.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.password_validation import validate_password
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_save
from django.dispatch import receiver
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.models import Invitation, Membership, Role, User
from playground.services import audit, budgets, mailing, teams
from playground.services.people import LinkEnded

log = structlog.get_logger(__name__)

LIFETIME = timedelta(days=7)


class OtherAddress(Exception):
    """The invitation went to an e-mail address that this account does not have."""


class NothingGained(Exception):
    """Who is in the team already would have no higher role by this seat; it stays open for somebody else."""


class AddressInUse(Exception):
    """An account has this e-mail address already: its owner signs in first."""


def open_ones(*, now: datetime | None = None) -> QuerySet[Invitation]:
    """Neither used nor revoked nor over."""
    return Invitation.objects.filter(accepted_at=None, revoked_at=None, expires_at__gt=now or timezone.now())


def invite(
    *,
    by: Membership,
    role: Role | str,
    email: str = "",
    sees_spend: bool = True,
    lifetime: timedelta = LIFETIME,
    base_url: str,
    now: datetime | None = None,
) -> tuple[Invitation, str]:
    """An open seat and its address, which is known here and never again. With `email` only that account may take it."""
    now = now or timezone.now()
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        team = teams.locked(by)
        invitation = Invitation.objects.create(
            team=team,
            email=email.strip().lower(),
            role=Role(role),
            sees_spend=sees_spend,
            token_hash=_digest(token),
            created_by=by.user,
            created_at=now,
            expires_at=now + lifetime,
        )
        audit.record("member_invited", by=by.user, team=team, data=_facts(invitation), now=now)
    return invitation, base_url.rstrip("/") + reverse("invitations.index", args=[token])


def mail(*, invitation: Invitation, url: str, now: datetime | None = None) -> bool:
    """Send the link to the invited. False when the mail server did not take it."""
    team = " ".join(invitation.team.name.split())
    words = {"invitation": invitation, "url": url, "team": team, "by": invitation.created_by}
    message = EmailMessage(
        subject=_("Join %(team)s in Video Playground") % {"team": team},
        body=render_to_string("invitations/mail.txt", words),
        to=[invitation.email],
    )
    try:
        mailing.send(message, what="invitation")
    except mailing.NotMailed:
        return False
    invitation.mailed_at = now or timezone.now()
    invitation.save(update_fields=["mailed_at"])
    return True


def revoke(*, by: Membership, invitation: Invitation, now: datetime | None = None) -> bool:
    """End an open invitation. False when there was nothing left to end."""
    now = now or timezone.now()
    with transaction.atomic():
        team = teams.locked(by)
        mine = Invitation.objects.filter(id=invitation.id, team=team, accepted_at=None, revoked_at=None)
        if not mine.update(revoked_at=now):
            return False
        audit.record("invitation_revoked", by=by.user, team=team, data=_facts(invitation), now=now)
    return True


@receiver(pre_save, sender=User)
def move_on(instance: User, update_fields: Iterable[str] | None = None, **_kwargs: Any) -> None:
    """Whatever gives somebody another address: what their teams hold open for the old one ends. Whoever has it again,
    or makes an account with it, would take the seat after they were removed.
    """
    if instance._state.adding or (update_fields is not None and "email" not in update_fields):
        return
    was = User.objects.filter(id=instance.id).values_list("email", flat=True).first()
    if was and was.lower() != instance.email.lower():
        _leave_behind(instance, was, now=timezone.now())


def _leave_behind(user: User, address: str, *, now: datetime) -> None:
    with transaction.atomic():
        seats = open_ones(now=now).filter(team__memberships__user=user, email__iexact=address)
        for seat in seats.select_related("team"):
            if open_ones(now=now).filter(id=seat.id).update(revoked_at=now):
                audit.record("invitation_left_behind", by=None, team=seat.team, data=_facts(seat), now=now)


def open_invitation(*, token: str, now: datetime | None = None) -> Invitation:
    """The open seat of `token`, without taking it. Raises LinkEnded: wrong, used, revoked and over are one."""
    found = open_ones(now=now).select_related("team", "created_by").filter(token_hash=_digest(token)).first()
    if found is None:
        raise LinkEnded
    return found


def accept(*, token: str, user: User, now: datetime | None = None) -> Membership:
    """Take the seat. Raises LinkEnded, also for the second of two presses, OtherAddress, and NothingGained.

    Who is in the team already gets a higher role by it, and what comes with that; else nothing, sight of spend neither.
    Others to the same address end where they give no more.
    """
    now = now or timezone.now()
    with transaction.atomic():
        invitation = open_invitation(token=token, now=now)
        if not is_for(invitation, user):
            raise OtherAddress
        # Where roles change, this row is held: the role that is compared below is the one that stands.
        team = budgets.lock(invitation.team_id)
        taken = open_ones(now=now).filter(id=invitation.id).update(accepted_at=now, accepted_by=user)
        if not taken or not User.objects.filter(id=user.id, is_active=True).exists():
            raise LinkEnded
        membership, is_new = Membership.objects.select_related("team", "user").get_or_create(
            team=team, user=user, defaults={"role": invitation.role, "sees_spend": invitation.sees_spend}
        )
        if not is_new:
            _raise(membership, invitation)
        data = _facts(invitation) | {"member": str(membership.id)}
        data |= {"role": membership.role, "sees_spend": membership.sees_spend}
        if ended := _end_needless(membership, invitation, now=now):
            data["invitations"] = ended
        audit.record("invitation_accepted", by=user, team=team, data=data, now=now)
    log.info("invitation_accepted", invitation=str(invitation.id), team=team.slug, role=membership.role)
    return membership


def sign_up(*, token: str, name: str, email: str, password: str, now: datetime | None = None) -> Membership:
    """A new account that takes the seat. Raises what `accept` does, AddressInUse, and ValidationError for a password
    that the rules refuse; then nothing was made.
    """
    with transaction.atomic():
        invitation = open_invitation(token=token, now=now)
        if not is_for(invitation, User(email=email)):
            raise OtherAddress
        if User.objects.filter(email__iexact=email.strip()).exists():
            raise AddressInUse
        validate_password(password, User(email=email, name=name))
        try:
            with transaction.atomic():
                user = User.objects.create_user(email, password, name=name.strip())
        except IntegrityError as error:
            raise AddressInUse from error
        return accept(token=token, user=user, now=now)


def taken_by(*, token: str, user: User) -> Membership | None:
    """The seat that this person has from this link, so that a second press of the button leads there too."""
    taken = Invitation.objects.filter(token_hash=_digest(token), accepted_by=user).first()
    found = Membership.objects.select_related("team", "user").filter(user=user)
    return found.filter(team_id=taken.team_id).first() if taken else None


def is_for(invitation: Invitation, user: User) -> bool:
    return not invitation.email or invitation.email.strip().lower() == user.email.strip().lower()


def is_more(role: str, than: str) -> bool:
    return Role(role).rank > Role(than).rank


def _raise(membership: Membership, invitation: Invitation) -> None:
    if not is_more(invitation.role, than=membership.role):
        raise NothingGained
    membership.role = invitation.role
    membership.sees_spend = membership.sees_spend or invitation.sees_spend
    membership.save(update_fields=["role", "sees_spend"])


def _end_needless(membership: Membership, taken: Invitation, *, now: datetime) -> int:
    """Others to the same mailbox that would give its owner nothing any more, but a second seat to an account that has
    the address later. One with a higher role stays good.
    """
    if not taken.email:
        return 0
    needless = [role for role in Role if not is_more(role, than=membership.role)]
    same = open_ones(now=now).filter(team_id=membership.team_id, email__iexact=taken.email, role__in=needless)
    return same.update(revoked_at=now)


def _facts(invitation: Invitation) -> dict[str, Any]:
    to = {"email": invitation.email} if invitation.email else {}
    return {"invitation": str(invitation.id), "role": invitation.role, "sees_spend": invitation.sees_spend} | to


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
