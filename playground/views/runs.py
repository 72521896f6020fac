"""Every press of the button: what was asked, what became of it, what it cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from playground.domain.parameters import written
from playground.domain.status import ENDED, Status
from playground.models import Generation, Run, Video
from playground.services.repair_money import MADE
from playground.views.access import MemberRequest, for_members
from playground.views.card_money import is_lost_unpriced, is_surely_free
from playground.views.cards import cards_of, said
from playground.views.history import history
from playground.views.paging import cursor, newest

PAGE_SIZE = 30
UNMADE = ENDED - {Status.DONE, Status.OUTPUT_LOST}
LOOKS = 20
"""At most so many that need a look are listed; the next move up as these are dealt with."""


@dataclass(frozen=True, slots=True)
class Look:
    generation: Generation
    word: str
    tone: str
    sentence: str
    is_shown: bool = True
    """False for a private one of somebody else, whose money is the team's all the same."""


@dataclass(frozen=True, slots=True)
class RunRow:
    run: Run
    states: list[tuple[str, str, int]]
    """Word and tone as on the cards, and how many of the run's generations have them."""
    cost_micros: int | None
    """What the gateway has charged so far; None while it has named no figure."""

    @property
    def generations(self) -> list[Generation]:
        return list(self.run.generations.all())

    @property
    def is_free(self) -> bool:
        """Surely nothing was charged for any of it."""
        return bool(self.generations) and all(is_surely_free(generation) for generation in self.generations)

    @property
    def has_ended_unmade(self) -> bool:
        """None of it was made and no news are to come: the gateway reported no charge, and none is waited for."""
        return all(row.state in UNMADE and row.next_check_at is None for row in self.generations)

    @property
    def may_have_been_charged(self) -> bool:
        """A video of it was made and lost, and nobody named a cost."""
        return any(is_lost_unpriced(generation) for generation in self.generations)


def row(run: Run) -> RunRow:
    counts: dict[tuple[str, str], int] = {}
    for generation in run.generations.all():
        word, tone, _ = said(generation, video=None, usual=None, late=False)
        counts[word, tone] = counts.get((word, tone), 0) + 1
    return RunRow(run, [(word, tone, count) for (word, tone), count in counts.items()], cost(run.generations.all()))


def cost(generations: Iterable[Generation]) -> int | None:
    """The sum of the costs that are known; None when none is, nor when all are 0 and a video was made without one."""
    rows = list(generations)
    known = [one.cost_micros for one in rows if one.cost_micros is not None]
    if not sum(known) and any(one.cost_micros is None and one.state in MADE for one in rows):
        return None
    return sum(known) if known else None


def _runs(request: MemberRequest) -> Any:
    in_order = Prefetch(
        "generations", queryset=Generation.objects.select_related("gateway", "model", "video").order_by("position")
    )
    return (
        Run.objects.visible_to(request.membership)
        .select_related("created_by", "model", "gateway")
        .prefetch_related(in_order)
    )


@require_safe
@for_members
def index(request: MemberRequest) -> HttpResponse:
    page = newest(_runs(request), before=cursor(request.GET), size=PAGE_SIZE)
    context = {"rows": [row(run) for run in page.rows], "page": page}
    if request.membership.is_admin and page.is_first:
        context["looks"] = _looks(request)
    return render(request, "runs/index.html", context)


def _looks(request: MemberRequest) -> list[Look]:
    """Unclear orders and lost videos of the team, with the word of their card."""
    found = Generation.objects.decided_by(request.membership).needing_a_look()
    rows = found.select_related("run", "run__created_by", "model", "gateway")[:LOOKS]
    about: dict[str, Any] = {"video": None, "usual": None, "late": False, "to_admin": True}
    shown = Generation.objects.shown_to(request.membership, rows)
    return [Look(generation, *said(generation, **about), generation.id in shown) for generation in rows]


@require_safe
@for_members
def detail(request: MemberRequest, id: UUID) -> HttpResponse:
    run = get_object_or_404(_runs(request).select_related("parent_video"), id=id)
    generations = list(Generation.objects.for_cards().filter(run=run).order_by("position"))
    parent = run.parent_video
    is_shown = parent is not None and Video.objects.visible_to(request.membership).filter(id=parent.id).exists()
    context = {
        "parameters": written(tuple(run.settings.get("parameters", {}).items())),
        "run": run,
        "row": row(run),
        "generations": generations,
        "cards": cards_of(generations, by=request.membership),
        "known_there": [generation for generation in generations if generation.upstream_id or generation.request_id],
        "unclear": [generation for generation in generations if generation.state is Status.UNKNOWN],
        "parent": parent if is_shown else None,
        "history": history(generations),
        "repeats": _runs(request).filter(generations__retries__run=run).distinct().first(),
        "repeated_by": _runs(request).filter(generations__retry_of__run=run).order_by("id").distinct(),
    }
    return render(request, "runs/detail.html", context)
