"""Orders with their money, through the ledger's own verbs."""

from datetime import datetime

from django.utils import timezone

from playground.domain.money import set_aside_micros
from playground.domain.status import Status
from playground.models import Generation, Membership, VideoModel
from playground.services import ledger
from tests import factories


def order(
    *,
    by: Membership,
    model: VideoModel,
    price: int | None = 400_000,
    cost: int | None = None,
    given_back: bool = False,
    at: datetime | None = None,
    **fields,
) -> Generation:
    """One order: what its price sets aside is held, then its `cost` settled, or the money given back, or neither.

    `status=Status.DONE` with neither a price nor a cost is a video of which nobody knows what it cost.
    """
    at = at or timezone.now()
    run = factories.make_run(by=by, model=model)
    ended = cost is not None or given_back
    status = fields.pop("status", Status.DONE if cost is not None else Status.FAILED if ended else Status.RUNNING)
    generation = factories.make_generation(
        run=run, status=status, estimate_micros=price, cost_micros=cost, created_at=at, **fields
    )
    ledger.hold(generation=generation, amount_micros=set_aside_micros(price or 0), at=at)
    if given_back:
        ledger.release(generation=generation, at=at)
    if cost is not None or status is Status.DONE:
        ledger.settle(generation=generation, cost_micros=cost, at=at)
    return generation
