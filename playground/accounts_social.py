"""What identity providers are believed, and what comes of it (docs/decisions/0029-sign-up-and-single-sign-on.md).

A login that is linked with an account signs into it. One that is not may:

- sign into the account that has its address, and is then linked: only where the provider is the authority over that
  address, says that it is verified, and the account's owner has proven the address here too;
- make an account: with an open invitation in the session, or with a verified address of an allowed domain.

Everything else is refused, with words that say what to do. Nothing is written before that is decided.
"""

from typing import Any

import structlog
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.models import Invitation, Membership, User
from playground.services import invitations, profiles, signups
from playground.services.people import TEAM_IN_SESSION, LinkEnded

log = structlog.get_logger(__name__)

INVITATION_IN_SESSION = "invitation"
GOOGLE_MAIL = ("gmail.com", "googlemail.com")


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultSocialAccountAdapter.error_messages | {
        "no_password": gettext_lazy("Set a password first, else nothing is left to sign in with."),
    }

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Called with what the provider said, before anything looks at it."""
        for address in sociallogin.email_addresses:
            address.verified = says_yes(address.verified)
        user: User = sociallogin.user
        user.email = (data.get("email") or "").lower()
        full = " ".join(part for part in (data.get("first_name"), data.get("last_name")) if part)
        user.name = str(data.get("name") or full)[: User._meta.get_field("name").max_length]
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse an answer whose two halves speak of different people, or that names nobody, or somebody else."""
        said = sociallogin.account.extra_data
        halves = [half for half in (said.get("id_token"), said.get("userinfo")) if isinstance(half, dict)]
        subjects = [half.get("sub") for half in halves]
        if not all(is_subject(one) and one == subjects[0] for one in subjects):
            raise refused(request, sociallogin, "mixed")
        if not all(is_plain(half.get("email")) for half in [said, *halves]):
            raise refused(request, sociallogin, "mixed")

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The account that has the login's address, where signing into it by address is safe; else None."""
        for email in verified(sociallogin):
            if not is_authority(sociallogin, email):
                continue
            mine = EmailAddress.objects.select_related("user").filter(email__iexact=email, verified=True, primary=True)
            found = mine.filter(user__email__iexact=email).first()
            if found:
                return found.user, email
        return None

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """True, with the one address that the account gets, or a page that says why not."""
        invitation = invitation_of(request)
        if invitation:
            email, proven = address_for(sociallogin, invitation)
        else:
            email = next((one for one in verified(sociallogin) if signups.is_allowed(one)), "")
            proven = True
        if why := objection(sociallogin, invitation, email):
            raise refused(request, sociallogin, why)
        profiles.nobody_waits_for(email)  # allauth would lead to a form of its own, which there is not
        sociallogin.user.email = email
        sociallogin.email_addresses = [EmailAddress(email=email, verified=proven, primary=True)]
        return True

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Account, link and membership, or none of them."""
        try:
            with transaction.atomic():
                user: User = super().save_user(request, sociallogin, form)
                membership = self._join(request, sociallogin, user)
        except (LinkEnded, invitations.OtherAddress, signups.NotAllowed) as error:
            raise refused(request, sociallogin, "closed") from error
        request.session.pop(INVITATION_IN_SESSION, None)
        request.session[TEAM_IN_SESSION] = membership.team.slug
        # Where the invitation led is over: it was taken.
        sociallogin.state["next"] = reverse("create.index" if membership.may_create else "gallery.index")
        words = {"team": membership.team.name, "role": membership.get_role_display()}
        messages.success(request, _("You are in %(team)s. Your role: %(role)s.") % words)
        return user

    def _join(self, request: HttpRequest, sociallogin: SocialLogin, user: User) -> Membership:
        if invitation_of(request):
            return invitations.accept(token=request.session[INVITATION_IN_SESSION], user=user)
        return signups.join(user=user, way=sociallogin.account.provider)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return reverse("account.index")

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """For the log: the page says only that it did not work. What the provider sent is not written down."""
        log.warning("provider_failed", provider=str(provider), code=str(error), why=type(exception).__name__)

    def validate_disconnect(self, account: Any, accounts: Any) -> None:
        """allauth has looked whether a password is left."""


def says_yes(claim: object) -> bool:
    """Some providers send the word instead of the value, and any other word would count as yes."""
    return claim is True or str(claim).lower() == "true"


def is_subject(sub: object) -> bool:
    """Whether it can stand for one person: `null` would be the same one for everybody (OpenID Connect Core 2)."""
    return isinstance(sub, str) and bool(sub) and sub.isprintable()


def is_plain(email: object) -> bool:
    """False for an address that becomes another's where small letters are made of it: the Kelvin sign becomes a k."""
    return email is None or (isinstance(email, str) and email.isascii() == email.lower().isascii())


def verified(sociallogin: SocialLogin) -> list[str]:
    return [one.email.lower() for one in sociallogin.email_addresses if one.email and says_yes(one.verified)]


def is_authority(sociallogin: SocialLogin, email: str) -> bool:
    """Whether the provider knows whose mailbox this is now, not only who could read it once.

    The installation's own directory does. Google does for its own mail and for the domain that the person's account
    belongs to. GitHub does not: it keeps an address for as long as its owner likes.
    """
    provider, domain = sociallogin.account.provider, email.rpartition("@")[2]
    if provider == "google":
        return domain in GOOGLE_MAIL or domain == str(sociallogin.account.extra_data.get("hd", "")).lower()
    return bool(provider == "oidc")


def invitation_of(request: HttpRequest) -> Invitation | None:
    """The open invitation whose holder went to the provider from its page."""
    token = request.session.get(INVITATION_IN_SESSION)
    try:
        return invitations.open_invitation(token=token) if token else None
    except LinkEnded:
        return None


def address_for(sociallogin: SocialLogin, invitation: Invitation) -> tuple[str, bool]:
    """The account's address, and whether the provider says that it is verified. That of the invitation comes first."""
    proven = verified(sociallogin)
    said = [one.email.lower() for one in sociallogin.email_addresses if one.email] or [sociallogin.user.email]
    wanted = invitation.email.strip().lower()
    email = wanted if wanted in said else next(iter(proven), said[0])
    return email, email in proven


def objection(sociallogin: SocialLogin, invitation: Invitation | None, email: str) -> str:
    """Why no account is made, as the page knows it; empty if one is."""
    said = sociallogin.user.email
    if not said:
        return "no_address"
    if invitation and not invitations.is_for(invitation, User(email=email)):
        return "other_address"
    if not invitation and not email:
        unproven = signups.is_allowed(said) and said not in verified(sociallogin)
        return "unverified" if unproven else _known(sociallogin)
    return "taken" if profiles.owner_of(email) else ""


def _known(sociallogin: SocialLogin) -> str:
    """Only the owner of an address is told that it has an account here."""
    return "taken" if any(profiles.owner_of(one) for one in verified(sociallogin)) else "closed"


def refused(request: HttpRequest, sociallogin: SocialLogin, why: str) -> ImmediateHttpResponse:
    log.info("provider_refused", provider=sociallogin.account.provider, why=why)
    provider = sociallogin.provider.name if sociallogin.provider else sociallogin.account.provider
    context = {"why": why, "provider": provider, "email": sociallogin.user.email}
    context |= {"invitation": request.session.get(INVITATION_IN_SESSION, "") if why == "other_address" else ""}
    return ImmediateHttpResponse(render(request, "socialaccount/refused.html", context, status=403))
