"""Words for the pages of money. Templates say `{% load spending %}`."""

from datetime import date

from django import template
from django.utils import formats
from django.utils.translation import gettext as _

from playground.domain import money
from playground.domain.sums import Sums

register = template.Library()


@register.filter
def difference(sums: Sums) -> str:
    """How cost and price differ: `+$0.40 (4% more)`, `none`; empty where there is nothing to compare."""
    if not sums.priced and not sums.compared:
        return ""
    if not sums.beyond:
        return _("none")
    amount = signed(sums.beyond)
    if not sums.priced:
        return amount
    share = abs(sums.beyond) * 100 / sums.priced
    percent = _("less than 1") if share < 1 else f"{share:,.0f}"
    words = _("%(amount)s (%(percent)s%% more)") if sums.beyond > 0 else _("%(amount)s (%(percent)s%% less)")
    return words % {"amount": amount, "percent": percent}


@register.filter
def month_name(first_day: str) -> str:
    """`2026-11-01`, as notices keep it, reads `November 2026`."""
    return formats.date_format(date.fromisoformat(first_day), "F Y")


@register.filter
def signed(micros: int) -> str:
    """`+$0.40`, `-$0.10`; below a cent with all its decimals, so that no difference reads as none."""
    sign = "-" if micros < 0 else "+"
    size = abs(micros)
    return sign + (money.dollars(size) if size >= money.MICROS_PER_CENT else money.unit_dollars(size))
