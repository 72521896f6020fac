"""A team's own gateways: connected, declared, chosen and removed by its admins.

A key goes in and never comes out: it is tried first, then stored sealed, and of it only the last four characters are
shown. An order stays with the gateway it was made for and with the key it was first tried with, whatever is chosen,
replaced or removed here; see `sent_with` and `keys_used`.
"""

import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from playground import queue
from playground.domain.status import ACTIVE, PARKED
from playground.models import Gateway, Generation, Membership
from playground.services import audit, catalogue, keys_used, pauses, repair, sealed, sealing, teams, typed_gateways
from playground.services.typed_gateways import Typed

log = structlog.get_logger(__name__)

MOST = 10
"""Gateways that a team may have connected at once: the worker reads the models of each."""
LAST = 4
LONG_ENOUGH = 16
"""Of a shorter key not even the end is shown: it would be too much of it."""


class CannotKeep(Exception):
    """This installation cannot keep keys, or not now; `str()` is for the admin of a team."""


class TooMany(Exception):
    """The team has MOST of them already."""


class InUse(Exception):
    """So many of its orders (`count`) have not come to their end. Nothing was removed."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} orders are under way")
        self.count = count


def of_team(team_id: UUID) -> QuerySet[Gateway]:
    """The team's own ones that are connected, the oldest first."""
    return Gateway.objects.filter(team_id=team_id, removed_at=None).select_related("key_set_by").order_by("created_at")


def chosen_by_teams() -> QuerySet[Gateway]:
    """Those that teams have chosen to order from, in place of the installation's."""
    return Gateway.objects.filter(team__isnull=False, removed_at=None, is_default=True)


def seen_by(team_id: UUID) -> Q:
    """Of models: those of the installation's gateways and of the team's own."""
    return Q(gateway__team=None) | Q(gateway__team_id=team_id)


@sensitive_variables("typed")
def connect(*, by: Membership, typed: Typed, use_it: bool, now: datetime | None = None) -> Gateway:
    """Try it, then store it with its key sealed; `use_it`: the team orders from it from now on.

    Raises WrongAddress, WrongKey, WrongWords, CannotKeep, NoGoodAnswer, TooMany and teams.NotAdmin, the last also
    where `by` is no admin any more once the gateway has answered; then nothing was stored.
    """
    _check_admin(by)
    check_can_keep()
    typed_gateways.check_answer(typed_gateways.ask(typed))
    now = now or timezone.now()
    with transaction.atomic():
        team = teams.locked(by)
        if of_team(team.id).count() >= MOST:
            raise TooMany
        gateway = Gateway.objects.create(
            team=team,
            slug=_slug(typed.name),
            name=typed.name,
            base_url=typed_gateways.config_of(typed).base_url,
            dialect=typed.dialect,
            **typed_gateways.columns_of(typed_gateways.honours_of(typed)),
            **_kept(typed.key, by=by, now=now),
        )
        audit.record("gateway_connected", by=by.user, team=team, data=_about(gateway) | {"address": gateway.base_url})
        keys_used.note(now=now)  # before any order can go out with it
        if use_it:
            _choose(by, gateway)
        transaction.on_commit(lambda: _read_models(gateway))
    log.info("gateway_connected", gateway=gateway.slug, team=team.slug)
    return gateway


@sensitive_variables("key")
def replace_key(*, by: Membership, gateway: Gateway, key: str, now: datetime | None = None) -> None:
    """Try the new key, then keep it instead of the old one, which is gone for good; a pause ends.

    Orders that went out with the old key are asked after with the new one, and none of them is believed lost or sent
    again because of what that one's account says. Raises WrongKey, WrongAddress, CannotKeep, NoGoodAnswer and
    Gateway.DoesNotExist.
    """
    _check_admin(by)
    check_can_keep()
    typed_gateways.check_answer(typed_gateways.ask_with(gateway=gateway, key=key))
    now = now or timezone.now()
    with transaction.atomic():
        teams.locked(by)
        row = _locked(by, gateway)
        _put(row, _kept(key, by=by, now=now))
        audit.record("gateway_key_replaced", by=by.user, team=by.team, data=_about(row))
        keys_used.note(now=now)
        transaction.on_commit(lambda: _read_models(row))
    log.info("gateway_key_replaced", gateway=row.slug)
    if row.paused_at:
        pauses.resume(row, by=by.user, now=now)


def change(
    *, by: Membership, gateway: Gateway, name: str, honours: tuple[str, ...], now: datetime | None = None
) -> None:
    """Rename it, and declare anew what it honours. Raises WrongWords and Gateway.DoesNotExist."""
    columns = typed_gateways.columns_of(typed_gateways.declare(honours, gateway.dialect))
    with transaction.atomic():
        teams.locked(by)
        row = _locked(by, gateway)
        if row.dry_run_broken_at:
            columns["has_dry_run"] = False  # a price check of it made an order
        wanted = {"name": name, **columns}
        changed = [column for column, value in wanted.items() if getattr(row, column) != value]
        if not changed:
            return
        _put(row, wanted)
        audit.record("gateway_changed", by=by.user, team=by.team, data=_about(row) | {"fields": changed})
        keys_used.note(now=now or timezone.now())  # its mark tells whether idempotency keys go along


def use(*, by: Membership, gateway: Gateway | None) -> bool:
    """Order from this one from now on; None: from the installation's. False when it was so already.

    What was ordered elsewhere stays there. Raises Gateway.DoesNotExist.
    """
    with transaction.atomic():
        teams.locked(by)
        row = _locked(by, gateway) if gateway else None
        return _choose(by, row)


def remove(*, by: Membership, gateway: Gateway, now: datetime | None = None) -> None:
    """Forget its key; nothing is ordered from it any more. Raises InUse while it is `needed_for` an order.

    Its row stays, for what was made there. Raises Gateway.DoesNotExist.
    """
    now = now or timezone.now()
    with transaction.atomic():
        teams.locked(by)  # as whoever orders does: none is made between the count and the end
        row = _locked(by, gateway)
        if count := needed_for(row, now=now):
            raise InUse(count)
        gone = {"removed_at": now, "sealed_key": "", "key_last4": "", "webhook_secret": ""}
        no_pause = {"paused_at": None, "paused_reason": "", "resume_check_at": None}
        _put(row, {**gone, **no_pause, "is_default": False, "sync_error": ""})
        audit.record("gateway_removed", by=by.user, team=by.team, data=_about(row))
    log.info("gateway_removed", gateway=row.slug)


def under_way(gateway: Gateway) -> int:
    """Orders that may still bring a video or a cost: also those that were stopped and are looked after."""
    return Generation.objects.filter(_open(), gateway=gateway).count()


def needed_for(gateway: Gateway, *, now: datetime) -> int:
    """Orders that its key is still needed for: those under way, and those just lost, which are looked for there."""
    return under_way(gateway) + repair.missed(now=now).filter(gateway=gateway).count()


def _open() -> Q:
    return Q(status__in=ACTIVE | PARKED) | Q(next_check_at__isnull=False)


def why_no_keys() -> str:
    """Why no key can be stored here, for a team's admin; "" where it can."""
    if not sealing.has_own_keys():
        return _("This installation cannot keep keys: it has no SECRETS_KEYS. Whoever runs it can set one.")
    if sealed.problem():
        return _("This installation cannot open its stored keys, so it takes no new ones. Whoever runs it was told.")
    return ""


def check_can_keep() -> None:
    if why := why_no_keys():
        raise CannotKeep(why)


def _check_admin(by: Membership) -> None:
    """Before a gateway is asked. Whether they still are is looked at when it is stored."""
    if not by.is_admin:
        raise teams.NotAdmin


@sensitive_variables("key")
def _kept(key: str, *, by: Membership, now: datetime) -> dict[str, Any]:
    last = key[-LAST:] if len(key) >= LONG_ENOUGH else ""
    return {"sealed_key": sealing.seal(key), "key_last4": last, "key_set_at": now, "key_set_by": by.user}


def _locked(by: Membership, gateway: Gateway) -> Gateway:
    """As it is now. Raises Gateway.DoesNotExist for another team's, and for one that was removed meanwhile."""
    rows = Gateway.objects.select_for_update(of=("self",)).filter(team_id=by.team_id, removed_at=None)
    return rows.select_related("team").get(id=gateway.id)


def _put(row: Gateway, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))


def _choose(by: Membership, gateway: Gateway | None) -> bool:
    """With the team's row locked."""
    was = Gateway.objects.filter(team_id=by.team_id, is_default=True).values_list("id", flat=True).first()
    if was == (gateway.id if gateway else None):
        return False
    Gateway.objects.filter(team_id=by.team_id, is_default=True).update(is_default=False)
    if gateway:
        _put(gateway, {"is_default": True})
    data = _about(gateway) if gateway else {"gateway": "", "name": catalogue.default_gateway().name}
    audit.record("gateway_chosen", by=by.user, team=by.team, data=data | {"was": str(was or "")})
    return True


def _about(gateway: Gateway) -> dict[str, Any]:
    return {"gateway": str(gateway.id), "name": gateway.name}


def _slug(name: str) -> str:
    """Told apart from every other one, whatever its name becomes: it stands in addresses of webhooks."""
    return f"{slugify(name)[:40] or 'gateway'}-{secrets.token_hex(5)}"


def _read_models(gateway: Gateway) -> None:
    queue.enqueue("sync_catalogue", str(gateway.id), timeout_s=catalogue.SYNC_TIMEOUT_S)
