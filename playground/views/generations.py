"""Status cards: their refresh, and the buttons on them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from playground.forms.create import whole
from playground.htmx import is_htmx
from playground.models import Generation, Run
from playground.services import engine, runs, stops
from playground.services.line import Line
from playground.services.uploads import ImageRefused
from playground.templatetags.playground import amount
from playground.views.access import MemberRequest, for_creators, for_members, use_team
from playground.views.cards import Card, Stamped, cards_of, edit_url, stamps_of
from playground.views.crowd import few_at_once
from playground.views.errors import with_toast
from playground.views.limited import limited

View = Callable[..., HttpResponseBase]
AT_MOST = 60
DOUBLE_PRESS = timedelta(seconds=5)
REFUSED = (
    runs.PriceMoved,
    runs.NeedsConfirmation,
    runs.NotPriced,
    runs.OverBudget,
    runs.SpendingClosed,
    runs.AlreadySent,
    runs.BadToken,
    runs.StorageFull,
    runs.LineFull,
    runs.ModelGone,
    ImageRefused,
)


def shown(text: str) -> dict[UUID, str]:
    """`<id>:<stamp>,...` as the page sends it; what is not an id is left out."""
    pairs: dict[UUID, str] = {}
    for part in text.split(",")[:AT_MOST]:
        name, _separator, stamp = part.partition(":")
        try:
            pairs[UUID(name)] = stamp
        except ValueError:
            continue
    return pairs


def for_the_page(view: View) -> View:
    """Who is in no team any more is asked no further by a page that is still open."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_htmx(request) and not request.membership:
            return _over(request)
        return view(request, *args, **kwargs)

    return guarded


def _over(request: MemberRequest) -> HttpResponse:
    """A #live that asks no more: nothing of what the page shows is this person's to see now."""
    return render(request, "generations/_live.html", {"is_over": True})


@require_safe
@for_the_page
@for_members
def cards(request: MemberRequest) -> HttpResponse:
    """Only the cards that look different by now, as out-of-band swaps; 204 when none does.

    What is asked most often of all: one narrow read tells what has changed, and only that is drawn. The answer's #live
    asks on for what is still being made or may still come, and stops when nothing is.
    """
    known, now = shown(request.GET.get("g", "")), timezone.now()
    seen = _stamped(request, known, now)
    if known and not seen:
        return _over(request)
    stale = [row.generation.id for row in seen if engine.is_view_stale(row.generation, now=now)]
    engine.viewed(stale, now=now)
    changed = [row.generation.id for row in seen if known[row.generation.id] != row.stamp]
    if not changed and any(row.generation.is_active or row.generation.may_still_change for row in seen):
        return HttpResponse(status=204)
    mine = Generation.objects.visible_to(request.membership)
    context = {
        "changed": cards_of(mine.filter(id__in=changed).for_cards(), by=request.membership, now=now),
        "cards": seen,
        "oob": True,
    }
    return render(request, "generations/_cards.html", context)


def _stamped(request: MemberRequest, known: dict[UUID, str], now: datetime) -> list[Stamped]:
    """What the page shows, of one team: the one at hand, else another of this person's that has any of it."""
    asked = Generation.objects.filter(id__in=known)
    rows = list(asked.visible_to(request.membership).for_stamps())
    if known and not rows:
        use_team(request, team__in=asked.values("team_id"))
        rows = list(asked.visible_to(request.membership).for_stamps())
    return stamps_of(rows, now=now)


@require_safe
@for_members
def card(request: MemberRequest, id: UUID) -> HttpResponse:
    """One card as a fragment; as a page of its own it leads to its run."""
    made = _card(request, id)
    if not is_htmx(request):
        return redirect("runs.detail", made.generation.run_id)
    return render(request, "generations/_card.html", {"card": made})


@require_POST
@for_creators
def cancel(request: MemberRequest, id: UUID) -> HttpResponse:
    """Stop it, if there is still something to stop. A late press changes nothing and shows how it stands."""
    mine = Generation.objects.visible_to(request.membership).select_related("run")
    generation = get_object_or_404(mine, id=id)
    if not stops.may_stop(request.membership, generation):
        raise Http404("not this member's to stop")
    stops.cancel(by=request.membership, generation=generation)
    if is_htmx(request):
        return render(request, "generations/_card.html", {"card": _card(request, id)})
    return HttpResponseRedirect(_back(request))


@require_POST
@for_creators
@few_at_once
@limited("submit")
def again(request: MemberRequest, id: UUID) -> HttpResponse:
    """Order the same once more. When the price has gone up, or is not known, nothing is sent and Create says so."""
    mine = Generation.objects.visible_to(request.membership).select_related("run", "model", "gateway")
    generation, pressed_at = get_object_or_404(mine, id=id), timezone.now()
    try:
        run = runs.again(
            by=request.membership,
            generation=generation,
            token=request.POST.get("token", ""),
            quoted_micros=whole(request.POST.get("quoted_micros", "")),
        )
    except REFUSED as error:
        return _to_create(request, generation, _why_not(error))
    return _made(request, run, pressed=id, repeated=repeated_words(run, pressed_at))


def _why_not(error: Exception) -> str:
    """Why nothing was sent; "" where Create says it by itself."""
    match error:
        case runs.PriceMoved():
            return _price_moved(amount(error.quote.total_micros), amount(error.was_micros))
        case runs.NeedsConfirmation():
            words = _("It is about %(price)s. Nothing was sent: press and confirm the sum here.")
            return words % {"price": amount(error.quote.total_micros)}
        case ImageRefused():
            return f"{error.message} {_('Nothing was sent.')}"
        case runs.StorageFull():
            return _("The server has too little disk space. Nothing was sent. The admins have been told.")
        case runs.LineFull():
            return line_words(error.line)
        case runs.SpendingClosed() if error.quote.lacks_limits and not error.quote.is_paused:
            return _("An admin must first set limits. Nothing was sent.")
        case runs.SpendingClosed():
            return _("Spending is paused. Nothing was sent.")
        case runs.OverBudget():
            return _("It does not fit into the limit. Nothing was sent.")
        case runs.ModelGone():
            return ""
        case runs.NotPriced() if error.quote.message:
            nothing = _("Nothing was sent.")
            return error.quote.message if nothing in error.quote.message else f"{error.quote.message} {nothing}"
        case _:
            return _("Nothing was sent. Look at the price and press again.")


def line_words(line: Line) -> str:
    """Why a press has no room in the line, and what to do."""
    n = line.waiting
    words = (
        ngettext("%(n)s of your videos waits to be sent", "%(n)s of your videos wait to be sent", n)
        if line.is_own
        else ngettext("%(n)s of the team's videos waits to be sent", "%(n)s of the team's videos wait to be sent", n)
    )
    parts = [f"{words % {'n': n}}; {_('at most %(limit)s may.') % {'limit': line.limit}} {_('Nothing was sent.')}"]
    if (room := line.limit - line.waiting) > 0:
        parts.append(_("There is room for %(n)s more: make fewer, or press again when some have gone.") % {"n": room})
    else:
        parts.append(_("Press again when some have gone, or cancel some that wait."))
    return " ".join(parts)


def repeated_words(run: Run, pressed_at: datetime) -> str:
    """What to say of a press that gave an earlier run again, as after going back to a page; "" for any other.

    Two presses within DOUBLE_PRESS are one, of which nothing needs to be said.
    """
    if run.created_at > pressed_at - DOUBLE_PRESS:
        return ""
    words = _("This was ordered already, at %(time)s. Nothing was sent again. Press once more for another one.")
    return words % {"time": f"{timezone.localtime(run.created_at):%H:%M}"}


def _made(request: MemberRequest, run: Run, *, pressed: UUID, repeated: str) -> HttpResponse:
    """The new card, and the pressed one anew: its next press is another order, as a deliberate one should be."""
    if repeated and not is_htmx(request):
        messages.info(request, repeated)
        return HttpResponseRedirect(_back(request), status=303)
    if not is_htmx(request):
        return HttpResponseRedirect(f"{reverse('create.index')}#jobs", status=303)
    made = Generation.objects.visible_to(request.membership).filter(run=run).for_cards()
    context = {
        "cards": cards_of(made, by=request.membership),
        "pressed": _card(request, pressed),
        "oob": True,
    }
    response = render(request, "generations/_new.html", context)
    return with_toast(request, response, repeated) if repeated else response


def _price_moved(new: str, was: str) -> str:
    if not was:
        return _("It is about %(new)s now. Nothing was sent. Press again to go on.") % {"new": new}
    words = _("It is about %(new)s now; it was %(was)s. Nothing was sent. Press again to go on.")
    return words % {"new": new, "was": was}


def _to_create(request: MemberRequest, generation: Generation, text: str) -> HttpResponse:
    if text:
        messages.warning(request, text)
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": edit_url(generation)})
    return HttpResponseRedirect(edit_url(generation), status=303)


def _card(request: MemberRequest, id: UUID) -> Card:
    row = get_object_or_404(Generation.objects.visible_to(request.membership).for_cards(), id=id)
    return cards_of([row], by=request.membership)[0]


def _back(request: MemberRequest) -> str:
    target = request.POST.get("next") or request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return reverse("create.index")
