"""What it would cost: a dry run at the gateway, remembered for a minute, never a hang.

The price does not depend on the prompt's words, so a placeholder stands in for them and one answer serves everybody who
asks for the same settings. At most two price checks run at once in this process, each for at most five seconds; a page
that cannot get one in that time says so and goes on.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog
from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.gateway.errors import AccountRefused, EstimateUnavailable, GatewayError, Refused
from playground.models import Budget, Gateway, Membership, Reference, VideoModel
from playground.services import gateways, ledger
from playground.services.orders import body_of, order_from

log = structlog.get_logger(__name__)

FRESH_S = 60
WAIT_S = 5.0
PLACEHOLDER_PROMPT = "A calm sea at dawn"
_slots = threading.BoundedSemaphore(2)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for, without the prompt. `size` is WIDTHxHEIGHT; `audio` None leaves it to the model."""

    model: VideoModel
    size: str
    seconds: int
    count: int = 1
    negative_prompt: str = ""
    seed: int | None = None
    audio: bool | None = None
    references: tuple[Reference, ...] = ()

    def settings(self) -> dict[str, Any]:
        """The snapshot kept in `Run.settings`; what was not given is not there."""
        values: dict[str, Any] = {"size": self.size, "seconds": self.seconds, "count": self.count}
        if self.negative_prompt:
            values["negative_prompt"] = self.negative_prompt
        if self.seed is not None:
            values["seed"] = self.seed
        if self.audio is not None:
            values["audio"] = self.audio
        return values

    def body(self, prompt: str) -> dict[str, Any]:
        return body_of(
            model=self.model,
            prompt=prompt,
            size=self.size,
            seconds=self.seconds,
            negative_prompt=self.negative_prompt,
            seed=self.seed,
            audio=self.audio,
        )


class QuoteState(StrEnum):
    ESTIMATED = "estimated"
    NEEDS_INPUT = "needs_input"
    UNAVAILABLE = "unavailable"
    ACCOUNT_EMPTY = "account_empty"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Quote:
    """A price, or why there is none. `field` names the form field that would help, `message` is for a person."""

    state: QuoteState
    count: int
    seconds: int
    unit_micros: int | None = None
    provider: str = ""
    checked_at: datetime | None = None
    field: str = ""
    message: str = ""
    may_go_unpriced: bool = False
    is_play_money: bool = False
    left_micros: int | None = None
    cap_micros: int | None = None

    @property
    def total_micros(self) -> int | None:
        return None if self.unit_micros is None else self.unit_micros * self.count

    @property
    def per_second_micros(self) -> int | None:
        return None if self.unit_micros is None else self.unit_micros // self.seconds

    @property
    def is_over_budget(self) -> bool:
        total = self.total_micros
        return total is not None and self.left_micros is not None and total > self.left_micros


def quote(*, by: Membership, wanted: Wanted) -> Quote:
    """The price of `wanted`. At most one gateway call a minute for the same settings; never raises for a gateway."""
    missing = _missing(wanted)
    if missing:
        return _dressed(by, wanted, missing)
    answer = cache.get(_key(wanted))
    if answer is None:
        answer = _ask(wanted)
    return _dressed(by, wanted, answer)


def cached_quote(*, by: Membership, wanted: Wanted) -> Quote | None:
    """The price if it was asked for within the last minute; no gateway call."""
    answer = _missing(wanted) or cache.get(_key(wanted))
    return _dressed(by, wanted, answer) if answer else None


def _missing(wanted: Wanted) -> dict[str, Any] | None:
    if wanted.model.takes.needs_reference and not wanted.references:
        message = _("This model needs a reference image. Add one to see the price.")
        return {"state": QuoteState.NEEDS_INPUT, "field": "reference", "message": message}
    return None


def _key(wanted: Wanted) -> str:
    priced = wanted.body(PLACEHOLDER_PROMPT) | {
        "gateway": str(wanted.model.gateway_id),
        "references": [f"{reference.width}x{reference.height}" for reference in wanted.references],
    }
    for name in ("negative_prompt", "seed"):
        priced.pop(name, None)
    return "quote:" + hashlib.sha256(json.dumps(priced, sort_keys=True).encode()).hexdigest()


def _ask(wanted: Wanted) -> dict[str, Any]:
    key = _key(wanted)
    with _slot() as mine:
        answer = cache.get(key)
        if answer is not None:
            return dict(answer)
        if not mine:
            return _unreachable(_("Many prices are being checked just now."))
        answer = _dry_run(wanted)
        cache.set(key, answer, FRESH_S if answer["state"] != QuoteState.UNREACHABLE else 5)
    return answer


@contextmanager
def _slot() -> Iterator[bool]:
    mine = _slots.acquire(timeout=WAIT_S)
    try:
        yield mine
    finally:
        if mine:
            _slots.release()


def _dry_run(wanted: Wanted) -> dict[str, Any]:
    gateway = wanted.model.gateway
    order = order_from(
        order_id="price-check", body=wanted.body(PLACEHOLDER_PROMPT), references=list(wanted.references), key=None
    )
    try:
        with gateways.client_for(gateway) as client:
            estimate = client.estimate(order)
    except EstimateUnavailable as error:
        return _no_price(gateway, wanted.model, error)
    except AccountRefused as error:
        if error.reason == "balance":
            return {"state": QuoteState.ACCOUNT_EMPTY, "message": _("The gateway account is out of credit.")}
        return _unavailable(_("The gateway refused the key. An admin can put it right."))
    except Refused as error:
        return _unavailable(error.message)
    except gateways.GatewayNotConfigured:
        return _unavailable(_("The key of %(gateway)s is not set.") % {"gateway": gateway.name})
    except GatewayError as error:
        log.warning("estimate_failed", gateway=gateway.slug, code=error.code)
        return _unreachable(_("The gateway does not answer."))
    return {
        "state": QuoteState.ESTIMATED,
        "unit_micros": estimate.total_micros,
        "provider": estimate.provider,
        "checked_at": timezone.now().timestamp(),
    }


def _no_price(gateway: Gateway, model: VideoModel, error: EstimateUnavailable) -> dict[str, Any]:
    if error.job_id:
        log.error("estimate_made_a_job", gateway=gateway.slug, upstream_id=error.job_id)
    return _unavailable(_("This gateway gives no price for %(model)s.") % {"model": model.slug})


def _unavailable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNAVAILABLE, "message": message}


def _unreachable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNREACHABLE, "message": message}


def _dressed(by: Membership, wanted: Wanted, answer: dict[str, Any]) -> Quote:
    """The bare answer with what this team may do and has left."""
    checked_at = answer.get("checked_at")
    is_play = wanted.model.gateway.is_sandbox
    budget = None if is_play else _budget(by)
    left = None
    if budget and budget.cap_micros is not None:
        left = max(0, budget.cap_micros - budget.held_micros - budget.spent_micros)
    return Quote(
        state=QuoteState(answer["state"]),
        count=wanted.count,
        seconds=wanted.seconds,
        unit_micros=answer.get("unit_micros"),
        provider=answer.get("provider", ""),
        checked_at=datetime.fromtimestamp(checked_at, UTC) if checked_at else None,
        field=answer.get("field", ""),
        message=answer.get("message", ""),
        may_go_unpriced=by.team.allow_unpriced and answer["state"] == QuoteState.UNAVAILABLE,
        is_play_money=is_play,
        left_micros=left,
        cap_micros=budget.cap_micros if budget else None,
    )


def _budget(by: Membership) -> Budget | None:
    month = ledger.month_of(by.team, timezone.now())
    return Budget.objects.filter(team_id=by.team_id, user=None, month=month).first()
