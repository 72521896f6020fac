"""What an admin does to a member: another role, the switch for spend, out of the team."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from playground.domain.status import Status
from playground.forms.team import MemberForm
from playground.models import Generation, Membership, Role, ShareLink, Video
from playground.models.visibility import Visibility
from playground.services import members
from playground.services.members import Gone, LastAdmin
from playground.views import team
from playground.views.access import MemberRequest, for_admins


@require_POST
@for_admins
def change(request: MemberRequest, id: UUID) -> HttpResponse:
    member, form = _member(request, id), MemberForm(request.POST)
    if not form.is_valid():
        return team.draw(request, wrong=id, error=_("Choose a role of the list."), status=422)
    role, sees_spend = Role(form.cleaned_data["role"]), form.cleaned_data["sees_spend"]
    try:
        changed = members.change(by=request.membership, member=member, role=role, sees_spend=sees_spend)
    except LastAdmin:
        return team.draw(request, wrong=id, error=_last_admin(member), status=409)
    words = _("Saved. %(name)s: %(role)s.") if changed is not None else _("%(name)s is not in the team any more.")
    messages.success(request, words % {"name": member.user.display_name, "role": role.label})
    return HttpResponseRedirect(reverse("team.index"), status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def remove(request: MemberRequest, id: UUID) -> HttpResponse:
    """Says what happens; the button does it."""
    member = _member(request, id)
    if member.id == request.membership.id:
        return HttpResponseRedirect(reverse("team.leave"), status=303)
    error = ""
    if request.method == "POST":
        try:
            gone = members.remove(by=request.membership, member=member)
        except LastAdmin:
            error = _last_admin(member)
        else:
            return _is_out(request, gone)
    context = {"member": member, "error": error} | _what_happens(member)
    return render(request, "members/remove.html", context, status=409 if error else 200)


def _is_out(request: MemberRequest, gone: Gone | None) -> HttpResponse:
    if gone is None:
        messages.info(request, _("That member was removed already."))
        return HttpResponseRedirect(reverse("team.index"), status=303)
    said = [_("%(name)s is out of the team and signed out.") % {"name": gone.name}]
    if gone.links:
        said.append(ngettext("%(n)d link ended.", "%(n)d links ended.", gone.links) % {"n": gone.links})
    if gone.stopped:
        words = ngettext(
            "%(n)d waiting video was stopped for free.", "%(n)d waiting videos were stopped for free.", gone.stopped
        )
        said.append(words % {"n": gone.stopped})
    messages.success(request, " ".join(said))
    return HttpResponseRedirect(f"{reverse('team.index')}?{urlencode({'removed': gone.entry})}", status=303)


def _what_happens(member: Membership) -> dict[str, Any]:
    videos = Video.objects.filter(team_id=member.team_id, owner_id=member.user_id)
    orders = Generation.objects.filter(team_id=member.team_id, run__created_by_id=member.user_id)
    links = ShareLink.objects.open().filter(team_id=member.team_id, created_by_id=member.user_id)
    seats = members.seats_that_stay(member)
    return {
        "videos": videos.count(),
        "private_videos": videos.filter(visibility=Visibility.PRIVATE).count(),
        "waiting": orders.filter(status=Status.QUEUED).count(),
        "links": links.count(),
        "seats": seats.filter(email="").count(),
        "named_seats": seats.exclude(email=""),
    }


def _member(request: MemberRequest, id: UUID) -> Membership:
    rows = Membership.objects.select_related("user", "team")
    return get_object_or_404(rows, id=id, team_id=request.membership.team_id)


def _last_admin(member: Membership) -> str:
    words = _("%(name)s is the only admin. Make somebody else an admin first.")
    return words % {"name": member.user.display_name}
