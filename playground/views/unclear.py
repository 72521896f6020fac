"""Orders whose answer got lost, and an admin's decision on each. To everybody else the page does not exist."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from playground.domain.parameters import written
from playground.domain.status import Status
from playground.models import Event, Generation, LedgerEntry, Run
from playground.services import few_of_one, unclear
from playground.views.access import MemberRequest, for_members, is_of_another_team

OF_ONE = 2
"""Questions of one person about an id on their way in a process: each holds a thread while a gateway thinks."""
AT_MOST = 50
"""So many are listed; the next move up as these are decided."""
DONE = {
    "sent_anew": lambda: _("It is sent again."),
    "closed_by_admin": lambda: _("It is closed, and no money stays set aside for it."),
    "adopted": lambda: _("It is taken up with its id and goes on."),
}


@dataclass(frozen=True, slots=True)
class Order:
    """One unclear order with all that is known of it."""

    generation: Generation
    evidence: unclear.Evidence
    held_micros: int | None
    is_key_known: bool
    error: str = ""
    pasted: str = ""
    may_insist: bool = False
    """The pasted id is refused only since the gateway tells of another video than was ordered."""
    settings: list[tuple[str, str]] = field(default_factory=list)
    is_shown: bool = True
    """False for a private one of somebody else: its words and pictures are theirs alone, its money is the team's."""


def for_those_who_decide(view: Callable[..., HttpResponse]) -> Callable[..., Any]:
    """404 for everyone but the team's admins, and for a form of another team."""

    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.membership.is_admin or is_of_another_team(request):
            raise Http404
        return view(request, *args, **kwargs)

    return for_members(guarded)


@require_safe
@for_those_who_decide
def index(request: MemberRequest) -> HttpResponse:
    """With `order`, the one that a link leads to: where it is not among them any more, what became of it."""
    if "order" not in request.GET:
        return _page(request)
    said, run_id = _became(request, request.GET["order"])
    return _page(request, said=said, run_id=run_id, about=None if said else UUID(request.GET["order"]))


def _became(request: MemberRequest, order: str) -> tuple[str, UUID | None]:
    """What to say of an order that a link leads to, and its run; "" while it is unclear."""
    try:
        row = Generation.objects.decided_by(request.membership).filter(id=UUID(order)).first()
    except ValueError:
        row = None
    if row is None:
        return _("This order is not here."), None
    if row.state is Status.UNKNOWN:
        return "", None
    latest = unclear.decision_of(row)
    run_id = row.run_id if Run.objects.visible_to(request.membership).filter(id=row.run_id).exists() else None
    if latest is None:
        return _("This order is not unclear any more: its answer came after all."), run_id
    name = latest.by.display_name if latest.by else _("somebody")
    return _("This order was decided already, by %(name)s.") % {"name": name}, run_id


@require_POST
@for_those_who_decide
def send(request: MemberRequest, id: UUID) -> HttpResponse:
    """It never ran: send it again."""
    return _decided(request, id, "sent_anew", lambda row: unclear.send_again(by=request.membership, generation=row))


@require_POST
@for_those_who_decide
def close(request: MemberRequest, id: UUID) -> HttpResponse:
    """It never ran: close it, money back."""
    return _decided(request, id, "closed_by_admin", lambda row: unclear.close(by=request.membership, generation=row))


@require_POST
@for_those_who_decide
def adopt(request: MemberRequest, id: UUID) -> HttpResponse:
    """It ran: this is its id. 422 in place for an id that cannot be its own."""
    pasted = request.POST.get("upstream_id", "")[:300]

    def decide(row: Generation) -> None:
        insists = "insists" in request.POST
        with few_of_one.turn(request.membership.user_id, "adopt", OF_ONE) as may:
            if not may:
                raise unclear.NotNow(_("Your questions before this one are still on their way. Nothing was done."))
            unclear.adopt(by=request.membership, generation=row, upstream_id=pasted, insists=insists)

    return _decided(request, id, "adopted", decide, pasted=pasted)


def _decided(
    request: MemberRequest, id: UUID, wanted: str, decide: Callable[[Generation], None], *, pasted: str = ""
) -> HttpResponse:
    """Do it once. The same decision again is the same; another one, or news meanwhile, is 409 with how it stands."""
    rows = Generation.objects.decided_by(request.membership).select_related("gateway", "run", "team")
    generation = get_object_or_404(rows, id=id)
    shown = request.POST.get("version", "")[:10]
    generation.version = int(shown) if shown.isascii() and shown.isdigit() else -1
    try:
        decide(generation)
    except unclear.DecidedAlready:
        if Generation.objects.filter(id=id, status=Status.UNKNOWN).exists():
            words = _(
                "It has changed since this page was shown. Nothing was done: look at what came back, then decide."
            )
            return _page(request, status=409, about=id, error=words, pasted=pasted)
        latest = unclear.decision_of(generation)
        if latest is None or latest.kind != wanted:
            return _page(request, status=409, said=_how_it_stands(latest))
    except (unclear.WrongId, unclear.NotNow) as error:
        status, may_insist = (409 if isinstance(error, unclear.NotNow) else 422), isinstance(error, unclear.Differs)
        return _page(request, status=status, about=id, error=str(error), pasted=pasted, may_insist=may_insist)
    messages.success(request, DONE[wanted]())
    return redirect("unclear.index")


def _how_it_stands(latest: Event | None) -> str:
    if latest is None:
        return _("It is not unclear any more: its answer came after all. Nothing was changed.")
    name = latest.by.display_name if latest.by else _("somebody")
    told = {
        "sent_anew": _("%(name)s has sent it again already. Nothing was changed."),
        "closed_by_admin": _("%(name)s has closed it already. Nothing was changed."),
        "adopted": _("%(name)s has given its id already. Nothing was changed."),
    }
    return told[latest.kind] % {"name": name}


def _page(
    request: MemberRequest,
    *,
    status: int = 200,
    said: str = "",
    run_id: UUID | None = None,
    about: UUID | None = None,
    **problem: Any,
) -> HttpResponse:
    """`said`: above all orders, with the way to the run that it is about, if given. `about`: one that is there too,
    however many there are, and that `problem` is about.
    """
    context = {"orders": _orders(request, about, problem), "said": said, "said_run": run_id}
    return render(request, "unclear/index.html", context, status=status)


def _orders(request: MemberRequest, about: UUID | None, problem: dict[str, Any]) -> list[Order]:
    rows = Generation.objects.decided_by(request.membership).filter(status=Status.UNKNOWN).for_cards()
    generations = list(rows[:AT_MOST])
    if about and about not in {row.id for row in generations}:
        generations = [*rows.filter(id=about), *generations]
    shown = Generation.objects.shown_to(request.membership, generations)
    evidence, now = unclear.evidence_of(generations), timezone.now()
    held = dict(
        LedgerEntry.objects.filter(generation__in=generations, kind="hold").values_list(
            "generation_id", "amount_micros"
        )
    )
    return [
        Order(
            row,
            evidence[row.id],
            held.get(row.id),
            unclear.is_key_known(row, evidence[row.id], now=now),
            settings=settings_of(row, is_shown=row.id in shown),
            is_shown=row.id in shown,
            **(problem if row.id == about else {}),
        )
        for row in generations
    ]


def settings_of(generation: Generation, *, is_shown: bool = True) -> list[tuple[str, str]]:
    """What was sent beside the prompt and the pictures, in a person's words; of a private one no words either."""
    values = generation.run.settings
    audio = values.get("audio")
    rows = [
        (_("Size"), str(values.get("size", ""))),
        (_("Length"), _("%(n)s s") % {"n": values["seconds"]} if values.get("seconds") else ""),
        (_("Negative prompt"), str(values.get("negative_prompt", "")) if is_shown else ""),
        (_("Sound"), "" if audio is None else _("Yes") if audio else _("No")),
        (_("Seed"), "" if values.get("seed") is None else str(values["seed"])),
        (_("Asked of"), str(values.get("route", ""))),
        (_("More parameters"), written(tuple(values.get("parameters", {}).items())) if is_shown else ""),
    ]
    return [row for row in rows if row[1]]
