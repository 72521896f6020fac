"""Which models a team is offered, with which it begins, and its own words beside their prices."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from playground.forms.models import ModelsForm, was
from playground.models import Membership, VideoModel
from playground.services import catalogue, team_gateways, team_models
from playground.services.team_models import ChangedMeanwhile, WrongDefault
from playground.views.access import MemberRequest, for_admins
from playground.views.errors import bad_request

MOST = 300
"""Models in one form: each brings three fields of the thousand that a form may have."""


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    by = request.membership
    if request.method != "POST":
        return _page(request, _standing(by))
    try:
        form = ModelsForm.read(request.POST)
    except ValueError as error:
        return bad_request(request, error)
    if len(form.to) != VideoModel.objects.filter(team_gateways.seen_by(by.team_id), id__in=form.to).count():
        raise Http404("another team's models")
    if form.errors:
        return _page(request, form, status=422)
    try:
        changed = _set(by, form)
    except WrongDefault:
        form.problem = _("The default has to be switched on. Nothing was saved.")
        return _page(request, form, status=422)
    except ChangedMeanwhile as taken:
        return _page(request, _over(by, form, taken), status=409)
    messages.success(request, _("The models are saved.") if changed else _("Nothing was changed."))
    return HttpResponseRedirect(reverse("team_models.index"), status=303)


def _set(by: Membership, form: ModelsForm) -> bool:
    return team_models.change(
        by=by, to=form.to, shown=form.shown, default=form.default, default_shown=form.default_shown
    )


def _standing(by: Membership) -> ModelsForm:
    models = [model.id for model in _models(by)]
    choices = team_models.choices(team_id=by.team_id, models=models)
    return ModelsForm.of(choices, team_models.default_of(team_id=by.team_id, models=models))


def _over(by: Membership, form: ModelsForm, taken: ChangedMeanwhile) -> ModelsForm:
    current = team_models.choices(team_id=by.team_id, models=form.to)
    again = form.onto(current, team_models.default_of(team_id=by.team_id, models=form.to), taken.models)
    again.problem = _("Somebody else changed models while you did. Nothing was saved yet: look and save again.")
    return again


def _models(by: Membership) -> list[VideoModel]:
    """Those that may be ordered; as many as one form takes."""
    models = team_models.models_of(catalogue.gateway_of(by.team_id))
    return [model for model in models if model.is_offered][:MOST]


def _page(request: MemberRequest, form: ModelsForm, *, status: int = 200) -> HttpResponse:
    gateway = catalogue.gateway_of(request.membership.team_id)
    models = team_models.models_of(gateway)
    rows = [_row(model, form) for model in models if model.is_offered and model.id in form.to]
    context = {
        "gateway": gateway,
        "rows": rows,
        "retired": [model for model in models if not model.is_offered],
        "form": form,
        "all_off": bool(rows) and not any(row["choice"].enabled for row in rows),
        "left_out": sum(model.is_offered for model in models) - len(rows),
    }
    return render(request, "team_models/index.html", context, status=status)


def _row(model: VideoModel, form: ModelsForm) -> dict[str, Any]:
    return {
        "model": model,
        "choice": form.to[model.id],
        "was": was(form.shown[model.id]),
        "is_default": form.default == model.id,
        "error": form.errors.get(model.id, ""),
    }
