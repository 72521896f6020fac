"""What the page of one's own account shows."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings

from playground.models import Membership, User
from playground.services import factors


def facts(user: User) -> dict[str, Any]:
    mine = Authenticator.objects.filter(user_id=user.id).order_by("created_at")
    codes = mine.filter(type=Authenticator.Type.RECOVERY_CODES).first()
    return {
        "mail_is_set": settings.MAIL_IS_SET,
        "address_waiting": _waiting(user),
        "has_password": user.has_usable_password(),
        "passkeys_offered": settings.PASSKEYS_OFFERED,
        "passkeys": [one.wrap() for one in mine.filter(type=Authenticator.Type.WEBAUTHN)],
        "app": mine.filter(type=Authenticator.Type.TOTP).first(),
        "has_factor": factors.has_one(user),
        "codes_left": len(codes.wrap().get_unused_codes()) if codes else None,
        "device_count": len(UserSession.objects.purge_and_list(user)),
        "linked": linked(user),
        "providers_set": bool(settings.SOCIALACCOUNT_PROVIDERS),
        "memberships": Membership.objects.select_related("team").filter(user=user).order_by("team__name"),
    }


def linked(user: User) -> list[dict[str, Any]]:
    """Accounts elsewhere that sign in here; one whose provider was switched off since keeps its bare name."""
    names = {"openid_connect": "oidc"}
    titles = {
        app.get("provider_id", names.get(kind, kind)): app.get("name") or kind
        for kind, one in settings.SOCIALACCOUNT_PROVIDERS.items()
        for app in one["APPS"]
    }
    return [
        {"account": one, "name": titles.get(one.provider, one.provider), "works": one.provider in titles}
        for one in SocialAccount.objects.filter(user_id=user.id).order_by("date_joined")
    ]


def _waiting(user: User) -> str:
    """The address that the account gets once the link in its mail was followed."""
    new = EmailAddress.objects.filter(user_id=user.id, verified=False).exclude(email__iexact=user.email).last()
    return new.email if new else ""
