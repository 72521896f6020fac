"""The table of a team's models, read whole: beside what is chosen goes what was shown, so that only changes are set."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext as _

from playground.services.team_models import NOTE_LENGTH, Choice


@dataclass(slots=True)
class ModelsForm:
    """`to` and `shown` have the same models. `errors`: words by model; `problem`: of the whole."""

    to: dict[UUID, Choice]
    shown: dict[UUID, Choice]
    default: UUID | None
    default_shown: UUID | None
    errors: dict[UUID, str] = field(default_factory=dict)
    problem: str = ""

    @classmethod
    def of(cls, choices: dict[UUID, Choice], default: UUID | None) -> "ModelsForm":
        return cls(dict(choices), dict(choices), default, default)

    @classmethod
    def read(cls, data: QueryDict) -> "ModelsForm":
        """Raises ValueError for what no page of ours sends."""
        ids = [UUID(name.removeprefix("was-")) for name in data if name.startswith("was-")]
        form = cls({}, {}, _id(data, "default"), _id(data, "was_default"))
        for id in ids:
            form.to[id] = Choice(f"on-{id}" in data, _tidy(data.get(f"note-{id}", "")))
            form.shown[id] = _was(str(data[f"was-{id}"]))
            if len(form.to[id].note) > NOTE_LENGTH:
                form.errors[id] = _("At most %(most)d characters.") % {"most": NOTE_LENGTH}
        return form

    def onto(self, current: dict[UUID, Choice], default: UUID | None, taken: Iterable[UUID]) -> "ModelsForm":
        """The same wishes over what stands there now; `taken`: what somebody else has set meanwhile."""
        words = _("Somebody else changed this meanwhile. Save again to set it to yours.")
        changed = {id for id, choice in self.to.items() if choice != self.shown[id]}
        to = {id: self.to[id] if id in changed else current.get(id, Choice()) for id in self.to}
        chosen = self.default if self.default != self.default_shown else default
        return ModelsForm(to, dict(current), chosen, default, dict.fromkeys(taken, words))


def was(choice: Choice) -> str:
    """What goes along with the form, for `read`."""
    return f"{int(choice.enabled)}:{choice.note}"


def _was(text: str) -> Choice:
    enabled, _sign, note = text.partition(":")
    if enabled not in ("0", "1"):
        raise ValueError("was")
    return Choice(enabled == "1", note)


def _id(data: QueryDict, name: str) -> UUID | None:
    text: Any = data.get(name, "")
    return UUID(text) if text else None


def _tidy(note: str) -> str:
    """One line, without what no database takes."""
    return " ".join(note.replace("\0", "").split())
