"""What a team says of the models that it is offered: switched on or off, the first, words beside a price."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from playground.models import Gateway, Lifecycle, Membership, TeamModel, VideoModel
from playground.services import audit, teams

NOTE_LENGTH = 200
_PLACE = {Lifecycle.LIVE.value: 0, Lifecycle.RETIRING.value: 1, Lifecycle.RETIRED.value: 2}


class WrongDefault(Exception):
    """The default is switched off, retired or not there."""


class ChangedMeanwhile(Exception):
    """Somebody else has set what is to be set, since it was shown. Nothing was set."""

    def __init__(self, models: Collection[UUID], *, default: bool) -> None:
        super().__init__("changed meanwhile")
        self.models = set(models)
        self.default = default


@dataclass(frozen=True, slots=True)
class Choice:
    enabled: bool = True
    note: str = ""


def models_of(gateway: Gateway) -> list[VideoModel]:
    """All of its models: live before retiring, retired ones last."""
    rows = VideoModel.objects.filter(gateway=gateway)
    return sorted(rows, key=lambda model: (_PLACE[model.lifecycle], model.name.casefold(), model.slug))


def choices(*, team_id: UUID, models: Iterable[UUID]) -> dict[UUID, Choice]:
    """What the team says of each of these; what it has said nothing of is on."""
    wanted = list(models)
    rows = TeamModel.objects.filter(team_id=team_id, model_id__in=wanted)
    said = {row.model_id: Choice(row.enabled, row.price_note) for row in rows}
    return {id: said.get(id, Choice()) for id in wanted}


def default_of(*, team_id: UUID, models: Iterable[UUID]) -> UUID | None:
    """The team's default, where it is one of these."""
    rows = TeamModel.objects.filter(team_id=team_id, is_default=True, model_id__in=list(models))
    return rows.values_list("model_id", flat=True).first()


def change(
    *,
    by: Membership,
    to: Mapping[UUID, Choice],
    shown: Mapping[UUID, Choice],
    default: UUID | None,
    default_shown: UUID | None,
) -> bool:
    """Set what differs from what was `shown`; False when nothing does. What somebody else has set since stays.

    All models must be ones that the team may see. Raises WrongDefault, and ChangedMeanwhile when both mean the same
    thing and mean it differently, and teams.NotAdmin; then nothing is set.
    """
    with transaction.atomic():
        teams.locked(by)
        current = choices(team_id=by.team_id, models=to)
        current_default = default_of(team_id=by.team_id, models=to)
        meant = {id: choice for id, choice in to.items() if choice != shown.get(id, current[id])}
        taken = [id for id, choice in meant.items() if current[id] not in (choice, shown.get(id, current[id]))]
        moves = default != default_shown
        default_taken = moves and current_default not in (default, default_shown)
        if taken or default_taken:
            raise ChangedMeanwhile(taken, default=default_taken)
        wanted = {id: choice for id, choice in meant.items() if choice != current[id]}
        default = default if moves else current_default
        _check_default(default, {**current, **wanted})
        return _set(by, wanted, current, default, current_default)


def _check_default(default: UUID | None, choices: Mapping[UUID, Choice]) -> None:
    if default is None:
        return
    model = VideoModel.objects.filter(id=default).first()
    if default not in choices or not choices[default].enabled or model is None or not model.is_offered:
        raise WrongDefault


def _set(
    by: Membership,
    wanted: Mapping[UUID, Choice],
    current: Mapping[UUID, Choice],
    default: UUID | None,
    current_default: UUID | None,
) -> bool:
    for id, choice in wanted.items():
        values = {"enabled": choice.enabled, "price_note": choice.note}
        TeamModel.objects.update_or_create(team_id=by.team_id, model_id=id, defaults=values)
    if default != current_default:
        TeamModel.objects.filter(team_id=by.team_id, is_default=True).update(is_default=False)
        if default:
            TeamModel.objects.update_or_create(team_id=by.team_id, model_id=default, defaults={"is_default": True})
    if not wanted and default == current_default:
        return False
    audit.record("models_changed", by=by.user, team=by.team, data=_changes(wanted, current, default, current_default))
    return True


def _changes(
    wanted: Mapping[UUID, Choice],
    current: Mapping[UUID, Choice],
    default: UUID | None,
    current_default: UUID | None,
) -> dict[str, Any]:
    on = [str(id) for id, choice in wanted.items() if choice.enabled and not current[id].enabled]
    off = [str(id) for id, choice in wanted.items() if not choice.enabled and current[id].enabled]
    notes = [str(id) for id, choice in wanted.items() if choice.note != current[id].note]
    moved = {"default": str(default or ""), "was_default": str(current_default or "")}
    return {"on": on, "off": off, "notes": notes} | (moved if default != current_default else {})
