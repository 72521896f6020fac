"""What a status card says: one generation turned into words, a tone, steps and buttons.

A card says what happened, what it cost, what next, in that order. "Not charged" stands only where that is certain: the
gateway refused the order outright, it was stopped before it was sent, or the gateway reported a cost of zero.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop as N_

from playground.domain.capabilities import parse_size, quality_of, shape_of
from playground.domain.status import ACTIVE, STOP_FAILED, STOPPABLE, Status, Step
from playground.models import Generation, Membership, Reference, Video, Visibility
from playground.services.catalogue import usual_seconds
from playground.services.pauses import ANSWERS, KEY, why
from playground.views.card_actions import Action, buttons_of, edit_url, offered_to
from playground.views.card_money import charge, in_the_eyes_of, is_unsent, stopping
from playground.views.card_words import (
    ANSWER_COMES_WITHIN,
    S,
    awaited,
    differences,
    expired,
    failure,
    held_up,
    lost,
    not_sent,
    saving,
    still_awaited,
    trying_again,
    unclear,
    under_way,
)
from playground.views.suggestions import Suggestion, suggestions_for

__all__ = ["Action", "Card", "card_of", "cards_of", "edit_url"]

UNASKED = (KEY, ANSWERS)
"""Why a gateway is not asked after orders."""
STEP_ORDER = (Step.SENDING, Step.GENERATING, Step.SAVING)

WORDS: dict[Status, tuple[str, str]] = {
    S.QUEUED: (N_("Waiting to send"), "accent"),
    S.SUBMITTING: (N_("Sending"), "accent"),
    S.SUBMITTED: (N_("Queued at the provider"), "accent"),
    S.RUNNING: (N_("Generating"), "accent"),
    S.COMPLETED: (N_("Saving"), "accent"),
    S.STORING: (N_("Saving"), "accent"),
    S.DONE: (N_("Ready"), "good"),
    S.FAILED: (N_("Failed"), "bad"),
    S.REJECTED: (N_("Refused"), "bad"),
    S.CANCELLED: (N_("Stopped"), ""),
    S.EXPIRED: (N_("Late"), "warn"),
    S.LOST: (N_("Lost"), "bad"),
    S.OUTPUT_LOST: (N_("Lost"), "bad"),
    S.UNKNOWN: (N_("Unclear"), "unclear"),
}


@dataclass(frozen=True, slots=True)
class Card:
    """The page sends `stamp` back to ask for news: see `stamp_of`."""

    generation: Generation
    stamp: str
    word: str
    tone: str
    sentence: str
    step: str
    steps: list[str]
    shape: str
    quality: str
    seconds: str
    since: datetime | None
    elapsed: float | None
    video: Video | None
    reference: Reference | None
    actions: list[Action]
    menu: list[Action]

    @property
    def is_active(self) -> bool:
        return self.generation.is_active

    @property
    def is_private(self) -> bool:
        return self.generation.run.visibility == Visibility.PRIVATE

    @property
    def prompt(self) -> str:
        return self.generation.run.prompt


@dataclass(frozen=True, slots=True)
class Stamped:
    """A card that was not drawn: enough to tell whether it looks different by now."""

    generation: Generation
    stamp: str


def stamp_of(generation: Generation, *, usual: tuple[int, int] | None, now: datetime) -> str:
    """What the page knows of a card. The only place that makes one.

    It changes with all that is written of the order (`version`, which a pause of all spending counts up too), when
    the order gets slow, and when its gateway is paused or goes on. It does not with ages, with usual
    times and prices that other orders changed, nor with a video that was renamed or trashed: those come with the next
    change or look at the page.
    """
    marks = "l" if is_slow(generation, usual, now) else ""
    reason = generation.gateway.paused_reason
    if reason and (generation.state is S.QUEUED or (generation.state in STOPPABLE and reason in UNASKED)):
        marks += "p"
    return f"{generation.version}{marks}"


def stamps_of(generations: Iterable[Generation], *, now: datetime | None = None) -> list[Stamped]:
    """Stamps for rows read with `for_stamps()`, the same that `cards_of` gives their cards."""
    now, rows = now or timezone.now(), list(generations)
    usual = _usual_times(rows)
    return [Stamped(row, stamp_of(row, usual=usual.get(row.model_id), now=now)) for row in rows]


def cards_of(generations: Iterable[Generation], *, by: Membership | None, now: datetime | None = None) -> list[Card]:
    """Cards for rows read with `for_cards()`."""
    now, rows = now or timezone.now(), list(generations)
    usual = _usual_times(rows)
    others, offered = suggestions_for(rows, by=by), offered_to(by, rows)
    return [
        card_of(row, by=by, usual=usual.get(row.model_id), other=others.get(row.id), offered=offered, now=now)
        for row in rows
    ]


def _usual_times(generations: Iterable[Generation]) -> dict[UUID, tuple[int, int] | None]:
    """The usual time of each model that is at work here. One look at each, however many rows there are."""
    models = {generation.model_id for generation in generations if generation.state in STOPPABLE}
    return {model_id: usual_seconds(model_id) for model_id in models}


def card_of(
    generation: Generation,
    *,
    by: Membership | None,
    usual: tuple[int, int] | None = None,
    other: Suggestion | None = None,
    offered: Container[UUID] | None = None,
    now: datetime | None = None,
) -> Card:
    """`offered`: ids of models that the team may order from; without it, whichever is not retired."""
    now = now or timezone.now()
    settings = generation.run.settings
    size = str(settings.get("size", ""))
    known = parse_size(size) is not None
    video = visible_video(generation, by)
    since = since_of(generation)
    late = is_slow(generation, usual, now)
    to_admin = by is not None and by.is_admin
    again = generation.model.is_offered if offered is None else generation.model_id in offered
    with in_the_eyes_of(by):
        word, tone, sentence = said(generation, video=video, usual=usual, late=late, to_admin=to_admin)
        buttons = buttons_of(generation, video, other, by, is_offered=again)
    return Card(
        generation=generation,
        stamp=stamp_of(generation, usual=usual, now=now),
        word=word,
        tone=tone,
        sentence=sentence,
        step=generation.step.value,
        steps=_steps(generation),
        shape=shape_of(size) if known else "16:9",
        quality=quality_of(size) if known else "",
        seconds=str(settings.get("seconds", "")),
        since=since,
        elapsed=(now - since).total_seconds() if since else None,
        video=video,
        reference=next(iter(_references(generation)), None),
        actions=buttons[:2],
        menu=buttons[2:],
    )


def _references(generation: Generation) -> list[Reference]:
    """Unsaved sample rows of the style page have no relations to ask for."""
    return [] if generation._state.adding else list(generation.references.all())


def stored_video(generation: Generation) -> Video | None:
    if generation._state.adding:
        return generation._state.fields_cache.get("video")
    video: Video | None = getattr(generation, "video", None)
    return video


def visible_video(generation: Generation, by: Membership | None) -> Video | None:
    video = stored_video(generation)
    if video is None or video.trashed_at:
        return None
    private = video.visibility == Visibility.PRIVATE
    return None if private and by is not None and video.owner_id != by.user_id else video


def since_of(generation: Generation) -> datetime | None:
    """Where the clock of a running card starts."""
    if generation.state not in ACTIVE:
        return None
    return generation.submitted_at or generation.sent_at or generation.created_at


def is_slow(generation: Generation, usual: tuple[int, int] | None, now: datetime) -> bool:
    """True when it runs longer than this model usually takes (without history: five minutes), or its answer is due."""
    if generation.state is S.SUBMITTING:
        return generation.sent_at is not None and now - generation.sent_at > ANSWER_COMES_WITHIN
    since = since_of(generation)
    if since is None or generation.state not in STOPPABLE:
        return False
    return (now - since).total_seconds() > (usual[1] if usual else 300)


def _steps(generation: Generation) -> list[str]:
    """`past`, `now` or empty for Sending, Generating, Saving; nothing once it has ended."""
    if generation.step not in STEP_ORDER:
        return []
    at = STEP_ORDER.index(generation.step)
    return ["past" if index < at else "now" if index == at else "" for index in range(3)]


def said(
    generation: Generation,
    *,
    video: Video | None,
    usual: tuple[int, int] | None,
    late: bool,
    to_admin: bool = False,
) -> tuple[str, str, str]:
    """Word, tone and sentence. `to_admin`: who reads it is whom others are told has been told."""
    word, tone = WORDS[generation.state]
    match generation.state:
        case S.QUEUED:
            sentence = held_up(generation) or trying_again(generation)
        case S.SUBMITTING:
            sentence = trying_again(generation) or awaited(late)
        case S.SUBMITTED | S.RUNNING:
            sentence = _running(generation, usual, late)
        case S.COMPLETED | S.STORING:
            sentence = saving(generation)
        case S.DONE:
            sentence = _ready(generation, video)
        case S.FAILED | S.REJECTED:
            word, sentence = failure(generation)
        case S.CANCELLED if is_unsent(generation):
            word, sentence = not_sent(generation)
        case S.CANCELLED:
            sentence = (
                f"{charge(generation)} {still_awaited(generation, _('If it was made all the same, it is kept.'))}"
            )
        case S.EXPIRED:
            sentence = expired(generation)
        case S.LOST | S.OUTPUT_LOST:
            sentence = lost(generation, to_admin=to_admin)
        case S.UNKNOWN:
            sentence = unclear(generation)
        case _:
            sentence = ""
    return _(word), tone, sentence.strip()


def _running(generation: Generation, usual: tuple[int, int] | None, late: bool) -> str:
    stopped, submitted_at = generation.stop_requested_at, generation.submitted_at
    is_stopping = bool(stopped and submitted_at and stopped > submitted_at)
    if generation.is_late and not is_stopping and generation.error_code != STOP_FAILED:
        sent = _("It had been sent before it was stopped.") if stopped else _("It had been sent after all.")
        return f"{sent} {_('What comes is kept.')}"
    if generation.stop_requested_at:
        return stopping(generation)
    if generation.error_code == STOP_FAILED:
        return _("The gateway could not be told to stop. It goes on and may still cost something; stop it again.")
    if generation.gateway.paused_reason in UNASKED:
        words = _("It cannot be asked after just now, since the gateway has trouble: %(reason)s. What is made is kept.")
        return words % {"reason": why(generation.gateway.paused_reason)}
    return under_way(generation, usual, late)


def _ready(generation: Generation, video: Video | None) -> str:
    paid = charge(generation)
    if generation.is_late:
        stopped = generation.stop_requested_at is not None
        arrived = _("Arrived after you stopped it.") if stopped else _("Arrived late.")
        return " ".join(part for part in (arrived, paid, _("Kept.")) if part)
    if video is None:
        row = stored_video(generation)
        gone = _("In the trash.") if row and row.trashed_at else _("The video is not here any more.")
        return f"{gone} {paid}".strip()
    differs = differences(generation, video)
    return " ".join(part for part in (differs, paid) if part)
