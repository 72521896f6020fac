"""What somebody says of themselves: name and address; and that the address was proven to be theirs."""

import structlog
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.validators import validate_email
from django.db import transaction

from playground.models import Team, User
from playground.services import audit, sessions

log = structlog.get_logger(__name__)


class AddressTaken(Exception):
    """Another account has this e-mail address."""


def owner_of(email: str) -> User | None:
    """Whose own address it is, switched off or not. One that waits for its link to be opened is nobody's yet.

    Compared by Python: a database may take other letters, such as a dotless i, for the same.
    """
    email = email.strip().lower()
    found = User.objects.filter(email__iexact=email).first()
    return found if found and found.email.lower() == email else None


def nobody_waits_for(email: str) -> None:
    """Whose account it is about to be is known: whoever typed it and did not prove it keeps nobody out."""
    EmailAddress.objects.filter(email=email.strip().lower(), verified=False).delete()


def rename(*, user: User, name: str) -> None:
    user.name = name.strip()
    user.save(update_fields=["name"])


def prove(*, user: User) -> None:
    """The address of the account is its owner's: they opened a mail sent to it, or an admin named it.

    Only such an account may be signed into by what an identity provider says of the address.
    """
    EmailAddress.objects.filter(user_id=user.id).exclude(email__iexact=user.email).update(primary=False)
    EmailAddress.objects.update_or_create(
        user_id=user.id, email=user.email.lower(), defaults={"verified": True, "primary": True}
    )


def is_proven(user: User) -> bool:
    """Whether somebody showed that the address of the account is theirs."""
    return bool(EmailAddress.objects.filter(user_id=user.id, email__iexact=user.email, verified=True).exists())


def prove_by_mailbox(*, user: User) -> bool:
    """Who reads the mailbox of an address that was only typed so far is its owner, whoever typed it: what signed in
    before ends. False where the address was proven already, and nothing ends.
    """
    if is_proven(user):
        return False
    with transaction.atomic():
        sessions.end_all(user=user)
        user.set_unusable_password()
        user.save(update_fields=["password"])
        SocialAccount.objects.filter(user_id=user.id).delete()
        prove(user=user)
        for team in teams_of(user):
            audit.record("address_proven", by=user, team=team, data={"user": str(user.id)})
    log.info("address_proven", user=str(user.id))
    return True


def forget_unproven(*, user: User) -> None:
    """An address of one's own that is not proven needs no row; what waits for its link is another one."""
    EmailAddress.objects.filter(user_id=user.id, email__iexact=user.email, verified=False).delete()


def address_to_come(*, user: User) -> EmailAddress | None:
    """The one that waits for its link to be opened."""
    found: EmailAddress | None = EmailAddress.objects.get_new(user)
    return found


def keep_waiting_for(*, user: User, was: EmailAddress | None) -> None:
    """No link went to the new address: what waited before waits again, by the same link, and nothing if nothing did."""
    with transaction.atomic():
        now = address_to_come(user=user)
        if now and (was is None or now.pk != was.pk):
            now.delete()
        if was and not EmailAddress.objects.filter(user_id=user.id, pk=was.pk).exists():
            was.save(force_insert=True)


def teams_of(user: User) -> list[Team | None]:
    """Where an admin's deed at the machine is written down; nowhere in particular for somebody without a team."""
    teams: list[Team | None] = [*Team.objects.filter(memberships__user=user)]
    return teams or [None]


def change_email(*, user: User, email: str) -> None:
    """By an admin at the machine, who says whose address it is. Raises ValidationError or AddressTaken."""
    email = email.strip().lower()
    validate_email(email)
    with transaction.atomic():
        others = User.objects.exclude(id=user.id).filter(email__iexact=email)
        pending = EmailAddress.objects.exclude(user_id=user.id).filter(email__iexact=email, verified=True)
        if others.exists() or pending.exists():
            raise AddressTaken
        EmailAddress.objects.filter(user_id=user.id).delete()
        user.email = email
        user.save(update_fields=["email"])
        prove(user=user)
        for team in teams_of(user):
            audit.record("email_changed", by=None, team=team, data={"user": str(user.id)})
    log.info("email_changed", user=str(user.id))
