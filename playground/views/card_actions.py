"""The buttons of a status card. None spends without its price: where none is known it opens Create, which shows one."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _

from playground.domain.status import ENDED, Status
from playground.models import Generation, Membership, Video
from playground.services import offers
from playground.services.runs import new_token
from playground.services.stops import may_stop
from playground.templatetags.playground import price
from playground.views.card_money import is_by_word, stop_label
from playground.views.suggestions import Suggestion

S = Status


@dataclass(frozen=True, slots=True)
class Action:
    """A button or a line of the menu. With `post` it is a form; `fields` are its hidden values."""

    label: str
    url: str
    post: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    icon: str = ""
    download: bool = False


def spend_label(verb: str, micros: int | None) -> str:
    return f"{verb} - {price(micros)}"


def spend(generation: Generation, verb: str, *, is_offered: bool) -> Action:
    """A button that orders the same again. Without a known price, or where the team is not offered the model just now,
    it opens Create instead, which shows one.
    """
    if generation.estimate_micros is None or not is_offered:
        return Action(verb, edit_url(generation), icon="rotate-cw")
    return Action(
        spend_label(verb, generation.estimate_micros),
        reverse("generations.again", args=[generation.id]),
        post=True,
        fields={"token": new_token(), "quoted_micros": str(generation.estimate_micros)},
        icon="rotate-cw",
    )


def edit_url(generation: Generation, **extra: str) -> str:
    return f"{reverse('create.index')}?{urlencode({'from': str(generation.id), **extra})}"


def looking(generation: Generation, video: Video | None) -> list[Action]:
    """What someone may do who may not spend."""
    found = [Action(_("Open"), reverse("videos.detail", args=[video.id]), icon="play")] if video else []
    if generation.state in ENDED:
        found.append(Action(_("Ask for one more"), edit_url(generation), icon="pencil"))
    return [*found, Action(_("Details"), reverse("runs.detail", args=[generation.run_id]), icon="list")]


def offered_to(by: Membership | None, generations: Iterable[Generation]) -> frozenset[UUID] | None:
    """Models that a button may order again: one look for all cards. None for the style page, whose rows are samples."""
    if by is None:
        return None
    ended = {row.model_id for row in generations if row.state in ENDED and by.may_create}
    return offers.among(by=by, models=ended)


def buttons_of(
    generation: Generation,
    video: Video | None,
    suggestion: Suggestion | None,
    by: Membership | None,
    *,
    is_offered: bool,
) -> list[Action]:
    """What this member may press; without one, of the style page, all. `is_offered`: the model, just now."""
    if by is None:
        return actions_of(generation, video, suggestion, is_offered=is_offered)
    if not by.may_create:
        return looking(generation, video)
    found = actions_of(generation, video, suggestion, is_offered=is_offered)
    stops = reverse("generations.cancel", args=[generation.id])
    return found if may_stop(by, generation) else [action for action in found if action.url != stops]


def try_other(generation: Generation, suggestion: Suggestion) -> Action:
    """Opens Create with that model chosen; with its price on the button where it is known, else Create asks for it."""
    label = _("Try another model")
    if suggestion.total_micros is not None:
        label = spend_label(_("Try %(model)s") % {"model": suggestion.slug}, suggestion.total_micros)
    return Action(label, edit_url(generation, model=suggestion.slug), icon="shuffle")


def actions_of(
    generation: Generation, video: Video | None, suggestion: Suggestion | None, *, is_offered: bool
) -> list[Action]:
    """The best two first; the rest stand in the menu."""
    history = Action(_("Details"), reverse("runs.detail", args=[generation.run_id]), icon="list")
    edit = Action(_("Edit prompt"), edit_url(generation), icon="pencil")
    retry = spend(generation, _("Try again"), is_offered=is_offered)
    more = spend(generation, _("One more"), is_offered=is_offered)
    match generation.state:
        case S.QUEUED:
            return [_cancel(generation, _("Cancel") if is_by_word(generation) else _("Cancel - free")), history]
        case S.SUBMITTED | S.RUNNING if generation.gateway.has_cancel and not generation.stop_requested_at:
            return [_cancel(generation, stop_label(generation)), history]
        case S.DONE if video:
            return _done(generation, video, more, history)
        case S.DONE:
            return [more, edit, history]
        case S.FAILED | S.REJECTED:
            first = {
                "moderation": [edit, try_other(generation, suggestion)] if suggestion else [edit],
                "image": [Action(_("Change image"), edit_url(generation, image="change"), icon="image"), edit],
            }
            return [*first.get(generation.error_kind, [retry, edit]), history]
        case S.UNKNOWN:
            return [Action(_("What happens next"), f"{history.url}#unclear", icon="circle-help")]
        case S.LOST | S.OUTPUT_LOST:
            return [retry, edit, replace(history, url=f"{history.url}#ids")]
        case S.CANCELLED | S.EXPIRED:
            return [retry, edit, history]
        case _:
            return [history]


def _done(generation: Generation, video: Video, more: Action, history: Action) -> list[Action]:
    return [
        more,
        Action(_("Download"), reverse("media.download", args=[video.id]), icon="download", download=True),
        Action(_("Open"), reverse("videos.detail", args=[video.id]), icon="play"),
        Action(_("Use these settings"), edit_url(generation), icon="pencil"),
        history,
    ]


def _cancel(generation: Generation, label: str) -> Action:
    return Action(label, reverse("generations.cancel", args=[generation.id]), post=True, icon="x")
