"""A price as a page shows it, with what this team and member may do and have left."""

from dataclasses import dataclass
from datetime import date, datetime

from playground.domain import money
from playground.services.budgets import UNPRICED_A_MONTH
from playground.services.price_checks import QuoteState


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, or why there is none. `field` names the form field that would help, `message` is for a person.

    `gives_no_price`: the gateway has no prices to give, so waiting or other settings would not help; only then may a
    team that allows it order without one (`may_go_unpriced`).

    What is left of `month`, and of how much (`cap_micros`), is that of the team's or the member's own limit, whichever
    leaves less; None without a limit. What other orders set aside is not left. An order needs room for what it sets
    aside itself, which is more than its price: see `set_aside_micros`. Play money has no limits at all.
    """

    state: QuoteState
    count: int
    seconds: int
    unit_micros: int | None = None
    provider: str = ""
    checked_at: datetime | None = None
    field: str = ""
    message: str = ""
    gives_no_price: bool = False
    may_go_unpriced: bool = False
    is_play_money: bool = False
    left_micros: int | None = None
    cap_micros: int | None = None
    is_own_limit: bool = False
    month: date | None = None
    time_zone: str = ""
    is_paused: bool = False
    """An admin paused all spending of the team."""
    lacks_limits: bool = False
    """No admin has accepted or changed the team's limits yet."""
    confirm_above_micros: int | None = None
    unpriced_left: int | None = None
    """How many more videos without a known price the month takes; None: any number."""

    @property
    def total_micros(self) -> int | None:
        return None if self.unit_micros is None else self.unit_micros * self.count

    @property
    def per_second_micros(self) -> int | None:
        return None if self.unit_micros is None else self.unit_micros // self.seconds

    @property
    def set_aside_micros(self) -> int:
        """What all of it together sets aside; nothing where the price is not known."""
        return 0 if self.unit_micros is None else self.count * money.set_aside_micros(self.unit_micros)

    @property
    def is_closed(self) -> bool:
        return self.is_paused or self.lacks_limits

    @property
    def is_over_budget(self) -> bool:
        """Without a price too: of a limit that is used up nothing more is ordered."""
        if self.is_over_count:
            return True
        return self.left_micros is not None and (self.set_aside_micros > self.left_micros or not self.left_micros)

    @property
    def is_over_count(self) -> bool:
        """More videos without a known price than the month still takes."""
        return self.unit_micros is None and self.unpriced_left is not None and self.count > self.unpriced_left

    @property
    def unpriced_a_month(self) -> int:
        return UNPRICED_A_MONTH

    @property
    def one_fits(self) -> bool:
        """Too much for the budget, and yet one video of it is not."""
        if self.left_micros is None or self.unit_micros is None or self.count == 1:
            return False
        return money.set_aside_micros(self.unit_micros) <= self.left_micros and self.is_over_budget

    @property
    def needs_confirmation(self) -> bool:
        """Above the team's threshold; and without a price always, since no threshold can tell."""
        total, above = self.total_micros, self.confirm_above_micros
        if total is None:
            return self.may_go_unpriced and not self.is_play_money
        return above is not None and total > above

    def is_confirmed(self, micros: int | None, unpriced: int | None) -> bool:
        """Whether `micros`, or without a price so many videos (`unpriced`), cover what is asked about once more."""
        total = self.total_micros
        return not self.needs_confirmation or (
            (unpriced or 0) >= self.count if total is None else (micros or 0) >= total
        )
