"""What left a gateway's account between two looks at it, against what is known to have been charged in that time.

The balance knows of spending that no list and no ledger has: somebody else's with the same key or account. Of a charge
it is only known between which moments it was booked: not before the order was asked for, and not after its cost was
here. So the charges of a time lie between a least and a most, and only what is outside of both is a difference.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Min, Q, Sum

from playground.gateway.request_log import LoggedRequest
from playground.models import BalanceLook, EntryKind, Gateway, LedgerEntry
from playground.services.reconcile_rules import ENDED_THERE

LAG = timedelta(minutes=2)
"""A balance may lag behind, and the gateway's clock may differ from ours."""
BOOKED_WITHIN = timedelta(minutes=45)
"""After it was asked for, an order whose cost did not come here is booked by then: none takes longer to be made."""
READ_BACK = timedelta(days=1)
"""A late result costs so long after its order at most."""
LONGEST_GAP = timedelta(days=40)
"""After a longer time the comparison begins anew: the list of so long a time is too much to read for it."""
ROUNDING = 10_000
"""Micros. Some gateways round the balance to a cent."""
SOON = timedelta(minutes=1)
"""Comparisons of two months that are begun together look once."""
KEPT = timedelta(days=400)
BATCH = 500


@dataclass(frozen=True, slots=True)
class Charge:
    """`micros` were booked between the two moments. `is_sure`: that they were booked at all."""

    micros: int
    earliest: datetime
    latest: datetime
    is_sure: bool = True


def look(
    gateway: Gateway,
    available: int,
    *,
    read: Callable[[datetime, datetime], list[LoggedRequest] | None],
    now: datetime,
) -> BalanceLook | None:
    """Keep a look at the balance; None when another was faster, which has told what there is to tell.

    `read` gives the list of requests between two moments, None where there is none.
    """
    if BalanceLook.objects.filter(gateway=gateway, at__gt=now - SOON).exists():
        return None
    earlier = before(gateway, now=now)
    charges: Iterable[Charge] = ()
    if earlier is not None:
        entries = read(earlier.at - READ_BACK, now + READ_BACK)
        charges = of_ledger(gateway, after=earlier.at) if entries is None else of_list(gateway, entries)
        charges = list(charges)
    with transaction.atomic():
        Gateway.objects.select_for_update().get(id=gateway.id)
        if before(gateway, now=now) != earlier:
            return None
        return _noted(gateway, available, charges, earlier, now=now)


def differing(gateway: Gateway, month: date) -> list[BalanceLook]:
    """The looks of a month, by the calendar of UTC, after which the account did not have what it should."""
    found = BalanceLook.objects.filter(gateway=gateway, at__year=month.year, at__month=month.month)
    return list(found.exclude(difference_micros=0).select_related("gateway").order_by("-at"))


def before(gateway: Gateway, *, now: datetime) -> BalanceLook | None:
    """The look that the next one is compared with."""
    return BalanceLook.objects.filter(gateway=gateway, at__gt=now - LONGEST_GAP, at__lt=now).order_by("-at").first()


def _noted(
    gateway: Gateway, available: int, charges: Iterable[Charge], earlier: BalanceLook | None, *, now: datetime
) -> BalanceLook:
    found = BalanceLook(gateway=gateway, at=now, available_micros=available)
    if earlier is not None:
        found.since_at = earlier.at
        found.change_micros = available - earlier.available_micros
        found.least_micros, found.most_micros = bounds(charges, after=earlier.at, upto=now)
        found.ours_micros = _settled(gateway, after=earlier.at, upto=now)
        found.difference_micros = difference(
            earlier.available_micros, available, least=found.least_micros, most=found.most_micros
        )
    found.save()
    BalanceLook.objects.filter(gateway=gateway, at__lt=now - KEPT).delete()
    return found


def bounds(charges: Iterable[Charge], *, after: datetime, upto: datetime) -> tuple[int, int]:
    """The least and the most that these charges took from the account in this time, in micros."""
    least = most = 0
    for charge in charges:
        earliest, latest = charge.earliest - LAG, charge.latest + LAG
        if latest <= after or earliest > upto:
            continue
        most += charge.micros
        if charge.is_sure and charge.earliest >= after and latest <= upto:
            least += charge.micros
    return least, most


def difference(was: int, now: int, *, least: int, most: int) -> int:
    """Micros that came in (above 0) or left (below 0) beside the charges; 0 when these explain the change.

    A debt is told as nothing left: then less or more may have moved than can be seen.
    """
    left = was - now
    if left > most + ROUNDING and was:
        return most - left
    if left < least - ROUNDING and now:
        return least - left
    return 0


def of_list(gateway: Gateway, entries: Iterable[LoggedRequest]) -> Iterator[Charge]:
    """The charges that a gateway's list names; of our own orders the moment their cost was here bounds them."""
    entries = [entry for entry in entries if entry.created_at is not None]
    for begin in range(0, len(entries), BATCH):
        batch = entries[begin : begin + BATCH]
        known = _money(gateway, Q(generation_id__in=[UUID(hex=e.trace_id) for e in batch if _is_trace(e.trace_id)]))
        for entry in batch:
            held, settled_at = known.get(entry.trace_id, (0, None))
            assert entry.created_at is not None
            latest = settled_at or entry.created_at + BOOKED_WITHIN
            if entry.cost_micros is not None:
                yield Charge(entry.cost_micros, entry.created_at, latest, entry.state in ENDED_THERE)
            elif entry.state not in ENDED_THERE and held:
                yield Charge(held, entry.created_at, latest, is_sure=False)


def _is_trace(text: str) -> bool:
    return len(text) == 32 and all(letter in "0123456789abcdef" for letter in text)


def of_ledger(gateway: Gateway, *, after: datetime) -> Iterator[Charge]:
    """Our own costs, for a gateway that tells its balance and keeps no list."""
    for row in LedgerEntry.objects.filter(gateway=gateway, kind=EntryKind.SETTLE, at__gt=after - LAG).values_list(
        "amount_micros", "generation__created_at", "at"
    ):
        yield Charge(*row)
    still = LedgerEntry.objects.filter(gateway=gateway, kind=EntryKind.HOLD, at__gt=after - LONGEST_GAP)
    still = still.exclude(generation__ledger__kind__in=(EntryKind.SETTLE, EntryKind.RELEASE))
    for micros, at in still.values_list("amount_micros", "at"):
        yield Charge(micros, at, datetime.max.replace(tzinfo=at.tzinfo) - LAG, is_sure=False)


def _money(gateway: Gateway, which: Q) -> dict[str, tuple[int, datetime | None]]:
    """By trace: what was set aside for the order, and when its cost came."""
    rows = LedgerEntry.objects.filter(which, gateway=gateway).order_by().values_list("generation_id")
    is_hold, is_cost = Q(kind=EntryKind.HOLD), Q(kind=EntryKind.SETTLE)
    found = rows.annotate(held=Max("amount_micros", filter=is_hold), cost_at=Min("at", filter=is_cost))
    return {id.hex: (held or 0, at) for id, held, at in found}


def _settled(gateway: Gateway, *, after: datetime, upto: datetime) -> int:
    rows = LedgerEntry.objects.filter(gateway=gateway, kind=EntryKind.SETTLE, at__gt=after, at__lte=upto)
    return rows.aggregate(sum=Sum("amount_micros"))["sum"] or 0
