"""Audit entries in words: what was done, in one sentence, and what it changed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from playground.domain.money import dollars
from playground.models import AuditEntry, Membership, Role, User

Words = str | Promise

KINDS: dict[str, Words] = {
    "member_invited": gettext_lazy("Made an invitation as %(role)s (%(to)s)"),
    "invitation_revoked": gettext_lazy("Revoked an invitation as %(role)s (%(to)s)"),
    "invitation_left_behind": gettext_lazy(
        "An invitation as %(role)s (%(to)s) ended: the member of the team whose address that was has another now"
    ),
    "invitation_accepted": gettext_lazy("Took an invitation, and is %(role)s"),
    "member_changed": gettext_lazy("Changed what %(name)s may do"),
    "member_added": gettext_lazy("%(name)s was added on the server, as %(role)s"),
    "signin_link_made": gettext_lazy("A sign-in link for %(name)s was made on the server"),
    "member_removed": gettext_lazy("Removed %(name)s (%(role)s) from the team"),
    "member_left": gettext_lazy("Left the team (%(role)s)"),
    "team_made": gettext_lazy("Made the team"),
    "team_changed": gettext_lazy("Changed the team's settings"),
    "videos_trashed_by_age": gettext_lazy("%(videos)s videos older than %(days)s days moved to the trash"),
    "videos_trashed_left_behind": gettext_lazy(
        "%(videos)s private videos moved to the trash, %(days)s days after their owner left the team"
    ),
    "owner_found_gone": gettext_lazy("Private videos were found whose owner is not in the team any more"),
    "limits_accepted": gettext_lazy("Accepted the limits"),
    "limits_changed": gettext_lazy("Changed the limits"),
    "spending_paused": gettext_lazy("Paused all spending"),
    "spending_resumed": gettext_lazy("Let spending go on"),
    "budget_request_granted": gettext_lazy("Granted a request for more money (%(total)s)"),
    "budget_request_declined": gettext_lazy("Declined a request for more money (%(total)s)"),
    "unclear_sent_again": gettext_lazy("Had an unclear order sent again"),
    "unclear_closed": gettext_lazy("Closed an unclear order: it never ran"),
    "unclear_adopted": gettext_lazy("Gave the gateway's id of an unclear order"),
    "gateway_paused": gettext_lazy("The gateway %(name)s was paused: %(reason)s"),
    "gateway_resumed": gettext_lazy("The gateway %(name)s goes on"),
    "gateway_connected": gettext_lazy("Connected the gateway %(name)s (%(address)s)"),
    "gateway_changed": gettext_lazy("Changed what is said of the gateway %(name)s"),
    "gateway_key_replaced": gettext_lazy("Replaced the key of the gateway %(name)s"),
    "gateway_chosen": gettext_lazy("Had the team order from %(name)s"),
    "gateway_removed": gettext_lazy("Removed the gateway %(name)s and its key"),
    "models_changed": gettext_lazy("Changed which models are offered"),
    "link_made": gettext_lazy("Made a share link for %(name)s"),
    "link_changed": gettext_lazy("Changed the share link for %(name)s"),
    "link_revoked": gettext_lazy("Revoked the share link for %(name)s"),
    "link_restored": gettext_lazy("Brought back the share link for %(name)s, with its collection"),
    "member_signed_up": gettext_lazy("Came by an allowed address, and is %(role)s"),
    "second_factor_reset": gettext_lazy("A second factor was taken away on the server"),
    "address_proven": gettext_lazy("Confirmed an address by its mailbox; what signed in before has ended"),
    "email_changed": gettext_lazy("An e-mail address was changed on the server"),
    "secrets_rotated": gettext_lazy("Stored secrets were sealed anew"),
    "unreadable_secrets_forgotten": gettext_lazy("Stored secrets that could not be opened were forgotten"),
    "repaired": gettext_lazy("Repaired: %(thing)s"),
    "restored": gettext_lazy("Restored a backup"),
}
"""Every kind that is recorded; a test looks through the code for others."""

FOR_ALL = ("gateway_paused", "gateway_resumed", "restored", "secrets_rotated", "unreadable_secrets_forgotten")
"""Kinds of the whole installation that every team reads, without what else is in them."""

FIELDS: dict[str, Words] = {
    "role": gettext_lazy("Role"),
    "sees_spend": gettext_lazy("Sees spend"),
    "name": gettext_lazy("Name"),
    "retention_days": gettext_lazy("Days until the trash"),
    "link_days": gettext_lazy("Days a link is good for"),
    "links_may_be_endless": gettext_lazy("Links may be endless"),
    "link_shows_prompt": gettext_lazy("Links show the prompt"),
    "link_allows_download": gettext_lazy("Links allow the download"),
    "link_has_previews": gettext_lazy("Links have a picture in messengers"),
    "link_takes_marks": gettext_lazy("Links take marks and notes"),
    "allow_unpriced": gettext_lazy("Videos without a known price"),
    "monthly_cap_micros": gettext_lazy("Limit of the team, a month"),
    "member_cap_micros": gettext_lazy("Limit of each member, a month"),
    "confirm_above_micros": gettext_lazy("Ask once more above"),
    "time_zone": gettext_lazy("Time zone"),
}

OTHERS: dict[str, Words] = {
    "email": gettext_lazy("E-mail address"),
    "links": gettext_lazy("Links ended"),
    "invitations": gettext_lazy("Invitations ended"),
    "done": gettext_lazy("Done"),
    "upstream_id": gettext_lazy("Id at the gateway"),
    "generation": gettext_lazy("Order"),
}
"""What else is said of an entry, besides what was changed."""


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "?"


@dataclass(frozen=True, slots=True)
class Said:
    """One line of the page. `who` "" is the program itself."""

    entry: AuditEntry
    who: str
    what: str
    details: list[str]


def kind_label(kind: str) -> str:
    """For the filter: the words without what differs from entry to entry."""
    text = str(KINDS.get(kind, kind.replace("_", " ").capitalize()))
    for gone in (
        " as %(role)s (%(to)s)",
        ", as %(role)s",
        " (%(role)s)",
        " (%(total)s)",
        ": %(reason)s",
        ": %(thing)s",
        " (%(address)s)",
    ):
        text = text.replace(gone, "")
    return text % _Blank()


class _Blank(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "…"


class Book:
    """All words as the reader's language has them, looked up once for many entries."""

    def __init__(self) -> None:
        self.kinds = {kind: str(words) for kind, words in KINDS.items()}
        self.fields = {name: str(words) for name, words in FIELDS.items()}
        self.others = {name: str(words) for name, words in OTHERS.items()}
        self.roles = {role.value: str(role.label) for role in Role}
        self.none, self.yes, self.no = _("none"), _("yes"), _("no")
        self.whoever = _("whoever has the link")
        self.limit_of, self.gone = _("Limit of %(name)s"), _("someone who is no longer here")

    def sentence(self, kind: str, data: Mapping[str, Any]) -> str:
        words = self.kinds.get(kind)
        if words is None:
            return kind_label(kind)
        if "%(" not in words:
            return words % ()
        known = _Known({name: str(value) for name, value in data.items() if not isinstance(value, dict | list)})
        known["role"] = self._value("role", data.get("role"))
        known["to"] = data.get("email") or self.whoever
        if "%(total)s" in words:
            known["total"] = dollars(int(data.get("total_micros", 0)), rounding="up")
        return words % known

    def details(self, kind: str, data: Mapping[str, Any], people: Mapping[str, str]) -> list[str]:
        """`Role: Admin -> Creator`, one for each thing that was changed. Without what the sentence says itself."""
        lines = [
            self._change(self.fields.get(name, name), name, value) for name, value in data.items() if _is_change(value)
        ]
        if isinstance(data.get("sees_spend"), bool):
            lines.append(f"{self.fields['sees_spend']}: {self._value('sees_spend', data['sees_spend'])}")
        members = data.get("members")
        for id, value in members.items() if isinstance(members, dict) else ():
            if _is_change(value):
                label = self.limit_of % {"name": people.get(id, self.gone)}
                lines.append(self._change(label, "monthly_cap_micros", value))
        is_said = "email" if "%(to)s" in self.kinds.get(kind, "") else ""
        lines += [f"{label}: {data[name]}" for name, label in self.others.items() if name != is_said and data.get(name)]
        return lines

    def _change(self, label: str, name: str, value: Mapping[str, Any]) -> str:
        return f"{label}: {self._value(name, value['was'])} → {self._value(name, value['is'])}"

    def _value(self, name: str, value: Any) -> str:
        if value is None:
            return self.none
        if isinstance(value, bool):
            return self.yes if value else self.no
        if name.endswith("_micros"):
            return dollars(int(value))
        return self.roles.get(value, str(value)) if name == "role" and isinstance(value, str) else str(value)


def said(entries: Iterable[AuditEntry], *, to: Membership) -> list[Said]:
    """In words for this admin. Of an entry of the whole installation only the sentence, and who did it if it was one
    of the team: other teams are not told of.
    """
    entries, book = list(entries), Book()
    mine = set(Membership.objects.filter(team_id=to.team_id).values_list("user_id", flat=True))
    people = names(entry.data for entry in entries)
    lines = []
    for entry in entries:
        is_ours = entry.team_id is not None
        who = entry.by_name if is_ours or entry.by_id in mine else (_("An admin") if entry.by_name else "")
        details = book.details(entry.kind, entry.data, people) if is_ours else []
        lines.append(Said(entry, who, book.sentence(entry.kind, entry.data), details))
    return lines


def sentence(entry: AuditEntry) -> str:
    return Book().sentence(entry.kind, entry.data)


def _is_change(value: Any) -> bool:
    return isinstance(value, dict) and {"was", "is"} <= value.keys()


def names(data: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Of the members that the data of some entries speak of."""
    ids = {id for one in data if isinstance(members := one.get("members"), dict) for id in members}
    return {str(user.id): user.display_name for user in User.objects.filter(id__in=ids)} if ids else {}
