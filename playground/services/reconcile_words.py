"""The result of a comparison in sentences: what was found, in both figures, and what an admin can do about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from playground.domain.money import unit_dollars
from playground.models import BalanceLook, Gateway, Reconciliation, ReconciliationState
from playground.services.reconcile_rules import Kind


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference as a person reads it. Amounts are exact, with all their decimals; "" where none is named."""

    sentence: str
    advice: str
    here: str
    there: str
    order_id: str
    request_id: str
    model: str
    at: datetime | None


def findings(found: Reconciliation, *, team_id: str | None = None) -> list[Finding]:
    """All of them; with `team_id` those of its orders and those of no order of anybody."""
    rows = found.result.get("differences", [])
    return [finding(row) for row in rows if team_id is None or row["team_id"] in ("", team_id)]


def finding(row: dict[str, Any]) -> Finding:
    kind = Kind(row["kind"])
    figures = {"here": _amount(row["ours"]), "there": _amount(row["theirs"]), "currency": row["currency"]}
    return Finding(
        sentence=_sentence(kind, row) % figures,
        advice=_advice(kind),
        here=_here(kind, row),
        there=_("not listed") if kind is Kind.SETTLED_HERE else figures["there"],
        order_id=row["order_id"],
        request_id=row["request_id"],
        model=row["model"],
        at=datetime.fromisoformat(row["at"]) if row["at"] else None,
    )


def _amount(micros: int | None) -> str:
    return _("no cost") if micros is None else unit_dollars(micros)


def _here(kind: Kind, row: dict[str, Any]) -> str:
    if kind is Kind.UNKNOWN_THERE:
        return _("no order")
    if kind in (Kind.STILL_ASIDE, Kind.ENDED_THERE) or (kind is Kind.CHARGED_THERE and row["ours"]):
        return _("%(amount)s set aside") % {"amount": _amount(row["ours"])}
    return _amount(row["ours"])


def _sentence(kind: Kind, row: dict[str, Any]) -> str:
    if kind is Kind.UNKNOWN_THERE:
        if row["currency"]:
            return _("The gateway lists an order that is none of ours, with a cost in %(currency)s.")
        if row["theirs"] is None:
            return _("The gateway lists an order that is none of ours. It names no cost for it yet.")
        return _("The gateway charged %(there)s for an order that is none of ours.")
    if kind is Kind.CHARGED_THERE and row["ours"]:
        return _("The gateway charged %(there)s. Here no cost is known for it, and %(here)s is set aside.")
    return {
        Kind.COST_DIFFERS: _("The gateway charged %(there)s, here the cost is %(here)s."),
        Kind.CHARGED_TWICE: _("The gateway charged it more than once, %(there)s in all. Here the cost is %(here)s."),
        Kind.CHARGED_THERE: _("The gateway charged %(there)s. Here no cost is known for it."),
        Kind.SETTLED_HERE: _("Here its cost is %(here)s, but the gateway's list does not have the order."),
        Kind.COST_MISSING: _("Here its cost is %(here)s, but the gateway's list names no cost for it."),
        Kind.CURRENCY: _("The gateway names its cost in %(currency)s, which cannot be compared. Here it is %(here)s."),
        Kind.STILL_ASIDE: _("It has ended, but %(here)s is still set aside. The gateway names no cost for it."),
        Kind.ENDED_THERE: _("The gateway says that it ended without a cost. Here it is unclear: %(here)s set aside."),
    }[kind]


def _advice(kind: Kind) -> str:
    return {
        Kind.COST_DIFFERS: _("Ask the gateway, with the request id, which figure stands."),
        Kind.CHARGED_TWICE: _("Ask the gateway, with the request id, to take the second charge back."),
        Kind.CHARGED_THERE: _("Add it to your own books, and ask the gateway if the video never came."),
        Kind.SETTLED_HERE: _("The gateway may have deleted old entries. Else ask it."),
        Kind.COST_MISSING: _("Compare again later. Else ask the gateway."),
        Kind.CURRENCY: _("Compare it by hand."),
        Kind.STILL_ASIDE: _("Run the repair command; it gives back what is not needed."),
        Kind.ENDED_THERE: _("Close it on the page of unclear orders."),
        Kind.UNKNOWN_THERE: _("Another program may use the same key, or the answer to an order of ours was lost."),
    }[kind]


def of_balance(look: BalanceLook) -> tuple[str, str]:
    """Why the account does not have what it should: a sentence, and what an admin can do about it."""
    came_in = look.difference_micros > 0
    figures = {
        "was": unit_dollars(look.available_micros - look.change_micros),
        "now": unit_dollars(look.available_micros),
        "then": _moment(look.since_at or look.at),
        "at": _moment(look.at),
        "known": unit_dollars(look.least_micros if came_in else look.most_micros),
        "ours": unit_dollars(look.ours_micros),
        "amount": unit_dollars(abs(look.difference_micros)),
    }
    if came_in:
        words = _(
            "The gateway account had %(was)s on %(then)s and %(now)s on %(at)s. It charged %(known)s meanwhile, cost"
            " here %(ours)s: so %(amount)s came in."
        )
        return words % figures, _("That is a top-up, or money that the gateway gave back.")
    words = _(
        "The gateway account had %(was)s on %(then)s and %(now)s on %(at)s. At most %(known)s of that was charged for"
        " orders it lists, cost here %(ours)s: %(amount)s more was spent."
    )
    return words % figures, _("Somebody else may use the same key or account. Else ask the gateway.")


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "j F Y H:i")


def outcome(found: Reconciliation, gateway: Gateway, *, count: int) -> tuple[str, str]:
    """What came of it in a sentence, and its tone: good, warn or bad. `count` differences are shown."""
    if found.state == ReconciliationState.FAILED:
        return _problem(found) % {"gateway": gateway.name, "why": found.result.get("message", "")}, "bad"
    if found.state == ReconciliationState.NO_LOG:
        words = _("%(gateway)s keeps no list of what it charged, so costs cannot be compared.")
        return words % {"gateway": gateway.name}, "warn"
    if not count:
        return _("No difference: what is here is what the gateway charged."), "good"
    if count == 1:
        return _("1 difference."), "bad"
    return _("%(count)d differences.") % {"count": count}, "bad"


def _problem(found: Reconciliation) -> str:
    code = found.result.get("problem")
    if code == "not_configured":
        return _("Nothing was compared: the key of %(gateway)s is not in the environment.")
    if code == "too_slow":
        return _("Nothing was compared: the list of %(gateway)s could not be read within four minutes.")
    return _("Nothing was compared: %(gateway)s could not be read. %(why)s")
