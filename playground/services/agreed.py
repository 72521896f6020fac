"""Whether what an order costs now is what was agreed to by its press."""

from playground.models import Membership
from playground.services import estimates
from playground.services.estimates import Quote, QuoteState, Wanted
from playground.services.run_errors import NeedsConfirmation, NotPriced, OverBudget, PriceMoved, SpendingClosed


def priced(by: Membership, wanted: Wanted, quoted_micros: int | None, accept_unpriced: bool) -> Quote:
    """What it costs now, if that was agreed to."""
    quote = estimates.quote(by=by, wanted=wanted)
    check_price(quote, quoted_micros, accept_unpriced)
    return quote


def check_price(quote: Quote, quoted_micros: int | None, accept_unpriced: bool) -> None:
    if quote.total_micros is None:
        if quote.state is QuoteState.UNAVAILABLE and quote.may_go_unpriced and accept_unpriced:
            return
        raise NotPriced(quote)
    if quoted_micros is None or quote.total_micros > quoted_micros:
        raise PriceMoved(quote, quoted_micros)


def check_limits(quote: Quote, confirmed_micros: int | None, confirmed_unpriced: int | None) -> None:
    if quote.is_closed:
        raise SpendingClosed(quote)
    if quote.is_over_budget:
        raise OverBudget(quote)
    if not quote.is_confirmed(confirmed_micros, confirmed_unpriced):
        raise NeedsConfirmation(quote)
