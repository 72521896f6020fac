"""Three engines that are wrong on purpose, made by replacing functions in the bench's own processes.

Each is a mistake that is easy to make and hard to see. A bench that does not catch them proves nothing.
"""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4


def post_first() -> None:
    """The order is sent before its intent is stored: whoever dies in between leaves it waiting to be sent."""
    from django.utils import timezone

    from playground.domain.status import Status
    from playground.gateway.errors import GatewayError
    from playground.models import Generation
    from playground.services import engine, gateways, submit
    from playground.services.engine import Move
    from playground.services.orders import order_of

    def submit_queued(generation_id: UUID) -> None:
        generation = Generation.objects.select_related("gateway", "run").filter(id=generation_id).first()
        if generation is None or generation.state is not Status.QUEUED:
            return
        try:
            with gateways.client_for(generation.gateway) as client:
                job = client.create(order_of(generation))
        except GatewayError:
            return
        now = timezone.now()
        more = {"attempts": generation.attempts + 1, "sent_at": now}
        claim = engine.claim(
            generation_id, source=Status.QUEUED, target=Status.SUBMITTING, event="sending", now=now, **more
        )
        if claim:
            fields = {"upstream_id": job.id, "submitted_at": now, "next_check_at": now}
            engine.advance(
                Move(generation_id, Status.SUBMITTING, Status.SUBMITTED, "submitted", claim, fields=fields), now=now
            )

    submit.submit_queued = submit_queued


def sum_budget() -> None:
    """Room is what the ledger's sum leaves, read before the order is written; the counter is moved unasked."""
    from django.db.models import F, Sum

    from playground.models import Budget, EntryKind, LedgerEntry
    from playground.services import budgets, runs

    real_write: Callable[..., None] = runs._write

    def write(run: Any, **values: Any) -> None:
        quote = values["quote"]
        held = LedgerEntry.objects.filter(team_id=run.team_id, kind=EntryKind.HOLD)
        total = held.aggregate(total=Sum("amount_micros"))["total"] or 0
        cap = run.team.monthly_cap_micros
        if cap is not None and total + (quote.total_micros or 0) > cap:
            raise runs.OverBudget(quote)
        time.sleep(0.2)  # so that the others read the same sum
        real_write(run, **values)

    def take(budget: Budget, amount_micros: int) -> bool:
        return bool(Budget.objects.filter(id=budget.id).update(held_micros=F("held_micros") + amount_micros))

    runs._write = write
    budgets.take = take


def fresh_key() -> None:
    """A new idempotency key for each try of an order."""
    from playground.models import Generation

    Generation.idempotency_key = property(lambda generation: str(uuid4()))


VARIANTS: dict[str, Callable[[], None]] = {
    "": lambda: None,
    "post-first": post_first,
    "sum-budget": sum_budget,
    "fresh-key": fresh_key,
}
