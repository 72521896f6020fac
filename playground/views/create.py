"""The Create page: the form with its price, and the press of the button."""

import dataclasses
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from playground.forms.create import CreateForm, Draft, fit
from playground.htmx import DRAFT_IN_SESSION, is_htmx
from playground.models import Generation, Membership, Run, VideoModel
from playground.services import budget_requests, catalogue, estimates, limits, runs, uploads
from playground.services.estimates import Wanted
from playground.services.offers import Offers
from playground.services.uploads import ImageRefused
from playground.views.access import MemberRequest, for_members, is_of_another_team
from playground.views.cards import cards_of
from playground.views.create_input import (
    accepted,
    as_pressed,
    draft_of_link,
    errors_of,
    reference_of,
    with_choice,
    with_parent,
    with_route,
    with_upload,
)
from playground.views.create_page import (
    EXAMPLES,
    Page,
    draw,
    fieldless,
    latest_generations,
    sentence,
    takes_route,
    wanted_for,
)
from playground.views.crowd import few_at_once
from playground.views.errors import with_toast
from playground.views.generations import line_words, repeated_words
from playground.views.team import to_team

ORDERED = ("size", "seconds", "count", "negative_prompt", "seed", "audio", "route", "parameters")
"""What the strict form decides; the rest is read off the draft."""
PROBLEMS: dict[type[Exception], tuple[int, str]] = {
    runs.AlreadySent: (409, "already_sent"),
    runs.NotPriced: (422, "not_priced"),
    runs.OverBudget: (422, "over_budget"),
    runs.SpendingClosed: (422, "spending_closed"),
    runs.NeedsConfirmation: (422, "needs_confirmation"),
    runs.StorageFull: (503, "storage_full"),
    runs.LineFull: (429, "line_full"),
}
"""Status, and the name by which the price panel says what is in the way."""
LINE_MOVES_S = 30
"""Retry-After of a press that found no room in the line: how often an order that a pause holds is looked at."""


@require_http_methods(["GET", "HEAD", "POST"])
@few_at_once
@for_members
def index(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        if "to_team" in request.POST:
            return to_team(request)
        if "accept_limits" in request.POST:
            return _accept_limits(request)
        # A button that only changes the form never orders, by whatever way its press arrives here.
        return _price(request) if "cheaper" in request.POST else _order(request)
    draft = draft_of_link(request)
    page = _drawn(request.membership, draft)
    if page is None:
        return render(request, "create/no_models.html", {"gateway": catalogue.default_gateway()})
    return _whole(request, page, change_image=request.GET.get("image") == "change")


@require_POST
@for_members
def price(request: MemberRequest) -> HttpResponse:
    """The price of what is chosen. With htmx the price panel and the chips that depend on it; else the whole page.

    When another model was chosen its settings come along, and its price follows in a second request, so that a slow
    gateway does not hold up the choice.
    """
    return _price(request)


def _price(request: MemberRequest) -> HttpResponse:
    draft = with_route(request.membership, Draft.from_data(request.POST))
    if "remove_reference" in request.POST:
        draft = draft.without_image()
    draft = with_choice(draft, request.POST.get("cheaper", ""))
    draft, image_error = with_upload(request, draft)
    changed = request.POST.get("model_shown", draft.model) != draft.model
    page = _drawn(request.membership, draft, ask=not (changed and is_htmx(request)), name_changes=changed)
    if page is None:
        return render(request, "create/no_models.html", {"gateway": catalogue.default_gateway()})
    if not is_htmx(request):
        # Without scripts nobody tells that the list of models was opened.
        errors = {"reference": image_error} if image_error else page.errors
        return _whole(request, page, picker_is_open=True, errors=errors)
    context = page.context(
        with_picker=changed,
        picker_is_open=request.POST.get("picker") == "open",
        oob=True,
        model_changed=changed,
        token=request.POST.get("token") or runs.new_token(),
    )
    return render(request, "create/_priced.html", context)


def _order(request: MemberRequest) -> HttpResponse:
    membership = request.membership
    if not membership.may_create or is_of_another_team(request):
        raise Http404("not for this role, or of another team")
    data = as_pressed(request.POST)
    draft = with_route(membership, Draft.from_data(data))
    draft, image_error = with_upload(request, draft)
    model = Offers(membership).find(draft.model)
    if model is None or not model.is_offered:
        return _refused(request, draft, status=422, errors={"reference": image_error} if image_error else None)
    reference = reference_of(membership, draft.reference_id)
    form = CreateForm(
        data | {"route": draft.route}, takes=model.takes, model_slug=model.slug, takes_route=takes_route(model)
    )
    if draft.reference_id and reference is None and not image_error:
        draft, image_error = draft.without_image(), uploads.gone().message
    errors = errors_of(form, model, reference, image_error)
    draft, parent = with_parent(membership, draft, errors)
    if errors:
        return _refused(request, draft, status=422, errors=errors)
    values = form.cleaned_data | {"parent": parent}
    fitted = wanted_for(model, draft, fit(draft, model.takes), reference)
    wanted = dataclasses.replace(fitted, **{name: values[name] for name in ORDERED})
    return (_ask if "ask" in request.POST else _send)(request, draft, wanted, values)


def _ask(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> HttpResponse:
    """Hand what does not fit into the month to the admins. Nothing is sent; what fits by now is not asked for."""
    quote = estimates.quote(by=request.membership, wanted=wanted)
    if not quote.is_over_budget:
        return _refused(request, draft, status=422, problem="over_budget")
    parent = values["parent"].id if values["parent"] else None
    asked = {"wanted": wanted, "prompt": values["prompt"], "quote": quote, "parent_id": parent}
    try:
        budget_requests.ask(by=request.membership, **asked)
    except budget_requests.AskedTooOften:
        return _refused(request, draft, status=422, problem="asked_too_often")
    return _refused(request, draft, status=200, problem="asked")


def _accept_limits(request: MemberRequest) -> HttpResponse:
    """An admin takes the suggested limits; the form comes back as it was, and the next press orders."""
    if not request.membership.is_admin or is_of_another_team(request):
        raise Http404("not for this role, or of another team")
    limits.accept_suggested(by=request.membership)
    draft, _error = with_upload(request, with_route(request.membership, Draft.from_data(request.POST)))
    return _refused(request, draft, status=200, problem="limits_accepted")


def _send(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> HttpResponse:
    pressed_at = timezone.now()
    try:
        run = runs.start(
            by=request.membership,
            wanted=wanted,
            prompt=values["prompt"],
            token=values["token"],
            quoted_micros=values["quoted_micros"],
            **accepted(request.POST, values),
            parent_video=values["parent"],
        )
    except tuple(PROBLEMS) as error:
        status, problem = PROBLEMS[type(error)]
        request.membership.team.refresh_from_db()  # what refused it may be younger than this request
        why = line_words(error.line) if isinstance(error, runs.LineFull) else ""
        return _refused(request, draft, status=status, problem=problem, why=why)
    except runs.PriceMoved as error:
        return _refused(request, draft, status=422, problem="price_moved", was_micros=error.was_micros)
    except ImageRefused as error:
        return _refused(request, draft.without_image(), status=422, errors={"reference": error.message})
    except (runs.ModelGone, runs.BadToken):
        return _refused(request, draft, status=422)
    return _sent(request, draft, run, repeated_words(run, pressed_at))


def _sent(request: MemberRequest, draft: Draft, run: Run, repeated: str) -> HttpResponse:
    """303 to the page that still holds the prompt; with htmx the new cards and a panel for the next press.

    `repeated` is what to say of a press that gave an earlier run again.
    """
    draft = dataclasses.replace(draft, count=str(request.POST.get("count", "")))
    if not is_htmx(request):
        if repeated:
            messages.info(request, repeated)
        keep = {name: value for name, value in dataclasses.asdict(draft).items() if value and name != "parent"}
        request.session[DRAFT_IN_SESSION] = keep
        return HttpResponseRedirect(f"{reverse('create.index')}#jobs", status=303)
    page = _drawn(request.membership, draft, ask=False, name_changes=False)
    assert page is not None  # its model was there a moment ago
    made = Generation.objects.visible_to(request.membership).filter(run=run).for_cards()
    ordered = None if repeated else run
    context = page.context(oob=True, cards=cards_of(made, by=request.membership), ordered=ordered)
    response = render(request, "create/_sent.html", context)
    return with_toast(request, response, repeated) if repeated else response


def _refused(
    request: MemberRequest,
    draft: Draft,
    *,
    status: int,
    errors: dict[str, str] | None = None,
    problem: str = "",
    was_micros: int | None = None,
    why: str = "",
) -> HttpResponse:
    """The form again, with everything typed, what is wrong, and the price as it is now. Nothing was sent."""
    page = _drawn(request.membership, draft, name_changes=not errors and not problem)
    if page is None:
        return render(request, "create/no_models.html", {"gateway": catalogue.default_gateway()}, status=status)
    errors = page.errors | (errors or {})
    more = {
        "errors": errors,
        "fieldless": fieldless(errors, page.model),
        "problem": problem,
        "was_micros": was_micros,
        "why": why,
        "accepted_unpriced": "accept_unpriced" in request.POST,
        "refused": True,
    }
    return _redrawn(request, page, status, more)


def _redrawn(request: MemberRequest, page: Page, status: int, more: dict[str, Any]) -> HttpResponse:
    if is_htmx(request):
        context = page.context(with_picker=True, **more)
        response = render(request, "create/_form.html", context, status=status)
        response.headers["HX-Retarget"] = "#create"
    else:
        response = _whole(request, page, **more)
        response.status_code = status
    if status == 429:
        response.headers["Retry-After"] = str(LINE_MOVES_S)
    return response


def _whole(request: MemberRequest, page: Page, **more: Any) -> HttpResponse:
    membership = request.membership
    context = page.context(
        with_picker=True,
        cards=cards_of(latest_generations(membership), by=membership),
        examples=list(enumerate(EXAMPLES, start=1)),
        **more,
    )
    return render(request, "create/index.html", context)


def _drawn(membership: Membership, draft: Draft, *, ask: bool = True, name_changes: bool = True) -> Page | None:
    """The draft on its model, or on the nearest live one when that is gone; None when nothing is offered at all."""
    reference = reference_of(membership, draft.reference_id)
    offers = Offers(membership)
    model, note = _model_for(offers, draft, with_reference=reference is not None)
    if model is None:
        return None
    if note:
        changes = fit(draft, model.takes).changes
        note = " ".join(part for part in (note, sentence(changes), _("Your prompt is unchanged.")) if part)
    return draw(
        offers=offers, draft=draft, model=model, reference=reference, ask=ask, name_changes=name_changes, note=note
    )


def _model_for(offers: Offers, draft: Draft, *, with_reference: bool) -> tuple[VideoModel | None, str]:
    """The model to show, and what to say when it is not the one asked for."""
    if not draft.model:
        return offers.preselected(), ""
    model = offers.find(draft.model)
    if model in offers.models:
        return model, ""
    chosen = offers.nearest_live(model, with_reference=with_reference) if model else offers.preselected()
    if chosen is None:
        return chosen, ""
    gone = model.slug if model else draft.model[:80]
    words = (
        _("%(gone)s is no longer offered. We chose %(chosen)s.")
        if model
        else _("%(gone)s is not offered here. We chose %(chosen)s.")
    )
    return chosen, words % {"gone": gone, "chosen": chosen.slug}
