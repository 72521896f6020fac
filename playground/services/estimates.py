"""What it would cost: a dry run at the gateway, remembered for a minute, never a hang.

The price does not depend on the prompt's words, so a placeholder stands in for them and one answer serves everybody who
asks for the same settings. Of all processes together one asks for the same settings while the others wait for its
answer, and two ask at once. Waiting for that and the gateway's answer have five seconds between them; a page that
cannot get a price in that time says so and goes on.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from playground.models import Membership
from playground.services import budgets, pauses, places, price_checks
from playground.services.price_checks import LEAST_S, QuoteState
from playground.services.quotes import Quote
from playground.services.turns import turn
from playground.services.wanted import Wanted

__all__ = ["Quote", "QuoteState", "Wanted", "ask_ahead", "cached_quote", "cached_quotes", "quote", "remembered"]

FRESH_S = 60
"""How long stands what the gateway said."""
PAUSES_S = (5, 10, 20, 40, 60)
"""After how long one that did not answer is asked again: the first time, the second ..., the last for all others."""
KEPT_S = 600
"""How long an answer is kept at all: so long a gateway that does not answer is remembered as such."""
WAIT_S = 5.0
"""All that a page waits for a price, in line and at the gateway."""
TURN_S = 7
"""A turn in the cache ends by itself after 6 to 7 seconds: longer than any price check."""
SLOTS = ("quote:slot:0", "quote:slot:1")
PLACEHOLDER_PROMPT = "A calm sea at dawn"


def quote(*, by: Membership, wanted: Wanted) -> Quote:
    """The price of `wanted`. Never raises for a gateway.

    What the gateway said, price or not, stands for a minute for the same settings, so it is asked once a minute; twice
    for the first question about a model that turns out to give no price without the picture. One that did not answer
    is asked again after 5 s, then 10, 20, 40 and 60 s, never sooner: nothing is repeated. A gateway that has never
    given a price is then not asked for any other settings either.
    """
    answer = _known([wanted])[0]
    if not answer:
        with places.given_up():
            answer = _ask(wanted)
    return _dressed(wanted, answer, _Team(by))


def cached_quote(*, by: Membership, wanted: Wanted) -> Quote | None:
    """What `quote` would say without a gateway call; None where it would make one."""
    return cached_quotes(by=by, wanted=[wanted])[0]


def cached_quotes(*, by: Membership, wanted: Sequence[Wanted]) -> list[Quote | None]:
    """As `cached_quote`, for many at the cost of one."""
    team = _Team(by)
    return [_dressed(one, answer, team) if answer else None for one, answer in zip(wanted, _known(wanted), strict=True)]


def remembered(*, by: Membership, wanted: Sequence[Wanted]) -> list[tuple[Quote | None, bool]]:
    """The last price that was checked of each, KEPT_S old at most, and whether `quote` would ask anew; no gateway call.

    For prices beside the one that a button is about: they do not vanish while they are asked for again.
    """
    team, found = _Team(by), _found(wanted)
    return [
        (_dressed(one, last, team) if last else None, answer is None)
        for one, (answer, last) in zip(wanted, found, strict=True)
    ]


def ask_ahead(wanted: Wanted) -> QuoteState | None:
    """As `quote`, for nobody who waits: it never stands in line, and leaves one of the two places to those who do.

    None when there is no room just now, or somebody else asks the same.
    """
    if answer := _known([wanted])[0]:
        return QuoteState(answer["state"])
    now = time.monotonic()
    with (
        turn(_slots(wanted)[-1:], holds_s=TURN_S, ends_at=now) as may_ask,
        turn([f"{_key(wanted)}:asking"], holds_s=TURN_S, ends_at=now) as is_first,
    ):
        if not (may_ask and is_first):
            return None
        return QuoteState(_kept(wanted, _dry_run(wanted, ends_at=now + WAIT_S))["state"])


def _known(wanted: Sequence[Wanted]) -> list[dict[str, Any] | None]:
    """What can be said of each without asking a gateway, with one look at the cache."""
    return [answer for answer, _last in _found(wanted)]


def _found(wanted: Sequence[Wanted]) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """The answer that stands, and the last one that was a price, whether it stands or not."""
    own = [_unasked(one) for one in wanted]
    keys = [() if answer else (*_keys(one), _gateway_key(one)) for one, answer in zip(wanted, own, strict=True)]
    every = {key for both in keys for key in both}
    kept = cache.get_many(every) if every else {}
    return [(answer or _newest(kept, both), _last_price(kept, both)) for answer, both in zip(own, keys, strict=True)]


def _last_price(kept: dict[str, dict[str, Any]], keys: Iterable[str]) -> dict[str, Any] | None:
    """None where the newest word is that there is no price."""
    found = max((kept[key] for key in keys if key in kept), key=_checked_at, default=None)
    return found if found and found["state"] == QuoteState.ESTIMATED else None


def _unasked(wanted: Wanted) -> dict[str, Any] | None:
    """What holds without any gateway's word."""
    gateway = wanted.model.gateway
    if gateway.paused_at:
        state = QuoteState.ACCOUNT_EMPTY if gateway.paused_reason == pauses.BALANCE else QuoteState.UNAVAILABLE
        return {"state": state, "message": pauses.words(gateway)}
    if wanted.model.takes.needs_reference and not wanted.references:
        message = _("This model needs a reference image. Add one to see the price.")
        return {"state": QuoteState.NEEDS_INPUT, "field": "reference", "message": message}
    return None if gateway.has_dry_run else price_checks.no_price(wanted.model)


def _checked_at(answer: dict[str, Any]) -> float:
    return float(answer.get("checked_at", 0))


def _newest(kept: dict[str, dict[str, Any]], keys: Iterable[str]) -> dict[str, Any] | None:
    """The answer that still stands, of those kept under `keys`."""
    return next((kept[key] for key in keys if key in kept and _stands(kept[key])), None)


def _stands(answer: dict[str, Any]) -> bool:
    """An answer is kept longer than it stands, for the count of those that never came."""
    return float(answer.get("stands_until", math.inf)) > timezone.now().timestamp()


def _keys(wanted: Wanted) -> tuple[str, ...]:
    """Where answers are kept: for pictures of this size, and before it that of these very pictures."""
    key = _key(wanted)
    if not wanted.references:
        return (key,)
    pictures = json.dumps([(picture.sha256, crop.box) for picture, crop in wanted.crops()])
    return f"{key}:{hashlib.sha256(pictures.encode()).hexdigest()}", key


def _gateway_key(wanted: Wanted) -> str:
    """Where an answer is kept that counts for all of a gateway, until it gives a price."""
    return f"quote:gateway:{_place(wanted)}"


def _place(wanted: Wanted) -> str:
    """The gateway, and the time of its key: what it said to an earlier key says nothing to this one."""
    set_at = wanted.model.gateway.key_set_at
    return f"{wanted.model.gateway_id}{set_at.timestamp():.0f}" if set_at else str(wanted.model.gateway_id)


def _slots(wanted: Wanted) -> tuple[str, ...]:
    """A team's own gateway has places of its own: one that hangs holds up nobody's price but that team's."""
    gateway = wanted.model.gateway
    return tuple(f"{slot}:{gateway.id}" for slot in SLOTS) if gateway.team_id else SLOTS


def _key(wanted: Wanted) -> str:
    priced = _priced(wanted) | {
        "gateway": _place(wanted),
        "references": [f"{crop.width}x{crop.height}" for _picture, crop in wanted.crops()],
    }
    return "quote:" + hashlib.sha256(json.dumps(priced, sort_keys=True).encode()).hexdigest()


def _ask(wanted: Wanted) -> dict[str, Any]:
    """The gateway's answer, or that of whoever asks the same just now, within WAIT_S in all."""
    ends_at = time.monotonic() + WAIT_S
    last_start = ends_at - LEAST_S

    def answered() -> dict[str, Any] | None:
        return _known([wanted])[0]

    asking = [f"{_key(wanted)}:asking"]
    with turn(asking, holds_s=TURN_S, ends_at=last_start, unless=lambda: bool(answered())) as first:
        if answer := answered():
            return answer
        if first:
            with turn(_slots(wanted), holds_s=TURN_S, ends_at=last_start) as may_ask:
                if may_ask:
                    return _kept(wanted, _dry_run(wanted, ends_at=ends_at))
    return price_checks.unreachable(_("Many prices are being checked just now."))


def _dry_run(wanted: Wanted, *, ends_at: float) -> dict[str, Any]:
    return price_checks.ask(model=wanted.model, body=_priced(wanted), pictures=wanted.crops(), ends_at=ends_at)


def _priced(wanted: Wanted) -> dict[str, Any]:
    """What is asked: the order without what has no price, so that the answer is true for all who share it."""
    body = wanted.body(PLACEHOLDER_PROMPT)
    return {name: value for name, value in body.items() if name not in ("negative_prompt", "seed")}


def _kept(wanted: Wanted, answer: dict[str, Any]) -> dict[str, Any]:
    """Remember the answer with the time until which it stands."""
    *_of_picture, key = keys = _keys(wanted)
    now, stands_s = timezone.now().timestamp(), FRESH_S
    if of_all_else := answer.pop("else_of_gateway", None):
        _kept(wanted, of_all_else)
        stands_s = KEPT_S
    if answer.get("of_gateway"):
        key = _gateway_key(wanted)
    elif answer["state"] == QuoteState.ESTIMATED:
        cache.delete(_gateway_key(wanted))
    if answer["state"] == QuoteState.UNREACHABLE:
        misses = (cache.get(key) or {}).get("misses", 0)
        stands_s = PAUSES_S[min(misses, len(PAUSES_S) - 1)]
        answer = answer | {"misses": misses + 1}
    elif answer.get("of_gateway"):
        stands_s = KEPT_S
    answer = answer | {"checked_at": now, "stands_until": now + stands_s}
    cache.set(keys[0] if answer.get("of_picture") else key, answer, KEPT_S)
    return answer


class _Team:
    """What this team may do and has left, read once for all quotes of a page, and only when it is needed."""

    def __init__(self, by: Membership) -> None:
        self.by = by

    @cached_property
    def allows_unpriced(self) -> bool:
        return self.by.team.allow_unpriced

    @cached_property
    def unpriced_left(self) -> int | None:
        return budgets.unpriced_left(self.by.team, at=timezone.now(), user_id=self.by.user_id)

    @cached_property
    def limits(self) -> dict[str, Any]:
        """The fields of a quote that have to do with the team's money."""
        team, left = self.by.team, budgets.left_of(self.by, at=timezone.now())
        return {
            "left_micros": left.micros,
            "cap_micros": left.cap_micros,
            "is_own_limit": left.is_own,
            "month": left.month,
            "time_zone": team.time_zone,
            "is_paused": team.spending_paused_at is not None,
            "lacks_limits": team.limits_accepted_at is None,
            "confirm_above_micros": team.confirm_above_micros,
        }


def _dressed(wanted: Wanted, answer: dict[str, Any], team: _Team) -> Quote:
    """The bare answer with what this team may do and has left."""
    checked_at = answer.get("checked_at")
    is_play = wanted.model.gateway.is_sandbox
    gives_no_price = bool(answer.get("no_price"))
    may_go_unpriced = gives_no_price and team.allows_unpriced
    return Quote(
        state=QuoteState(answer["state"]),
        count=wanted.count,
        seconds=wanted.seconds,
        unit_micros=answer.get("unit_micros"),
        provider=answer.get("provider", ""),
        checked_at=datetime.fromtimestamp(checked_at, UTC) if checked_at else None,
        field=answer.get("field", ""),
        message=_aged(answer),
        gives_no_price=gives_no_price,
        may_go_unpriced=may_go_unpriced,
        unpriced_left=team.unpriced_left if may_go_unpriced and not is_play else None,
        is_play_money=is_play,
        **({} if is_play else team.limits),
    )


def _aged(answer: dict[str, Any]) -> str:
    """The message, with its age where it may have been put right since and pressing again would not ask anew."""
    message, checked_at = str(answer.get("message", "")), answer.get("checked_at")
    if answer.get("no_price") or not checked_at:
        return message
    seconds = int(timezone.now().timestamp() - checked_at)
    if seconds < 1:
        return message
    return f"{message} {ngettext('Checked %(n)d s ago.', 'Checked %(n)d s ago.', seconds) % {'n': seconds}}"
