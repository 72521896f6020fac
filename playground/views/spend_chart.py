"""The bars of a month: plain numbers for an SVG that the template draws.

The picture is stretched to its box, so it holds bars and lines only; words stand beside it as HTML. Its own units are
10 across for each day and 100 upwards.
"""

from dataclasses import dataclass
from datetime import date

from playground.domain.sums import Sums
from playground.services.spend import Day

HEIGHT = 100
STEP = 10
BAR = 8
LEAST = 1.5
"""An amount that is not zero is never invisible."""


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    sums: Sums
    x: int
    cost_y: float
    cost_height: float
    aside_y: float
    aside_height: float
    is_labelled: bool
    """Each seventh day from the first."""


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    width: int
    top_micros: int
    """What the upper edge stands for."""

    @property
    def middle_micros(self) -> int:
        return self.top_micros // 2


def chart(days: list[Day]) -> Chart | None:
    """None for a month in which no day has an amount: there is nothing to draw."""
    highest = max((day.sums.cost + day.sums.aside for day in days), default=0)
    if not highest:
        return None
    top = round_up(highest)
    return Chart([_bar(number, day, top) for number, day in enumerate(days)], len(days) * STEP, top)


def round_up(micros: int) -> int:
    """The next amount of one digit with zeros behind it, whose half is a whole cent too."""
    step = 10_000
    while True:
        for digit in (1, 2, 3, 4, 5, 6, 8, 10):
            if micros <= digit * step and digit * step % 20_000 == 0:
                return digit * step
        step *= 10


def _bar(number: int, day: Day, top: int) -> Bar:
    cost, aside = (_height(micros, top) for micros in (day.sums.cost, day.sums.aside))
    return Bar(
        day=day.day,
        sums=day.sums,
        x=number * STEP + (STEP - BAR) // 2,
        cost_y=round(HEIGHT - cost, 2),
        cost_height=cost,
        aside_y=round(HEIGHT - cost - aside, 2),
        aside_height=aside,
        is_labelled=number % 7 == 0,
    )


def _height(micros: int, top: int) -> float:
    return max(LEAST, round(HEIGHT * micros / top, 2)) if micros else 0.0
