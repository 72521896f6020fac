"""What a month may cost: standing limits, the month's counters, and what they leave.

Limits stand on the team and on its members. A month's counter takes its cap from them when it is made, and whenever an
admin changes them (`services/limits.py`), so that an order is accepted or refused by one row alone. Both lock the row
of the team first: a counter that is made while a limit changes cannot keep the old one.
"""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from playground.domain import months
from playground.domain.status import NEVER_RAN, Status
from playground.models import Budget, EntryKind, Generation, LedgerEntry, Membership, Team, User

SUGGESTED_CAP_MICROS = 50_000_000
"""$50 a month, offered where no admin has set a limit yet: some sixty videos of 8 s at $0.10 a second."""
SUGGESTED_CONFIRM_MICROS = 5_000_000
"""$5 a run: four such videos at once cost $3.20, so usual runs are not asked about and a slip of the finger is."""
UNPRICED_A_MONTH = 20
"""Videos without a known price that a month with a limit takes while nobody knows what they cost: a bound where no sum
can be one, and a working day's worth of tries.
"""


_UNSENT = Q(
    generation__status=Status.CANCELLED, generation__submitted_at__isnull=True, generation__unclear_at__isnull=True
)
_TOLD_FREE = Q(generation__cost_micros=0, generation__next_check_at__isnull=True)
_SURELY_FREE = (Q(generation__status=Status.REJECTED) | _UNSENT | _TOLD_FREE) & ~Q(generation__error_kind=NEVER_RAN)
"""As a card says "Not charged" of an order without a cost (views/card_money.py)."""


@dataclass(frozen=True, slots=True)
class Left:
    """What the tighter one of the team's and the member's own limit leaves of a month; None without any limit."""

    month: date
    micros: int | None = None
    cap_micros: int | None = None
    is_own: bool = False
    """The member's own limit is the tighter one."""


def month_of(team: Team, at: datetime) -> date:
    """First day of the month of `at` on the team's wall calendar."""
    return months.month_of(at, team.time_zone)


def member_cap(team: Team, membership: Membership | None) -> int | None:
    """A member's own limit, else the team's for members. Who left the team counts like a member without their own."""
    own = membership.monthly_cap_micros if membership else None
    return team.member_cap_micros if own is None else own


def counters(*, team_id: UUID, user_id: UUID | None, month: date) -> list[Budget]:
    """The counter of the team and then that of `user_id`, if given; made when missing. Call inside a transaction.

    Always in this order, so that two orders that wait for each other's counters cannot block one another.
    """
    wanted = [None] if user_id is None else [None, user_id]
    found = _found(team_id, user_id, month)
    if any(user not in found for user in wanted):
        _make(team_id, [user for user in wanted if user not in found], month)
        found = _found(team_id, user_id, month)
    return [found[user] for user in wanted]


def take(budget: Budget, amount_micros: int) -> bool:
    """Set `amount_micros` aside if the cap leaves room for it. One conditional UPDATE; False when there was none."""
    room = Q(cap_micros__isnull=True) | Q(cap_micros__gte=F("held_micros") + F("spent_micros") + amount_micros)
    rows = Budget.objects.filter(room, id=budget.id)
    return bool(rows.update(held_micros=F("held_micros") + amount_micros))


def unpriced_left(team: Team, *, at: datetime, user_id: UUID | None = None) -> int | None:
    """How many more videos without a known price the month of `at` takes; None: any number, as there is no limit.

    With `user_id` of that member, whose own limit counts too.
    """
    rooms = [UNPRICED_A_MONTH - used for used in _unpriced_under_limits(team, user_id, month_of(team, at))]
    return max(0, min(rooms)) if rooms else None


def takes_unpriced(team_id: UUID, user_id: UUID | None, month: date) -> bool:
    """Whether the month takes the orders without a known price that this transaction has entered, besides all others.

    Holds the team's row to the end of the transaction, so whoever comes next counts them too.
    """
    return all(used <= UNPRICED_A_MONTH for used in _unpriced_under_limits(lock(team_id), user_id, month))


def _unpriced_under_limits(team: Team, user_id: UUID | None, month: date) -> list[int]:
    """What `_unpriced` counts for the team if it has a limit, and for the member if they have."""
    used = [_unpriced(team.id, month).count()] if team.monthly_cap_micros is not None else []
    if user_id is not None and member_cap(team, _membership(team.id, user_id)) is not None:
        used.append(_unpriced(team.id, month).filter(user_id=user_id).count())
    return used


def _unpriced(team_id: UUID, month: date) -> QuerySet[LedgerEntry]:
    """Entries of the month that set nothing aside for want of a price and have no cost by now, failed ones included.

    Not those that surely cost nothing, refused outright or never sent: a prompt that is refused uses up no month. One
    of which only an admin said that it never ran counts.
    """
    settled = LedgerEntry.objects.filter(generation=OuterRef("generation"), kind=EntryKind.SETTLE)
    holds = LedgerEntry.objects.filter(
        ~Exists(settled), team_id=team_id, month=month, kind=EntryKind.HOLD, gateway__is_sandbox=False, amount_micros=0
    )
    return holds.filter(generation__estimate_micros=None).exclude(_SURELY_FREE)


def left_of(by: Membership, *, at: datetime) -> Left:
    """What the month of `at` leaves this member. A month without a counter has its whole limit left."""
    month = month_of(by.team, at)
    found = _found(by.team_id, by.user_id, month)
    limits = [
        (max(0, cap - used), cap, is_own)
        for user, standing, is_own in (
            (None, by.team.monthly_cap_micros, False),
            (by.user_id, member_cap(by.team, by), True),
        )
        for cap, used in [_cap_and_used(found.get(user), standing)]
        if cap is not None
    ]
    return Left(month, *min(limits)) if limits else Left(month)


def lock(team_id: UUID) -> Team:
    """The team's row, nobody else's to change before the end of the transaction: limits and counters are made under it.

    Not the strongest lock: rows that merely name the team are made meanwhile.
    """
    return Team.objects.select_for_update(no_key=True).get(id=team_id)


def is_open(team: Team) -> bool:
    """False while the team orders nothing that costs: paused, or no admin has accepted its limits yet.

    Where money is moved, ask it of the row that `lock` gave.
    """
    return team.spending_paused_at is None and team.limits_accepted_at is not None


def is_held(generation: Generation) -> bool:
    """Whether its team has paused all spending and it costs: what was not sent waits. Reads the team's row anew."""
    paused = Team.objects.filter(id=generation.team_id, spending_paused_at__isnull=False)
    return not generation.gateway.is_sandbox and paused.exists()


def _cap_and_used(budget: Budget | None, standing_cap: int | None) -> tuple[int | None, int]:
    return (budget.cap_micros, budget.held_micros + budget.spent_micros) if budget else (standing_cap, 0)


def _found(team_id: UUID, user_id: UUID | None, month: date) -> dict[UUID | None, Budget]:
    whose = Q(user=None) if user_id is None else Q(user=None) | Q(user_id=user_id)
    return {row.user_id: row for row in Budget.objects.filter(whose, team_id=team_id, month=month)}


def _make(team_id: UUID, users: list[UUID | None], month: date) -> None:
    with transaction.atomic():
        team = lock(team_id)
        for user_id in users:
            cap = team.monthly_cap_micros if user_id is None else member_cap(team, _membership(team_id, user_id))
            user = User.objects.get(id=user_id) if user_id else None
            Budget.objects.get_or_create(team=team, user=user, month=month, defaults={"cap_micros": cap})


def _membership(team_id: UUID, user_id: UUID) -> Membership | None:
    return Membership.objects.filter(team_id=team_id, user_id=user_id).first()
