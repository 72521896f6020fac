"""What the page of the comparison shows: its gateway, the last result, and both sides' figures for this team."""

from datetime import date
from typing import Any

from playground.models import (
    EntryKind,
    Gateway,
    Generation,
    LedgerEntry,
    Membership,
    Reconciliation,
    ReconciliationState,
)
from playground.services import balance_looks, catalogue, reconcile
from playground.services.reconcile_rules import Tally
from playground.services.reconcile_words import findings, of_balance, outcome


def gateways_of(by: Membership) -> list[Gateway]:
    """The gateways with real money of this team, the one in use first; the sandbox is none of them."""
    default = catalogue.gateway_of(by.team_id)
    holds = LedgerEntry.objects.filter(team_id=by.team_id, kind=EntryKind.HOLD, gateway__is_sandbox=False)
    used = set(holds.order_by().values_list("gateway_id", flat=True).distinct())
    found = Gateway.objects.filter(id__in=used if default.is_sandbox else used | {default.id}).order_by("name")
    return sorted(found, key=lambda gateway: gateway.id != default.id)


def result(by: Membership, gateway: Gateway, month: date) -> dict[str, Any]:
    """The last comparison of that month for the template; `found` None: there was none yet."""
    found = reconcile.newest(gateway, month)
    if found is None or found.state == ReconciliationState.RUNNING:
        return {"found": found, "is_under_way": found is not None and reconcile.is_under_way(found)}
    told = findings(found, team_id=str(by.team_id))
    runs = _runs(by, [one.order_id for one in told if one.order_id])
    looks = balance_looks.differing(gateway, month)
    spent = [look for look in looks if look.difference_micros < 0]
    words, tone = outcome(found, gateway, count=len(told) + len(spent))
    tally = found.result.get("tallies", {}).get(str(by.team_id), {})
    balance = found.result.get("balance_micros")
    return {
        "found": found,
        "is_under_way": False,
        "findings": [(one, runs.get(one.order_id)) for one in told],
        "looks": [(*of_balance(look), look.difference_micros < 0) for look in looks],
        "words": words,
        "tone": tone,
        "tally": tally or Tally(),
        "balance": balance,
        "is_short": balance is not None and balance < tally.get("aside", 0),
        "is_compared": found.state == ReconciliationState.CHECKED,
        "is_cut": _is_cut(found),
    }


def _runs(by: Membership, order_ids: list[str]) -> dict[str, Any]:
    """The run of each order, to lead there."""
    rows = Generation.objects.visible_to(by).filter(id__in=order_ids).values_list("id", "run_id")
    return {str(id): run_id for id, run_id in rows}


def _is_cut(found: Reconciliation) -> bool:
    return bool(found.result.get("difference_count", 0) > len(found.result.get("differences", [])))
