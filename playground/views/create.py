"""The Create page: the form with its price, and the press of the button."""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from playground.forms.create import CreateForm, Draft, fit
from playground.htmx import DRAFT_IN_SESSION, is_htmx
from playground.models import Generation, Run, VideoModel
from playground.services import budget_requests, estimates, limits, rates, runs, uploads, video_requests
from playground.services.estimates import Wanted
from playground.services.offers import Offers
from playground.services.uploads import ImageRefused
from playground.views.access import MemberRequest, for_members, is_of_another_team
from playground.views.cards import cards_of
from playground.views.create_draw import drawn, kept_beyond_uploads, no_models, refused, whole
from playground.views.create_input import (
    accepted,
    answered_words,
    as_pressed,
    draft_of_link,
    errors_of,
    note_errors,
    reference_of,
    visibility_of,
    with_answers,
    with_choice,
    with_parent,
    with_route,
    with_upload,
)
from playground.views.create_page import takes_route, wanted_for
from playground.views.crowd import few_at_once
from playground.views.errors import often_words, with_toast
from playground.views.generations import line_words, repeated_words
from playground.views.limited import limited, of_member
from playground.views.team import to_team

ORDERED = ("size", "seconds", "count", "negative_prompt", "seed", "audio", "route", "parameters")
"""What the strict form decides; the rest is read off the draft."""
OF_ONE_PRESS = ("parent", "answers", "note")
"""What the next form does not begin with."""
Deed = Callable[[MemberRequest, Draft, Wanted, dict[str, Any]], HttpResponse]
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


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
@kept_beyond_uploads
def index(request: MemberRequest) -> HttpResponse:
    if request.method == "POST":
        if "to_team" in request.POST:
            return to_team(request)
        if "accept_limits" in request.POST:
            return _accept_limits(request)
        # A button that only changes the form never orders, by whatever way its press arrives here.
        return _price(request) if "cheaper" in request.POST else _order(request)
    draft = draft_of_link(request)
    page = drawn(request.membership, draft)
    if page is None:
        return no_models(request)
    return whole(request, page, change_image=request.GET.get("image") == "change")


@require_POST
@for_members
@kept_beyond_uploads
def price(request: MemberRequest) -> HttpResponse:
    """The price of what is chosen. With htmx the price panel and the chips that depend on it; else the whole page.

    When another model was chosen its settings come along, and its price follows in a second request, so that a slow
    gateway does not hold up the choice.
    """
    return _price(request)


@limited("price")
def _price(request: MemberRequest) -> HttpResponse:
    draft = with_route(request.membership, Draft.from_data(request.POST))
    if "remove_reference" in request.POST:
        draft = draft.without_image()
    draft = with_choice(draft, request.POST.get("cheaper", ""))
    draft, image_error = with_upload(request, draft)
    changed = request.POST.get("model_shown", draft.model) != draft.model
    page = drawn(request.membership, draft, ask=not (changed and is_htmx(request)), name_changes=changed)
    if page is None:
        return no_models(request)
    if not is_htmx(request):
        # Without scripts nobody tells that the list of models was opened.
        errors = {"reference": image_error} if image_error else page.errors
        return whole(request, page, picker_is_open=True, errors=errors)
    context = page.context(
        with_picker=changed,
        picker_is_open=request.POST.get("picker") == "open",
        oob=True,
        model_changed=changed,
        token=request.POST.get("token") or runs.new_token(),
    )
    return render(request, "create/_priced.html", context)


def _order(request: MemberRequest) -> HttpResponse:
    """Only what orders takes a place among those that do: neither what asks for a video nor what a role may not."""
    if is_of_another_team(request):
        raise Http404("of another team")
    orders = request.membership.may_create and "request" not in request.POST
    return _in_its_place(request) if orders else _pressed(request)


@limited("submit")
def _pressed(request: MemberRequest) -> HttpResponse:
    membership = request.membership
    data = as_pressed(request.POST)
    draft = with_route(membership, Draft.from_data(data))
    draft, image_error = with_upload(request, draft)
    if problem := _of_role(request):
        return refused(request, draft, status=422, problem=problem)
    model = Offers(membership).find(draft.model)
    if model is None or not model.is_offered:
        return refused(request, draft, status=422, errors={"reference": image_error} if image_error else None)
    reference = reference_of(membership, draft.reference_id)
    form = _form(data, draft, model)
    if draft.reference_id and reference is None and not image_error:
        draft, image_error = draft.without_image(), uploads.gone().message
    errors = errors_of(form, model, reference, image_error) | note_errors(request.POST)
    draft, parent = with_parent(membership, draft, errors)
    draft, answers = with_answers(membership, draft, errors, token=data.get("token", ""))
    if errors:
        return refused(request, draft, status=422, errors=errors)
    values = form.cleaned_data | {"parent": parent, "answers": answers}
    fitted = wanted_for(model, draft, fit(draft, model.takes), reference)
    wanted = dataclasses.replace(fitted, **{name: values[name] for name in ORDERED})
    return _deed(request)(request, draft, wanted, values)


_in_its_place = few_at_once(_pressed)


def _form(data: dict[str, str], draft: Draft, model: VideoModel) -> CreateForm:
    routed = data | {"route": draft.route}
    return CreateForm(routed, takes=model.takes, model_slug=model.slug, takes_route=takes_route(model))


def _of_role(request: MemberRequest) -> str:
    """What is in the way of a press whose button this member has no more, or not any longer; "" where nothing is."""
    if "request" in request.POST:
        return "may_make" if request.membership.may_create else ""
    return "" if request.membership.may_create else "may_not_make"


def _deed(request: MemberRequest) -> Deed:
    if "request" in request.POST:
        return _request_video
    return _ask if "ask" in request.POST else _send


def _request_video(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> HttpResponse:
    """Put it before those who may make it. Nothing is sent to the gateway, and no money is set aside."""
    parent = values["parent"].id if values["parent"] else None
    asked = {"wanted": wanted, "prompt": values["prompt"], "note": draft.note.strip(), "parent_id": parent}
    if seconds := rates.take("video_request", of_member(request)):
        response = refused(request, draft, status=429, problem="too_often", why=often_words(seconds))
        response.headers["Retry-After"] = str(seconds)
        return response
    try:
        video_requests.ask(by=request.membership, **asked)
    except video_requests.AskedTooOften:
        return refused(request, draft, status=422, problem="requests_full")
    return refused(request, dataclasses.replace(draft, note=""), status=200, problem="requested")


def _ask(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> HttpResponse:
    """Hand what does not fit into the month to the admins. Nothing is sent; what fits by now is not asked for."""
    quote = estimates.quote(by=request.membership, wanted=wanted)
    if not quote.is_over_budget:
        return refused(request, draft, status=422, problem="over_budget")
    parent = values["parent"].id if values["parent"] else None
    asked = {"wanted": wanted, "prompt": values["prompt"], "quote": quote, "parent_id": parent}
    asked["visibility"] = visibility_of(draft)
    asked["answers_id"] = values["answers"].id if values["answers"] else None
    try:
        budget_requests.ask(by=request.membership, **asked)
    except budget_requests.AskedTooOften:
        return refused(request, draft, status=422, problem="asked_too_often")
    return refused(request, draft, status=200, problem="asked")


def _accept_limits(request: MemberRequest) -> HttpResponse:
    """An admin takes the suggested limits; the form comes back as it was, and the next press orders."""
    if not request.membership.is_admin or is_of_another_team(request):
        raise Http404("not for this role, or of another team")
    limits.accept_suggested(by=request.membership)
    draft, _error = with_upload(request, with_route(request.membership, Draft.from_data(request.POST)))
    return refused(request, draft, status=200, problem="limits_accepted")


def _send(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> HttpResponse:
    pressed_at = timezone.now()
    try:
        run = _started(request, draft, wanted, values)
    except tuple(PROBLEMS) as error:
        status, problem = PROBLEMS[type(error)]
        request.membership.team.refresh_from_db()  # what refused it may be younger than this request
        why = line_words(error.line) if isinstance(error, runs.LineFull) else ""
        return refused(request, draft, status=status, problem=problem, why=why)
    except runs.PriceMoved as error:
        return refused(request, draft, status=422, problem="price_moved", was_micros=error.was_micros)
    except ImageRefused as error:
        return refused(request, draft.without_image(), status=422, errors={"reference": error.message})
    except runs.AnsweredMeanwhile:
        errors = {"answers": answered_words()}
        return refused(request, dataclasses.replace(draft, answers=""), status=409, errors=errors)
    except (runs.ModelGone, runs.BadToken):
        return refused(request, draft, status=422)
    return _sent(request, draft, run, repeated_words(run, pressed_at))


def _started(request: MemberRequest, draft: Draft, wanted: Wanted, values: dict[str, Any]) -> Run:
    return runs.start(
        by=request.membership,
        wanted=wanted,
        prompt=values["prompt"],
        token=values["token"],
        quoted_micros=values["quoted_micros"],
        **accepted(request.POST, values),
        parent_video=values["parent"],
        visibility=visibility_of(draft),
        answers=values["answers"],
    )


def _sent(request: MemberRequest, draft: Draft, run: Run, repeated: str) -> HttpResponse:
    """303 to the page that still holds the prompt; with htmx the new cards and a panel for the next press.

    `repeated` is what to say of a press that gave an earlier run again.
    """
    draft = dataclasses.replace(draft, count=str(request.POST.get("count", "")), answers="")
    if not is_htmx(request):
        if repeated:
            messages.info(request, repeated)
        keep = {name: value for name, value in dataclasses.asdict(draft).items() if value and name not in OF_ONE_PRESS}
        request.session[DRAFT_IN_SESSION] = keep
        return HttpResponseRedirect(f"{reverse('create.index')}#jobs", status=303)
    page = drawn(request.membership, draft, ask=False, name_changes=False)
    assert page is not None  # its model was there a moment ago
    made = Generation.objects.visible_to(request.membership).filter(run=run).for_cards()
    ordered = None if repeated else run
    context = page.context(oob=True, cards=cards_of(made, by=request.membership), ordered=ordered)
    context["answered"] = bool(request.POST.get("answers"))
    response = render(request, "create/_sent.html", context)
    return with_toast(request, response, repeated) if repeated else response
