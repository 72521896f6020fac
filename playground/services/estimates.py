"""What it would cost: a dry run at the gateway, remembered for a minute, never a hang.

The price does not depend on the prompt's words, so a placeholder stands in for them and one answer serves everybody who
asks for the same settings. Of all processes together one asks for the same settings while the others wait for its
answer, and two ask at once. Waiting for that and the gateway's answer have five seconds between them; a page that
cannot get a price in that time says so and goes on.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog
from django.core.cache import cache
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from playground.domain.capabilities import shape_of
from playground.domain.crop import CENTRE, Crop, crop_for
from playground.gateway.errors import AccountRefused, EstimateUnavailable, GatewayError, Refused
from playground.gateway.types import Limits, Timing
from playground.models import Budget, Gateway, Membership, Reference, VideoModel
from playground.services import gateways, ledger
from playground.services.orders import body_of, order_from
from playground.services.turns import turn

log = structlog.get_logger(__name__)

FRESH_S = 60
FAILED_S = 5
"""How long an answer without a price is remembered."""
WAIT_S = 5.0
"""All that a page waits for a price, in line and at the gateway."""
LEAST_S = 1.0
"""No price check is begun with less time than this."""
TURN_S = 7
"""A turn in the cache ends by itself after 6 to 7 seconds: longer than any price check."""
SLOTS = ("quote:slot:0", "quote:slot:1")
PLACEHOLDER_PROMPT = "A calm sea at dawn"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asks for, without the prompt. `size` is WIDTHxHEIGHT; `audio` None leaves it to the model.

    `crop_at` says which part of a picture of another shape is sent: 0 the left or upper end, 100 the right or lower.
    """

    model: VideoModel
    size: str
    seconds: int
    count: int = 1
    negative_prompt: str = ""
    seed: int | None = None
    audio: bool | None = None
    references: tuple[Reference, ...] = ()
    crop_at: int = CENTRE

    def crops(self) -> list[tuple[Reference, Crop]]:
        """Each picture with the part of it that is sent."""
        shape = shape_of(self.size)
        return [(picture, crop_for(picture.width, picture.height, shape, self.crop_at)) for picture in self.references]

    def settings(self) -> dict[str, Any]:
        """The snapshot kept in `Run.settings`; what was not given is not there."""
        values: dict[str, Any] = {"size": self.size, "seconds": self.seconds, "count": self.count}
        if self.negative_prompt:
            values["negative_prompt"] = self.negative_prompt
        if self.seed is not None:
            values["seed"] = self.seed
        if self.audio is not None:
            values["audio"] = self.audio
        if self.references and self.crop_at != CENTRE:
            values["crop_at"] = self.crop_at
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
    """A price, or why there is none. `field` names the form field that would help, `message` is for a person.

    `gives_no_price`: the gateway has no prices to give, so waiting or other settings would not help; only then may a
    team that allows it order without one (`may_go_unpriced`). What is left, and of how much (`cap_micros`), is that of
    the team's or the member's own budget, whichever leaves less; None without a limit.
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
    return _dressed(by, wanted, _known(wanted) or _ask(wanted))


def cached_quote(*, by: Membership, wanted: Wanted) -> Quote | None:
    """The price if it was asked for within the last minute; no gateway call."""
    answer = _known(wanted)
    return _dressed(by, wanted, answer) if answer else None


def _known(wanted: Wanted) -> dict[str, Any] | None:
    """What can be said without asking the gateway."""
    if missing := _missing(wanted):
        return missing
    if not wanted.model.gateway.has_dry_run:
        return _no_price(wanted.model)
    answer: dict[str, Any] | None = cache.get(_key(wanted))
    return answer


def _missing(wanted: Wanted) -> dict[str, Any] | None:
    if wanted.model.takes.needs_reference and not wanted.references:
        message = _("This model needs a reference image. Add one to see the price.")
        return {"state": QuoteState.NEEDS_INPUT, "field": "reference", "message": message}
    return None


def _key(wanted: Wanted) -> str:
    priced = wanted.body(PLACEHOLDER_PROMPT) | {
        "gateway": str(wanted.model.gateway_id),
        "references": [f"{crop.width}x{crop.height}" for _picture, crop in wanted.crops()],
    }
    for name in ("negative_prompt", "seed"):
        priced.pop(name, None)
    return "quote:" + hashlib.sha256(json.dumps(priced, sort_keys=True).encode()).hexdigest()


def _ask(wanted: Wanted) -> dict[str, Any]:
    """The gateway's answer, or that of whoever asks the same just now, within WAIT_S in all."""
    key = _key(wanted)
    ends_at = time.monotonic() + WAIT_S
    last_start = ends_at - LEAST_S
    with turn([f"{key}:asking"], holds_s=TURN_S, ends_at=last_start, unless=lambda: key in cache) as first:
        answer: dict[str, Any] | None = cache.get(key)
        if answer is not None:
            return answer
        if first:
            with turn(SLOTS, holds_s=TURN_S, ends_at=last_start) as may_ask:
                if may_ask:
                    answer = _dry_run(wanted, ends_at=ends_at)
                    is_price = answer["state"] == QuoteState.ESTIMATED
                    cache.set(key, answer, FRESH_S if is_price else FAILED_S)
                    return answer
    return _unreachable(_("Many prices are being checked just now."))


def _dry_run(wanted: Wanted, *, ends_at: float) -> dict[str, Any]:
    # Read anew: a price check that made an order may have switched them off since the model was read.
    gateway = Gateway.objects.get(id=wanted.model.gateway_id)
    order = order_from(
        order_id="price-check", body=wanted.body(PLACEHOLDER_PROMPT), references=list(wanted.references), key=None
    )
    try:
        with gateways.client_for(gateway, limits=_limits(ends_at)) as client:
            estimate = client.estimate(order)
    except EstimateUnavailable as error:
        if error.job_id:
            _made_an_order(gateway, error.job_id, ends_at=ends_at)
        return _no_price(wanted.model)
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


def _limits(ends_at: float) -> Limits:
    """The client's limits with a price check, or a stop after one, cut to what is left, at least LEAST_S."""
    left = max(LEAST_S, ends_at - time.monotonic())
    timing = Timing(connect=min(3.0, left), read=left, write=left, total=left)
    return Limits(estimate=timing, cancel=timing)


def _made_an_order(gateway: Gateway, job_id: str, *, ends_at: float) -> None:
    """The gateway took a price check for an order, which may cost money: never ask it again, and try to stop this one.

    Stopping may take LEAST_S more than WAIT_S; it happens once for a gateway.
    """
    gateways.give_up_dry_runs(gateway)
    log.error("estimate_made_an_order_and_prices_are_off_now", gateway=gateway.slug, upstream_id=job_id)
    try:
        with gateways.client_for(gateway, limits=_limits(ends_at)) as client:
            client.cancel(job_id)
    except GatewayError as error:
        log.error("order_of_a_price_check_not_stopped", gateway=gateway.slug, upstream_id=job_id, why=str(error))


def _no_price(model: VideoModel) -> dict[str, Any]:
    return _unavailable(_("This gateway gives no price for %(model)s.") % {"model": model.slug}) | {"no_price": True}


def _unavailable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNAVAILABLE, "message": message}


def _unreachable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNREACHABLE, "message": message}


def _dressed(by: Membership, wanted: Wanted, answer: dict[str, Any]) -> Quote:
    """The bare answer with what this team may do and has left."""
    checked_at = answer.get("checked_at")
    is_play = wanted.model.gateway.is_sandbox
    left, cap = (None, None) if is_play else _left(by)
    gives_no_price = bool(answer.get("no_price"))
    return Quote(
        state=QuoteState(answer["state"]),
        count=wanted.count,
        seconds=wanted.seconds,
        unit_micros=answer.get("unit_micros"),
        provider=answer.get("provider", ""),
        checked_at=datetime.fromtimestamp(checked_at, UTC) if checked_at else None,
        field=answer.get("field", ""),
        message=answer.get("message", ""),
        gives_no_price=gives_no_price,
        may_go_unpriced=gives_no_price and by.team.allow_unpriced,
        is_play_money=is_play,
        left_micros=left,
        cap_micros=cap,
    )


def _left(by: Membership) -> tuple[int | None, int | None]:
    """What is left this month, and of how much: the tighter of the team's and the member's own limit, if any."""
    month = ledger.month_of(by.team, timezone.now())
    counters = Budget.objects.filter(team_id=by.team_id, month=month, cap_micros__isnull=False)
    limits = [
        (max(0, budget.cap_micros - budget.held_micros - budget.spent_micros), budget.cap_micros)
        for budget in counters.filter(Q(user=None) | Q(user_id=by.user_id))
        if budget.cap_micros is not None
    ]
    return min(limits, default=(None, None))
