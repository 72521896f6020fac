"""`manage.py reconcile`: our ledger against what the gateway says it charged."""

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from playground.domain.money import unit_dollars
from playground.domain.months import read_month
from playground.models import Gateway, Reconciliation, ReconciliationState
from playground.services import balance_looks, catalogue, reconcile
from playground.services.reconcile_words import Finding, findings, of_balance, outcome


class Command(BaseCommand):
    help = "Compare the ledger of a month with what the gateway charged. Ends with 1 when they differ, with 2 when they could not be compared. Changes no money."  # noqa: E501

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--month", default="", metavar="YYYY-MM", help="default: this month (UTC)")
        parser.add_argument("--gateway", default="", metavar="SLUG", help="default: the one that orders go to")

    def handle(self, *args: Any, **options: Any) -> None:
        gateway, month = _gateway(options["gateway"]), _month(options["month"])
        found = reconcile.run_now(gateway=gateway, month=month)
        told = findings(found)
        looks = balance_looks.differing(gateway, month)
        listed = found.result.get("difference_count", 0)
        count = listed + sum(look.difference_micros < 0 for look in looks)
        words, _tone = outcome(found, gateway, count=count)
        if found.state == ReconciliationState.FAILED:
            raise CommandError(words, returncode=2)
        self.stdout.write(f"{gateway.name}, {month:%Y-%m}")
        for line in (*_figures(found), *(_line(one) for one in told)):
            self.stdout.write(line)
        if listed > len(told):
            self.stdout.write(f"... and {listed - len(told)} more")
        for look in looks:
            self.stdout.write("- " + " ".join(of_balance(look)))
        self.stdout.write(words)
        if count:
            raise CommandError("The ledger and the gateway differ.", returncode=1)


def _gateway(slug: str) -> Gateway:
    if not slug:
        return catalogue.default_gateway()
    found = Gateway.objects.filter(slug=slug, team=None).first() or Gateway.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Gateway.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(f"There is no gateway {slug!r}. There are: {known or 'none'}", returncode=2)
    return found


def _month(text: str) -> date:
    if not text:
        return datetime.now(UTC).date().replace(day=1)
    month = read_month(text)
    if month is None:
        raise CommandError(f"{text!r} is no month; it is written as in 2026-11.", returncode=2)
    return month


def _figures(found: Reconciliation) -> list[str]:
    result = found.result
    tallies = result["tallies"].values()
    sums = {name: sum(tally[name] for tally in tallies) for name in ("orders", "ours", "theirs", "aside")}
    lines = [
        f"Orders compared: {sums['orders']}, requests in the gateway's list: {result['requests']}",
        f"Cost here: {unit_dollars(sums['ours'])}, at the gateway: {unit_dollars(sums['theirs'])}",
        f"Set aside: {unit_dollars(sums['aside'])}",
    ]
    if found.state == ReconciliationState.NO_LOG:
        lines = [f"Set aside: {unit_dollars(sums['aside'])}"]
    if (left := result["balance_micros"]) is not None:
        short = ", less than what is set aside" if left < sums["aside"] else ""
        lines.append(f"Left on the gateway's account: {unit_dollars(left)}{short}")
    if result["fresh"]:
        lines.append(f"Too recent to be judged: {result['fresh']}")
    if result["others"]:
        lines.append(f"Other requests with the same key, no videos: {result['others']}")
    return lines


def _line(one: Finding) -> str:
    at = one.at.isoformat(timespec="seconds") if one.at else ""
    names = " ".join(filter(None, (one.order_id and f"order {one.order_id}", one.request_id, one.model, at)))
    return f"- {one.sentence} [{names}]"
