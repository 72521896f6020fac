"""What a card says of money, and until when: no more than is known, and of money set aside only where there is some."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from playground.domain.status import LATE_SUCCESS, NEVER_RAN, Status
from playground.models import Generation, Membership
from playground.services.engine import LATE_FOR
from playground.templatetags.lost_files import may_have_been_charged
from playground.templatetags.playground import amount, cost

S = Status
_figures: ContextVar[bool] = ContextVar("figures", default=True)


@contextmanager
def in_the_eyes_of(by: Membership | None) -> Iterator[None]:
    """What is said within names what something cost, or was priced at, only if `by` sees the team's spend."""
    token = _figures.set(by is None or by.may_see_spend)
    try:
        yield
    finally:
        _figures.reset(token)


def is_unsent(generation: Generation) -> bool:
    """It ended while it waited: never sent, or each try surely not taken by the gateway. Only a queued one ends so."""
    return generation.state is S.CANCELLED and generation.submitted_at is None and generation.unclear_at is None


def is_by_word(generation: Generation) -> bool:
    """An admin's word alone says that its first try never ran, and so cost nothing."""
    return generation.error_kind == NEVER_RAN


def is_surely_free(generation: Generation) -> bool:
    """Nothing was sent, the gateway refused the order outright, or it reported a cost of zero and no more is to come.

    Not where an admin's word alone says that it never ran.
    """
    if is_by_word(generation):
        return False
    if generation.state is S.REJECTED or is_unsent(generation):
        return True
    return generation.cost_micros == 0 and generation.next_check_at is None


def charge(generation: Generation, *, silent: bool = False) -> str:
    """What is known about the money. `silent`: say nothing while nothing is known."""
    if is_surely_free(generation):
        return _("Not charged.")
    if not _figures.get():
        return ""
    if generation.cost_micros is None:
        return "" if silent else _unreported(generation)
    if generation.cost_micros == 0 and generation.state in LATE_SUCCESS:
        return _("Not charged so far.")
    paid = _("Cost %(amount)s.") % {"amount": cost(generation.cost_micros)}
    if generation.gateway.is_sandbox:
        paid = _("Cost %(amount)s in play money.") % {"amount": cost(generation.cost_micros)}
    estimate = generation.estimate_micros
    if estimate is not None and cost(estimate) != cost(generation.cost_micros):
        return f"{paid} {_('The price was %(amount)s.') % {'amount': cost(estimate)}}"
    return paid


def is_lost_unpriced(generation: Generation) -> bool:
    """Made and not saved, with nothing known of its money."""
    unknown = generation.estimate_micros is None and generation.cost_micros is None
    return generation.state is S.OUTPUT_LOST and unknown


def _counted(generation: Generation, estimate_micros: int) -> str:
    """Made, and no cost told with it: then the ledger has the price."""
    words = _("No cost reported; its price of %(amount)s is counted.")
    if generation.gateway.is_sandbox:
        words = _("No cost reported; its price of %(amount)s in play money is counted.")
    return words % {"amount": cost(estimate_micros)}


def time_of_day(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%H:%M}" if moment else "-"


def day_and_time(moment: datetime) -> str:
    """With its day, which stays true on a page that is still open then."""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, 'j M')} {local:%H:%M}"


def time_today_or_day(moment: datetime) -> str:
    is_today = timezone.localdate(moment) == timezone.localdate()
    return time_of_day(moment) if is_today else day_and_time(moment)


def _unreported(generation: Generation) -> str:
    """What became of the money where the gateway has named no cost."""
    is_free_again = bool(generation.estimate_micros)
    match generation.state:
        case S.DONE | S.OUTPUT_LOST if generation.estimate_micros is not None:
            return _counted(generation, generation.estimate_micros)
        case S.CANCELLED | S.EXPIRED if generation.next_check_at is not None:
            return _looked_for(generation)
        case S.FAILED | S.LOST | S.CANCELLED | S.EXPIRED if is_free_again:
            return _("No charge was reported; the money set aside is free again.")
        case S.DONE:
            return _("No cost reported.")
        case S.OUTPUT_LOST:
            return may_have_been_charged()
        case S.FAILED | S.LOST | S.CANCELLED | S.EXPIRED:
            return _("No charge was reported.")
        case _:
            return _("No charge reported yet.")


def _looked_for(generation: Generation) -> str:
    """It may have been made after all: until when somebody looks, and whether money waits for it meanwhile.

    An order of an account that is not asked any more is looked for longer: then no time is named.
    """
    ends_at = generation.ended_at + LATE_FOR if generation.ended_at else None
    until = day_and_time(ends_at) if ends_at and ends_at > timezone.now() else ""
    # What was given back once, as of an order that was cancelled before its answer came, is not set aside anew.
    is_aside = bool(generation.estimate_micros) and not generation.is_late
    if not until:
        words = _("No charge reported yet. Its money stays set aside while it is looked for.")
        return words if is_aside else _("No charge reported yet. It is looked for.")
    words = _("No charge reported yet. It is looked for until %(time)s.")
    if is_aside:
        words = _("No charge reported yet. Its money stays set aside while it is looked for, until %(time)s.")
    return words % {"time": until}


def may_cost(generation: Generation) -> str:
    """Of one under way without a price, which no button and no price panel says either; "" of every other."""
    return _("It may cost something.") if generation.estimate_micros is None else ""


def stopping(generation: Generation) -> str:
    """Of one that was asked to stop."""
    if generation.estimate_micros is None or not _figures.get():
        return _("Stopping. It may still cost something.")
    return _("Stopping. It may still cost %(amount)s.") % {"amount": amount(generation.estimate_micros)}


def stop_label(generation: Generation) -> str:
    if generation.estimate_micros is None or not _figures.get():
        return _("Stop - may still cost something")
    return _("Stop - may still cost %(amount)s") % {"amount": amount(generation.estimate_micros)}


def may_have_cost(generation: Generation) -> str:
    """Of an order without a clear answer."""
    if generation.estimate_micros is None or not _figures.get():
        return _("It may have cost something.")
    told = {"amount": amount(generation.estimate_micros)}
    if generation.gateway.is_sandbox:
        return _("It may have cost %(amount)s in play money.") % told
    return _("It may have cost %(amount)s.") % told
