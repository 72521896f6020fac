"""What a team has settled for itself, for admins: name, how long videos stay, how links begin."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from playground.forms.team import SettingsForm
from playground.services import retention, teams
from playground.views.access import MemberRequest, for_admins

LINK_SWITCHES = (
    "links_may_be_endless",
    "link_shows_prompt",
    "link_allows_download",
    "link_has_previews",
    "link_takes_marks",
)


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    by = request.membership
    form = SettingsForm(request.POST if request.method == "POST" else None, team=by.team)
    if form.is_bound and form.is_valid():
        changed = teams.settle(by=by, values=form.meant())
        messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
        return HttpResponseRedirect(reverse("team_settings.index"), status=303)
    context = {
        "form": form,
        "link_switches": [form[name] for name in LINK_SWITCHES],
        "old_videos": retention.old(by.team, now=timezone.now()).count(),
        "was_wrong": form.is_bound,
    }
    return render(request, "team_settings/index.html", context, status=422 if form.is_bound else 200)
