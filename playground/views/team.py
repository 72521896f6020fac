"""The team at hand and who is in it; leaving it, making another, going to another with what was typed."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from playground.forms.drafts import Draft
from playground.forms.team import NewTeamForm
from playground.htmx import is_htmx, keep_typed
from playground.models import AuditEntry, Membership, Role, Video
from playground.models.visibility import Visibility
from playground.services import budgets, members, teams
from playground.services.members import LastAdmin
from playground.services.people import TEAM_IN_SESSION
from playground.views.access import MemberRequest, for_admins, for_members, is_of_another_team


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    """Everybody sees who is in the team; admins also what they may and cost, and change it."""
    return draw(request)


def draw(request: MemberRequest, *, wrong: UUID | None = None, error: str = "", status: int = 200) -> HttpResponse:
    """The page of members; `error` stands beside the member `wrong`."""
    by = request.membership
    people = Membership.objects.filter(team_id=by.team_id).select_related("user", "team")
    rows = sorted(people, key=lambda one: (-Role(one.role).rank, one.user.display_name.casefold()))
    context = {
        "members": [(one, budgets.member_cap(one.team, one)) for one in rows],
        "roles": Role.choices,
        "is_last_admin": members.is_last_admin(by),
        "removed": _removed(request),
        "wrong": wrong,
        "error": error,
    }
    return render(request, "team/index.html", context, status=status)


def _removed(request: MemberRequest) -> AuditEntry | None:
    """Who was just removed, by `?removed=` the number of its audit entry: until they are in the team again."""
    number, by = request.GET.get("removed", ""), request.membership
    if not by.is_admin or not number.isascii() or not number.isdigit() or len(number) > 15:
        return None
    entry = AuditEntry.objects.filter(team_id=by.team_id, kind="member_removed", id=int(number)).first()
    if entry is None or Membership.objects.filter(team_id=by.team_id, user_id=entry.data["user"]).exists():
        return None
    return entry


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
def leave(request: MemberRequest) -> HttpResponse:
    """Says what happens; the button does it. The last admin cannot."""
    by, error = request.membership, ""
    if request.method == "POST":
        if is_of_another_team(request):
            raise Http404("of another team")
        try:
            members.leave(by=by)
        except LastAdmin:
            error = _("You are the only admin. Make somebody else an admin first.")
        else:
            request.session.pop(TEAM_IN_SESSION, None)
            messages.success(request, _("You left %(team)s.") % {"team": by.team.name})
            return HttpResponseRedirect(reverse("gallery.index"), status=303)
    context = {"is_last_admin": members.is_last_admin(by), "error": error, "private_videos": _private_videos(by)}
    return render(request, "team/leave.html", context, status=409 if error else 200)


def _private_videos(by: Membership) -> int:
    """Those that nobody sees once this member is gone, and that go to the trash later."""
    return Video.objects.filter(team_id=by.team_id, owner_id=by.user_id, visibility=Visibility.PRIVATE).count()


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def new(request: MemberRequest) -> HttpResponse:
    form = NewTeamForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        made = teams.make(by=request.membership, name=form.cleaned_data["name"])
        request.session[TEAM_IN_SESSION] = made.team.slug
        words = _("%(team)s is made, and you are its admin. Invite the others; accept limits before you order.")
        messages.success(request, words % {"team": made.team.name})
        return HttpResponseRedirect(reverse("team.index"), status=303)
    return render(request, "team/new.html", {"form": form}, status=422 if form.is_bound else 200)


def to_team(request: MemberRequest) -> HttpResponse:
    """The form of Create, pressed by the name of another team: nothing is ordered, and what was typed comes along."""
    slug, user_id = request.POST.get("to_team", ""), request.membership.user_id
    if not Membership.objects.filter(user_id=user_id, team__slug=slug).exists():
        raise Http404("not in that team")
    if not keep_typed(request, leave_out=_OF_THE_TEAM) and _is_typed(request.POST):
        messages.warning(request, _("That is too long to bring along."))
    elif request.POST.get("reference_id"):
        messages.info(request, _("The picture stays in the other team: it belongs to it. Add it here again."))
    request.session[TEAM_IN_SESSION] = slug
    target = reverse("create.index")
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target, status=303)


_OF_THE_TEAM = {"to_team", "reference_id", "crop_at", "parent"}


def _is_typed(data: Any) -> bool:
    return Draft.from_data(data) != Draft()
