"""Answers of the Create page: the form drawn as a page or a fragment, with what is wrong and nothing typed lost."""

import dataclasses
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from playground.forms.create import Draft, fit
from playground.htmx import is_htmx
from playground.models import Membership, VideoModel, VideoRequest, Visibility
from playground.services import catalogue, goes_to
from playground.services.offers import Offers
from playground.views.access import MemberRequest
from playground.views.cards import cards_of
from playground.views.create_input import UploadedTooOften, asked_of, reference_of
from playground.views.create_page import EXAMPLES, Page, draw, fieldless, latest_generations, sentence
from playground.views.errors import often_words
from playground.views.limited import form_again

View = Callable[[MemberRequest], HttpResponse]
LINE_MOVES_S = 30
"""Retry-After of a press that found no room in the line: how often an order that a pause holds is looked at."""
ASKED_SHOWN = 6
"""Of one's own requests beside the form."""


def refused(
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
    page = drawn(request.membership, draft, name_changes=not errors and not problem)
    if page is None:
        return no_models(request, status=status)
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


def kept_beyond_uploads(view: View) -> View:
    """For views that call `with_upload`: 429 beyond its limit, with the form as it was sent but for the picture."""

    @wraps(view)
    def guarded(request: MemberRequest) -> HttpResponse:
        try:
            return view(request)
        except UploadedTooOften as often:
            draft, errors = often.draft, {"reference": often_words(often.seconds)}
            return form_again(request, often.seconds, lambda: refused(request, draft, status=429, errors=errors))

    return guarded


def no_models(request: MemberRequest, *, status: int = 200) -> HttpResponse:
    gateway = catalogue.gateway_of(request.membership.team_id)
    return render(request, "create/no_models.html", {"gateway": gateway}, status=status)


def _redrawn(request: MemberRequest, page: Page, status: int, more: dict[str, Any]) -> HttpResponse:
    if is_htmx(request):
        context = page.context(with_picker=True, **more) | about(page)
        if more.get("problem") == "requested":
            context |= {"requests": own_requests(request.membership), "oob_requests": True}
        response = render(request, "create/_form.html", context, status=status)
        response.headers["HX-Retarget"] = "#create"
    else:
        response = whole(request, page, **more)
        response.status_code = status
    if status == 429:
        response.headers["Retry-After"] = str(LINE_MOVES_S)
    return response


def whole(request: MemberRequest, page: Page, **more: Any) -> HttpResponse:
    membership = request.membership
    context = page.context(
        with_picker=True,
        cards=cards_of(latest_generations(membership), by=membership),
        examples=list(enumerate(EXAMPLES, start=1)),
        requests=[] if membership.may_create else own_requests(membership),
        **more,
    )
    return render(request, "create/index.html", context | about(page))


def about(page: Page) -> dict[str, Any]:
    """Whose request is about to be made, if any."""
    return {"answers": asked_of(page.by, page.draft.answers)}


def own_requests(by: Membership) -> list[VideoRequest]:
    mine = VideoRequest.objects.visible_to(by).filter(by_id=by.user_id).select_related("model", "by", "answered_by")
    return list(mine.order_by("-id")[:ASKED_SHOWN])


def drawn(membership: Membership, draft: Draft, *, ask: bool = True, name_changes: bool = True) -> Page | None:
    """The draft on its model, or on the nearest live one when that is gone; None when nothing is offered at all."""
    reference = reference_of(membership, draft.reference_id)
    offers = Offers(membership)
    model, note = _model_for(offers, draft, with_reference=reference is not None)
    if model is None:
        return None
    if draft.visibility not in Visibility.values:
        draft = dataclasses.replace(draft, visibility=goes_to.last_choice(membership))
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
