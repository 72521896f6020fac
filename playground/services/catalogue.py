"""Which models there are: read from the gateway and kept as rows. What of them a member is offered: `offers`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import quantiles
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from playground.domain.capabilities import Capabilities
from playground.domain.money import micros_from_dollars
from playground.domain.status import Status
from playground.gateway.errors import GatewayError
from playground.gateway.types import ModelInfo
from playground.models import Gateway, Lifecycle, VideoModel
from playground.services import gateways, history

log = structlog.get_logger(__name__)

SYNC_EVERY = timedelta(hours=1)
RETRY_EVERY = timedelta(minutes=1)
FIRST_RETRY = timedelta(seconds=4)
"""Before the first success, such as a gateway that still starts: a little under the worker's look every 5 s."""
UNDER_WAY = timedelta(seconds=35)
"""How long a try without a result keeps others away: the client's own limit for the list is 30 s."""
AT_ONCE = 2
"""Lists of teams' gateways that are read at the same time."""
SYNC_TIMEOUT_S = 120
RECORD_OF = 10
"""How many of a model's latest orders its track record speaks of."""
_PRICE = re.compile(r"\$(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class SyncResult:
    live: int
    new: int
    retired: int


def sync_default() -> SyncResult | None:
    """Bring the installation's gateway's models up to date. None when it cannot answer; its row says why."""
    return try_sync(gateways.ensure_default())


def read(gateway_id: UUID | None) -> Gateway | None:
    """Bring the models of this gateway of a team up to date, or those of the installation's; it, or None in vain."""
    if gateway_id is None:
        gateway: Gateway | None = gateways.ensure_default()
    else:
        gateway = Gateway.objects.filter(id=gateway_id, team__isnull=False, removed_at=None).first()
    return gateway if gateway and try_sync(gateway) else None


def try_sync(gateway: Gateway) -> SyncResult | None:
    """As `sync`; None when it cannot answer, and its row says why."""
    try:
        return sync(gateway)
    except (GatewayError, gateways.GatewayNotConfigured) as error:
        log.warning("catalogue_sync_failed", gateway=gateway.slug, why=str(error)[:200])
        rows = Gateway.objects.filter(id=gateway.id)
        rows.update(sync_error=str(error)[:300], sync_failed_at=timezone.now())
        return None


def is_due(*, now: datetime) -> bool:
    """Whether to read the models of the installation's gateway now; a True is given once, and marks the try as begun.

    Never read, read an hour ago, or failed a minute ago; every few seconds while there was no success at all. A try
    under way keeps others away until it has a result, for 35 s at the most.
    """
    gateway = default_gateway()
    return _is_time(gateway, now) and _begins(gateway, now)


def due_of_teams(*, now: datetime) -> list[UUID]:
    """Gateways of teams whose models to read now, each given once, the one that waits longest first.

    At most AT_ONCE are under way, so that many that hang take no place of what was ordered. One that fails and fails is
    tried more and more rarely, hourly at last.
    """
    rows = Gateway.objects.filter(team__isnull=False, removed_at=None).exclude(sealed_key="")
    found = list(rows.order_by(F("sync_tried_at").asc(nulls_first=True), "id"))
    room = AT_ONCE - sum(_is_under_way(gateway, now) for gateway in found)
    ready = [gateway for gateway in found if _is_time(gateway, now)]
    return [gateway.id for gateway in ready[: max(0, room)] if _begins(gateway, now)]


def _begins(gateway: Gateway, now: datetime) -> bool:
    same = Gateway.objects.filter(id=gateway.id, sync_tried_at=gateway.sync_tried_at)
    return bool(same.update(sync_tried_at=now))


def _is_under_way(gateway: Gateway, now: datetime) -> bool:
    """Begun a moment ago, and no end of it is known."""
    tried_at = gateway.sync_tried_at
    if tried_at is None or not tried_at <= now <= tried_at + UNDER_WAY:
        return False
    return all(end is None or end < tried_at for end in (gateway.synced_at, gateway.sync_failed_at))


def _is_time(gateway: Gateway, now: datetime) -> bool:
    tried_at = gateway.sync_tried_at or gateway.synced_at
    if tried_at is None:
        return True
    if tried_at > now + UNDER_WAY:
        return True  # of a clock that was ahead
    if gateway.synced_at and gateway.synced_at >= tried_at:
        return now - gateway.synced_at > SYNC_EVERY
    if gateway.sync_failed_at and gateway.sync_failed_at >= tried_at:
        return now - tried_at > _pause(gateway, tried_at)
    return now - tried_at > UNDER_WAY


def _pause(gateway: Gateway, tried_at: datetime) -> timedelta:
    """Between a try that failed and the next one."""
    if gateway.team_id is None:
        return RETRY_EVERY if gateway.synced_at else FIRST_RETRY
    failing_for = tried_at - (gateway.synced_at or gateway.key_set_at or gateway.created_at)
    return min(max(failing_for / 4, RETRY_EVERY), SYNC_EVERY)


def sync(gateway: Gateway, *, now: datetime | None = None) -> SyncResult:
    """Read the gateway's list. What is gone is retired; an empty list is believed to be a fault and changes nothing.

    Raises GatewayError when the gateway cannot be asked.
    """
    now = now or timezone.now()
    Gateway.objects.filter(id=gateway.id).update(sync_tried_at=now)
    with gateways.client_for(gateway) as client:
        offered = [info for info in client.models() if info.video]
    if not offered:
        raise GatewayError("The gateway lists no video model.", code="no_models")
    with transaction.atomic():
        before = set(VideoModel.objects.filter(gateway=gateway).values_list("slug", flat=True))
        for info in offered:
            _write(gateway, info, now=now)
        gone = VideoModel.objects.filter(gateway=gateway).exclude(slug__in=[info.slug for info in offered])
        retired = gone.exclude(lifecycle=Lifecycle.RETIRED).update(lifecycle=Lifecycle.RETIRED, retired_at=now)
        Gateway.objects.filter(id=gateway.id).update(synced_at=now, sync_error="")
    new = len({info.slug for info in offered} - before)
    log.info("catalogue_synced", gateway=gateway.slug, live=len(offered), new=new, retired=retired)
    return SyncResult(live=len(offered), new=new, retired=retired)


def _write(gateway: Gateway, info: ModelInfo, *, now: datetime) -> None:
    lifecycle = Lifecycle.RETIRED if info.retired else Lifecycle.RETIRING if info.deprecated else Lifecycle.LIVE
    price = _PRICE.search(info.price_note)
    VideoModel.objects.update_or_create(
        gateway=gateway,
        slug=info.slug[:200],
        defaults={
            "name": info.name[:200] or info.slug[:200],
            "owner": info.owner[:100],
            "aliases": list(info.aliases),
            "capabilities": (info.capabilities or Capabilities()).to_json(),
            "price_note": info.price_note[:200],
            "price_floor_micros": micros_from_dollars(price.group(1)) if price else None,
            "lifecycle": lifecycle,
            "retired_at": now if lifecycle == Lifecycle.RETIRED else None,
            "seen_at": now,
        },
    )


def default_gateway() -> Gateway:
    """The installation's."""
    return Gateway.objects.filter(team=None, is_default=True).first() or gateways.ensure_default()


def used_by(team_id: UUID) -> QuerySet[Gateway]:
    """Where this team orders, first: its own gateway if it has chosen one, else the installation's."""
    mine = Gateway.objects.filter(Q(team_id=team_id, removed_at=None) | Q(team=None), is_default=True)
    return mine.order_by(F("team_id").asc(nulls_last=True))


def gateway_of(team_id: UUID) -> Gateway:
    """Where this team orders: from its own gateway if it has chosen one, else from the installation's."""
    return used_by(team_id).first() or gateways.ensure_default()


@dataclass(frozen=True, slots=True)
class Record:
    """How a model's last ten ended orders went here. Seconds from sending to completion: the middle four fifths."""

    finished: int
    tried: int
    usual_from_s: int | None = None
    usual_to_s: int | None = None

    @property
    def fails_always(self) -> bool:
        return self.tried >= 5 and self.finished == 0


def track_record(*, models: Iterable[VideoModel]) -> dict[UUID, Record]:
    """A record for each model that has any history."""
    records = {model.id: _record(model.id) for model in models}
    return {model_id: record for model_id, record in records.items() if record is not None}


def usual_seconds(model_id: UUID) -> tuple[int, int] | None:
    record = _record(model_id)
    if record is None or record.usual_from_s is None or record.usual_to_s is None:
        return None
    return record.usual_from_s, record.usual_to_s


def _record(model_id: UUID) -> Record | None:
    rows = list(history.ended(model_id, newest=RECORD_OF))
    if not rows:
        return None
    low, high = _spread(sorted(row.took_s for row in rows if row.took_s is not None))
    done = sum(row.status is Status.DONE for row in rows)
    return Record(finished=done, tried=len(rows), usual_from_s=low, usual_to_s=high)


def _spread(times: list[float]) -> tuple[int | None, int | None]:
    if len(times) < 3:
        return None, None
    cuts = quantiles(times, n=10, method="inclusive")
    return round(cuts[0]), round(cuts[-1])
