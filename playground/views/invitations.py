"""An open seat in a team, as the holder of its link sees it. Mail scanners open links: only the button takes it."""

from typing import Any

from allauth.account.utils import perform_login
from allauth.socialaccount.adapter import get_adapter
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from playground import accounts
from playground.forms.people import JoinForm
from playground.models import Invitation, Membership, User
from playground.services import invitations
from playground.services.invitations import AddressInUse, NothingGained, OtherAddress
from playground.services.people import TEAM_IN_SESSION, LinkEnded
from playground.views.limited import wrong_tokens_counted
from playground.views.signin_link import link_ended, private

INVITATION_IN_SESSION = "invitation"
"""The token, while its holder is on the way to an identity provider and back."""


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@wrong_tokens_counted
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest, token: str) -> HttpResponse:
    """410 for a link that is wrong, used, revoked or over: one page for all."""
    user = request.user if isinstance(request.user, User) else None
    try:
        invitation = invitations.open_invitation(token=token)
        if request.method == "POST" and "provider" in request.POST:
            return _by_provider(request, token)
        if user is None:
            return _stranger(request, token, invitation)
        return _member(request, token, invitation, user)
    except LinkEnded:
        seat = invitations.taken_by(token=token, user=user) if user and request.method == "POST" else None
        return _landed(request, seat) if seat else link_ended(request, is_invitation=True)


def _member(request: HttpRequest, token: str, invitation: Invitation, user: User) -> HttpResponse:
    """Somebody with an account: one button, or the reason why there is none."""
    standing = Membership.objects.filter(team_id=invitation.team_id, user=user).first()
    context = {
        "is_for": invitations.is_for(invitation, user),
        "standing": standing,
        "gains": standing is None or invitations.is_more(invitation.role, than=standing.role),
    }
    if request.method == "POST" and "join" in request.POST:
        try:
            return _landed(request, invitations.accept(token=token, user=user))
        except (OtherAddress, NothingGained):
            return _page(request, invitation, context | {"gains": False}, status=422)
    return _page(request, invitation, context)


def _stranger(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    """Somebody who is not signed in: an account of their own, or the way to sign in and back."""
    form = JoinForm(request.POST if request.method == "POST" and "join" not in request.POST else None)
    status = 422 if form.is_bound else 200
    if form.is_bound and not accounts.may_sign_up(request):
        form.add_error(None, _("Too many tries. Wait a minute."))
        status = 429
    elif form.is_valid():
        membership = _signed_up(form, token)
        if membership:
            return _signed_in(request, membership)
    return _page(request, invitation, {"form": form, "providers": _providers(request)}, status=status)


def _signed_in(request: HttpRequest, membership: Membership) -> HttpResponse:
    """By allauth, so that the session is listed with the person's others and ends with them."""
    answer: HttpResponse = perform_login(request, membership.user)
    return _landed(request, membership) if request.user.is_authenticated else answer


def _signed_up(form: JoinForm, token: str) -> Membership | None:
    """None, and the reason in the form, when no account was made."""
    try:
        return invitations.sign_up(token=token, **form.cleaned_data)
    except OtherAddress:
        form.add_error("email", _("This invitation is for another address. Type the one it was sent to."))
    except AddressInUse:
        form.add_error("email", _("This address has an account here. Sign in first: the link below leads back."))
    except ValidationError as error:
        form.add_error("password", error)
    return None


def _page(request: HttpRequest, invitation: Invitation, context: dict[str, Any], status: int = 200) -> HttpResponse:
    context = {"invitation": invitation, "here": request.path} | context
    return private(render(request, "invitations/index.html", context, status=status))


def _landed(request: HttpRequest, membership: Membership) -> HttpResponse:
    """In the team, on the page that the role is for."""
    request.session[TEAM_IN_SESSION] = membership.team.slug
    words = {"team": membership.team.name, "role": membership.get_role_display()}
    messages.success(request, _("You are in %(team)s. Your role: %(role)s.") % words)
    return HttpResponseRedirect(reverse("create.index" if membership.may_create else "gallery.index"), status=303)


def _providers(request: HttpRequest) -> list[Any]:
    return list(get_adapter().list_providers(request)) if getattr(settings, "SOCIALACCOUNT_PROVIDERS", {}) else []


def _by_provider(request: HttpRequest, token: str) -> HttpResponse:
    """On to an identity provider; who comes back finds the invitation in the session."""
    chosen = next((one for one in _providers(request) if _name_of(one) == request.POST["provider"]), None)
    if chosen is None:
        raise Http404("no such provider")
    request.session[INVITATION_IN_SESSION] = token
    answer: HttpResponse = chosen.redirect(request, process="login", next_url=request.path)
    return answer


def _name_of(provider: Any) -> str:
    """Several of the kind OpenID Connect differ by the id of their app."""
    return str(getattr(provider.app, "provider_id", "") or provider.id)
