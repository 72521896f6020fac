"""One question to a gateway for a price, as a dry run, and its answer as a plain dict that a cache can hold.

A picture rarely changes the price, so it stays here unless the gateway refuses to price without it. Which models are
such is remembered, so from then on they are asked once, with the picture. What goes along is the part of it that an
order would send, cut for the question alone: nothing is stored for a price check.

Each question is sent once. To a gateway that takes no notice of the flag it is an order, and its answer would say so;
where that answer is lost too, nobody knows. So until a gateway has given one answer marked as an estimate, one that is
lost or not marked makes it asked less often, whatever the model and settings (`of_gateway`).
"""

import functools
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import structlog
from django.core.cache import cache
from django.utils.translation import gettext as _

from playground.domain.crop import Crop
from playground.gateway.errors import (
    AccountRefused,
    EstimateUnavailable,
    GatewayError,
    NotSent,
    Refused,
    Throttled,
)
from playground.gateway.types import Estimate, Limits, ReferenceFile, Timing
from playground.media import images, storage
from playground.models import Gateway, Reference, VideoModel
from playground.services import gateways, uploads
from playground.services.orders import file_of, order_from

log = structlog.get_logger(__name__)

LEAST_S = 1.0
"""No price check is begun with less time than this."""
MARKED = "estimate_unreadable"
"""The code of an answer that was marked as an estimate, and so is no order's, but has no price that we can read."""
IMAGE_MATTERS_S = 24 * 3600
"""How long it is remembered that a model gives no price without the picture."""

Pictures = Sequence[tuple[Reference, Crop]]


class QuoteState(StrEnum):
    ESTIMATED = "estimated"
    NEEDS_INPUT = "needs_input"
    UNAVAILABLE = "unavailable"
    ACCOUNT_EMPTY = "account_empty"
    UNREACHABLE = "unreachable"


class NoTime(Exception):
    """Too little is left of the page's time to ask (again)."""


def ask(*, model: VideoModel, body: dict[str, Any], pictures: Pictures, ends_at: float) -> dict[str, Any]:
    """What the gateway says, by `ends_at` (monotonic clock): `state` and what goes with it. Never raises for a gateway.

    `of_picture`: it is about this very picture, so it says nothing of another one of the same size. `of_gateway`: it
    is about everything of this gateway. `else_of_gateway`: what is to be said of everything else there.
    """
    # Read anew: a price check that made an order may have switched them off since the model was read.
    gateway = Gateway.objects.get(id=model.gateway_id)
    try:
        estimate = _estimate(gateway, model, body, pictures, ends_at)
    except EstimateUnavailable as error:
        if error.job_id:
            _made_an_order(gateway, error.job_id, ends_at=ends_at)
        elif error.code == MARKED:
            cache.set(_proof(gateway), 1, None)
        is_proved = bool(cache.get(_proof(gateway)))
        return no_price(model) | ({} if is_proved else {"else_of_gateway": _no_price_yet()})
    except AccountRefused as error:
        if error.reason == "balance":
            return {"state": QuoteState.ACCOUNT_EMPTY, "message": _("The gateway account is out of credit.")}
        return unavailable(_("The gateway refused the key. An admin can put it right."))
    except Refused as error:
        return unavailable(error.message) | {"of_picture": bool(pictures)}
    except uploads.ImageRefused as error:
        return {"state": QuoteState.NEEDS_INPUT, "field": "reference", "message": error.message, "of_picture": True}
    except gateways.GatewayNotConfigured:
        return unavailable(_("The key of %(gateway)s is not set.") % {"gateway": gateway.name})
    except (GatewayError, NoTime) as error:
        log.warning("estimate_failed", gateway=gateway.slug, code=getattr(error, "code", "no_time"))
        return _unanswered(gateway, error)
    cache.set(_proof(gateway), 1, None)
    return {"state": QuoteState.ESTIMATED, "unit_micros": estimate.total_micros, "provider": estimate.provider}


def no_price(model: VideoModel) -> dict[str, Any]:
    return unavailable(_("This gateway gives no price for %(model)s.") % {"model": model.slug}) | {"no_price": True}


def _no_price_yet() -> dict[str, Any]:
    """Of all else at a gateway whose answer may have been an order's, worded in a way that we do not read.

    It is asked less often, which is no reason to order without a price what may have one.
    """
    return unavailable(_("This gateway gave no price that can be read, so it is asked less often.")) | {
        "of_gateway": True
    }


def unavailable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNAVAILABLE, "message": message}


def unreachable(message: str) -> dict[str, Any]:
    return {"state": QuoteState.UNREACHABLE, "message": message}


def _unanswered(gateway: Gateway, error: Exception) -> dict[str, Any]:
    """No price for now: of these settings, or of the whole gateway, where what was asked may have been an order."""
    if isinstance(error, NotSent | Throttled | NoTime) or cache.get(_proof(gateway)):
        return unreachable(_("The gateway does not answer."))
    words = _("This gateway has given no price yet and did not answer clearly, so it is asked less often.")
    return unreachable(words) | {"of_gateway": True}


def _proof(gateway: Gateway) -> str:
    """Where it is remembered that this address gave an estimate marked as one. Forgotten, it is only more careful."""
    address = hashlib.sha256(f"{gateway.base_url} {gateway.dialect}".encode()).hexdigest()
    return f"quote:marked:{gateway.id}:{address}"


def _estimate(
    gateway: Gateway, model: VideoModel, body: dict[str, Any], pictures: Pictures, ends_at: float
) -> Estimate:
    matters = f"quote:image-matters:{model.id}"
    if not pictures:
        return _exchange(gateway, body, (), ends_at)
    if cache.get(matters) is None:
        try:
            return _exchange(gateway, body, (), ends_at)
        except Refused as error:
            if error.status not in (400, 422):
                raise
    with _as_sent(pictures) as files:
        estimate = _exchange(gateway, body, files, ends_at)
    cache.set(matters, 1, IMAGE_MATTERS_S)
    return estimate


def _exchange(gateway: Gateway, body: dict[str, Any], files: tuple[ReferenceFile, ...], ends_at: float) -> Estimate:
    """One call and one try, within what is left of the time."""
    if time.monotonic() > ends_at - LEAST_S:
        raise NoTime
    order = order_from(order_id="price-check", body=body, files=files, key=None)
    with gateways.client_for(gateway, limits=_limits(ends_at)) as client:
        return client.estimate(order)


@contextmanager
def _as_sent(pictures: Pictures) -> Iterator[tuple[ReferenceFile, ...]]:
    """The files that an order would send, good for the block. Raises ImageRefused when a picture's file is gone."""
    with ExitStack() as stack:
        yield tuple(
            _whole(picture) if crop.is_whole else _cut(picture, crop, stack.enter_context(storage.temporary(".jpg")))
            for picture, crop in pictures
        )


def _whole(picture: Reference) -> ReferenceFile:
    if not storage.exists(picture.key):
        raise uploads.gone()
    return file_of(picture)


def _cut(picture: Reference, crop: Crop, out: Path) -> ReferenceFile:
    try:
        with storage.open(picture.key) as source:
            facts = images.crop_to(source, out, crop.box)
    except FileNotFoundError as error:
        raise uploads.gone() from error
    return ReferenceFile(
        name="reference.jpg", content_type=facts.content_type, size=facts.size_bytes, open=functools.partial(_open, out)
    )


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _limits(ends_at: float) -> Limits:
    """The client's limits with a price check, or a stop after one, cut to what is left, at least LEAST_S."""
    left = max(LEAST_S, ends_at - time.monotonic())
    timing = Timing(connect=min(3.0, left), read=left, write=left, total=left)
    return Limits(estimate=timing, cancel=timing)


def _made_an_order(gateway: Gateway, job_id: str, *, ends_at: float) -> None:
    """The gateway took a price check for an order, which may cost money: never ask it again, and try to stop this one.

    Stopping may take LEAST_S more than the page's time; it happens once for a gateway.
    """
    gateways.give_up_dry_runs(gateway)
    log.error("estimate_made_an_order_and_prices_are_off_now", gateway=gateway.slug, upstream_id=job_id)
    try:
        with gateways.client_for(gateway, limits=_limits(ends_at)) as client:
            client.cancel(job_id)
    except GatewayError as error:
        log.error("order_of_a_price_check_not_stopped", gateway=gateway.slug, upstream_id=job_id, why=str(error))
