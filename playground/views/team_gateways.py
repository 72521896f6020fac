"""Where a team orders from: its own gateways, whose keys are typed here and never shown, and the installation's."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from playground.forms.gateways import ConnectForm, EditForm, LumenfallForm, OtherForm, ReplaceKeyForm
from playground.htmx import is_htmx
from playground.models import Gateway
from playground.services import catalogue, gateway_checks, pauses, team_gateways, typed_gateways
from playground.services.team_gateways import CannotKeep, InUse, TooMany
from playground.services.typed_gateways import CheckResult, NoGoodAnswer, WrongAddress, WrongKey, WrongWords
from playground.views.access import MemberRequest, for_admins
from playground.views.gateway_cards import cards, tested, too_many_checks
from playground.views.limited import limited

WRONG = (WrongAddress, WrongKey, WrongWords, CannotKeep)


@require_safe
@for_admins
def index(request: MemberRequest) -> HttpResponse:
    return _list(request)


@require_safe
@for_admins
def moved(request: MemberRequest) -> HttpResponse:
    """The page of earlier versions."""
    return redirect("team_gateways.index")


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def add(request: MemberRequest) -> HttpResponse:
    """Connect one. "Test" tries what was typed and stores nothing; "Connect" tries it first and stores it then."""
    kind = "other" if (request.POST or request.GET).get("kind") == "other" else "lumenfall"
    form = _connect_form(kind, request)
    context: dict[str, Any] = {"kind": kind, "form": form, "no_keys": team_gateways.why_no_keys()}
    if refused := too_many_checks(request, form, "team_gateways/add.html", context):
        return refused
    if "test" in request.POST:
        return tested(request, form, lambda: typed_gateways.ask(form.typed()), "team_gateways/add.html", context)
    if form.is_bound and form.is_valid() and (gateway := _connected(request, form, context)):
        messages.success(request, _("%(name)s is connected.") % {"name": gateway.name})
        return _to_index()
    return render(request, "team_gateways/add.html", context, status=422 if form.is_bound else 200)


def _connect_form(kind: str, request: MemberRequest) -> ConnectForm:
    data = request.POST if request.method == "POST" else None
    return OtherForm(data) if kind == "other" else LumenfallForm(data)


def _connected(request: MemberRequest, form: ConnectForm, context: dict[str, Any]) -> Gateway | None:
    """None where it is refused, with the words for it in the form or the context."""
    by = request.membership
    try:
        return team_gateways.connect(by=by, typed=form.typed(), use_it=form.cleaned_data["use_it"])
    except WRONG as error:
        form.refuse(error)
    except NoGoodAnswer as error:
        context["result"] = error.result
    except TooMany:
        most = {"most": team_gateways.MOST}
        form.add_error(None, _("A team may have %(most)d gateways. Remove one that is not used.") % most)
    return None


@sensitive_post_parameters("key")
@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def key(request: MemberRequest, id: UUID) -> HttpResponse:
    """Replace a key: the new one is tried first, the old one is never shown."""
    gateway = _mine(request, id)
    form = ReplaceKeyForm(request.POST if request.method == "POST" else None)
    context: dict[str, Any] = {"gateway": gateway, "form": form, "no_keys": team_gateways.why_no_keys()}
    context["under_way"] = team_gateways.under_way(gateway)
    if refused := too_many_checks(request, form, "team_gateways/key.html", context):
        return refused
    if "test" in request.POST:
        return tested(request, form, lambda: _ask_with(gateway, form), "team_gateways/key.html", context)
    if form.is_bound and form.is_valid() and _replaced(request, gateway, form, context):
        messages.success(request, _("The key of %(name)s is replaced.") % {"name": gateway.name})
        return _to_index()
    return render(request, "team_gateways/key.html", context, status=422 if form.is_bound else 200)


def _ask_with(gateway: Gateway, form: ReplaceKeyForm) -> CheckResult:
    return typed_gateways.ask_with(gateway=gateway, key=form.cleaned_data["key"])


def _replaced(request: MemberRequest, gateway: Gateway, form: ReplaceKeyForm, context: dict[str, Any]) -> bool:
    try:
        team_gateways.replace_key(by=request.membership, gateway=gateway, key=form.cleaned_data["key"])
    except WRONG as error:
        form.add_error("key", str(error))
    except NoGoodAnswer as error:
        context["result"] = error.result
    except Gateway.DoesNotExist as gone:
        raise Http404("removed meanwhile") from gone
    else:
        return True
    return False


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def edit(request: MemberRequest, id: UUID) -> HttpResponse:
    gateway = _mine(request, id)
    form = EditForm(request.POST) if request.method == "POST" else EditForm.of(gateway)
    if form.is_bound and form.is_valid() and _changed(request, gateway, form):
        messages.success(request, _("Saved."))
        return _to_index()
    context = {"gateway": gateway, "form": form}
    return render(request, "team_gateways/edit.html", context, status=422 if form.is_bound else 200)


def _changed(request: MemberRequest, gateway: Gateway, form: EditForm) -> bool:
    name, honours = form.cleaned_data["name"], tuple(form.cleaned_data["honours"]) or ("nothing",)
    try:
        team_gateways.change(by=request.membership, gateway=gateway, name=name, honours=honours)
    except WrongWords as error:
        form.add_error("honours", str(error))
        return False
    except Gateway.DoesNotExist as gone:
        raise Http404("removed meanwhile") from gone
    return True


@require_POST
@for_admins
@limited("gateway_check")
def check(request: MemberRequest, id: UUID | None = None) -> HttpResponse:
    """Ask it for its models and balance and show in words what it answered."""
    gateway = _mine(request, id) if id else catalogue.default_gateway()
    result = gateway_checks.check(gateway)
    if is_htmx(request):
        return render(request, "team_gateways/_answer.html", {"result": result, "answer_id": gateway.id})
    return _list(request, results={gateway.id: result})


@require_POST
@for_admins
def use(request: MemberRequest, id: UUID | None = None) -> HttpResponse:
    gateway = _mine(request, id) if id else None
    try:
        moved = team_gateways.use(by=request.membership, gateway=gateway)
    except Gateway.DoesNotExist as gone:
        raise Http404("removed meanwhile") from gone
    name = {"name": (gateway or catalogue.default_gateway()).name}
    words = _("Your team orders from %(name)s from now on. What was ordered before stays where it is.")
    messages.success(request, (words if moved else _("Your team orders from %(name)s already.")) % name)
    return _to_index()


@require_POST
@for_admins
def resume(request: MemberRequest, id: UUID | None = None) -> HttpResponse:
    """Send to a paused gateway again. Pressed twice, or after it went on by itself, it changes nothing."""
    gateway = _mine(request, id) if id else catalogue.default_gateway()
    if pauses.resume(gateway, by=request.membership.user, now=timezone.now()):
        words = _("It is tried again now, and orders that waited are sent. If it still refuses, it pauses again.")
        messages.success(request, words)
    else:
        messages.info(request, _("The gateway is in use already."))
    return _to_index()


@require_http_methods(["GET", "HEAD", "POST"])
@for_admins
def remove(request: MemberRequest, id: UUID) -> HttpResponse:
    """Say what goes, then forget the key. Refused while orders of it need the key."""
    gateway = _mine(request, id)
    status = 200
    if request.method == "POST":
        try:
            team_gateways.remove(by=request.membership, gateway=gateway)
        except InUse:
            status = 409
        except Gateway.DoesNotExist as gone:
            raise Http404("removed meanwhile") from gone
        else:
            messages.success(request, _("%(name)s is removed and its key forgotten.") % {"name": gateway.name})
            return _to_index()
    context = {
        "gateway": gateway,
        "needed_for": team_gateways.needed_for(gateway, now=timezone.now()),
        "next": catalogue.default_gateway() if gateway.is_default else None,
    }
    return render(request, "team_gateways/remove.html", context, status=status)


def _mine(request: MemberRequest, id: UUID) -> Gateway:
    return get_object_or_404(team_gateways.of_team(request.membership.team_id), id=id)


def _to_index() -> HttpResponse:
    return HttpResponseRedirect(reverse("team_gateways.index"), status=303)


def _list(request: MemberRequest, *, results: dict[UUID, CheckResult] | None = None) -> HttpResponse:
    context = {
        "cards": cards(request.membership, results or {}),
        "no_keys": team_gateways.why_no_keys(),
        "most": team_gateways.MOST,
    }
    return render(request, "team_gateways/index.html", context)
