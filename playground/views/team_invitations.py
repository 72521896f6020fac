"""Open seats, for admins: make a link, which is shown once, and end one."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from playground.forms.invitations import InviteForm
from playground.models import Invitation, Membership
from playground.services import invitations, mailing, rates
from playground.views.access import MemberRequest, for_admins
from playground.views.errors import often_words
from playground.views.limited import form_again, of_member

ENDED_SHOWN = 20


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    """The link of a new invitation stands in the answer to its form and nowhere else."""
    if request.method != "POST":
        return _page(request, InviteForm())
    form = InviteForm(request.POST)
    if not form.is_valid() or _is_in_already(request.membership, form):
        return _page(request, form, status=422)
    if seconds := rates.take("invite", of_member(request)):
        form.add_error(None, often_words(seconds))
        return form_again(request, seconds, lambda: _page(request, form, status=429))
    invitation, url = invitations.invite(by=request.membership, base_url=settings.PUBLIC_URL, **form.asked())
    mailed = None
    if invitation.email and settings.MAIL_IS_SET:
        mailed = invitations.mail(invitation=invitation, url=url)
    return _page(request, InviteForm(), made=invitation, url=url, mailed=mailed)


@require_POST
@for_admins
def revoke(request: MemberRequest, id: UUID) -> HttpResponse:
    found = get_object_or_404(Invitation, id=id, team_id=request.membership.team_id)
    if invitations.revoke(by=request.membership, invitation=found):
        messages.success(request, _("The invitation is revoked. Its link has ended."))
    else:
        messages.info(request, _("That invitation was used or revoked already. Nothing was changed."))
    return HttpResponseRedirect(reverse("team_invitations.index"), status=303)


def _is_in_already(by: Membership, form: InviteForm) -> bool:
    email = form.cleaned_data["email"]
    is_in = bool(email) and Membership.objects.filter(team_id=by.team_id, user__email__iexact=email).exists()
    if is_in:
        form.add_error("email", _("Somebody with this address is in the team already."))
    return is_in


def _page(request: MemberRequest, form: InviteForm, *, status: int = 200, **made: Any) -> HttpResponse:
    mine = Invitation.objects.filter(team_id=request.membership.team_id).select_related("created_by", "accepted_by")
    open_ones = invitations.open_ones().filter(team_id=request.membership.team_id).select_related("created_by")
    context = {
        "form": form,
        "open": list(open_ones.order_by("-id")),
        "ended": list(mine.exclude(id__in=open_ones.values("id")).order_by("-id")[:ENDED_SHOWN]),
        "mail_is_set": settings.MAIL_IS_SET,
        "mail_fails": settings.MAIL_IS_SET and mailing.failing(),
        "loopback": settings.PUBLIC_IS_LOOPBACK,
    }
    return render(request, "team_invitations/index.html", context | made, status=status)
