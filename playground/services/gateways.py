"""Which gateways there are, and a client for each.

The installation's gateway comes from the environment; its row is made here, its key is never stored. Earlier gateways
keep their rows, and what was ordered there is still asked there as long as its key is in the environment. A team's own
gateway has its key in its row, sealed (services/team_gateways.py); it is opened here and nowhere else.
"""

import hashlib
from dataclasses import replace
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.debug import sensitive_variables

from playground.gateway import factory
from playground.gateway.client import GatewayClient
from playground.gateway.types import ConfigError, Dialect, GatewayConfig, Limits, plain_address
from playground.models import Gateway
from playground.services import sealing

LUMENFALL = "lumenfall"
SANDBOX = "sandbox"
VARIABLES = (
    "LUMENFALL_API_KEY",
    "GATEWAY_BASE_URL",
    "GATEWAY_API_KEY",
    "GATEWAY_DIALECT",
    "GATEWAY_HONOURS",
    "GATEWAY_KEY_TRUSTED_S",
    "SANDBOX_PORT",
)


class GatewayNotConfigured(Exception):
    """The key of this gateway is not there: no longer in the environment, not to be opened, or forgotten with the
    gateway. Its orders wait until it is again."""


def environment() -> dict[str, object]:
    """The settings that describe gateways, as the gateway package takes them."""
    return {name: getattr(settings, name) for name in VARIABLES}


def default_slug(config: GatewayConfig) -> str:
    """The slug of the gateway that the environment names. One named by address never gets a slug with a meaning.

    It ends with a hash of the whole address: two gateways may well differ in nothing but the end of a long path.
    """
    if settings.GATEWAY_BASE_URL:
        parts = urlsplit(config.base_url)
        words = slugify(f"{parts.netloc}{parts.path}".replace(".", "-").replace("/", "-"))[:40].strip("-")
        return f"custom-{words}-{hashlib.sha256(config.base_url.encode()).hexdigest()[:10]}"
    return LUMENFALL if settings.LUMENFALL_API_KEY else SANDBOX


def _default_row(config: GatewayConfig) -> tuple[str, Gateway | None]:
    """The slug of the gateway in use, and its row. One named by address is known by that address alone."""
    slug, rows = default_slug(config), Gateway.objects.filter(team=None)
    if not settings.GATEWAY_BASE_URL:
        return slug, rows.filter(slug=slug).first()
    named = rows.exclude(slug__in=(LUMENFALL, SANDBOX)).order_by("-is_default", "created_at")
    known = next((row for row in named if plain_address(row.base_url) == config.base_url), None)
    return (known.slug, known) if known else (slug, None)


def ensure_default() -> Gateway:
    """The row of the gateway that the environment names, made or brought up to date, and marked as default."""
    config = factory.config_from(environment(), version=settings.VERSION)
    declared = factory.honours_from(environment(), config.dialect)
    slug, current = _default_row(config)
    wanted = {
        "name": {LUMENFALL: "Lumenfall", SANDBOX: "Sandbox"}.get(slug, urlsplit(config.base_url).netloc),
        "base_url": config.base_url,
        "dialect": config.dialect.value,
        "is_sandbox": slug == SANDBOX,
        "is_default": True,
        "honours_idempotency_key": config.honours_idempotency_key,
        "key_trusted_seconds": declared.key_trusted_s,
        "has_dry_run": config.dry_run,
        "has_cancel": config.cancel,
        "has_request_log": declared.request_log,
        "has_webhooks": declared.webhooks,
    } | _still_broken(current, config)
    if current and all(getattr(current, name) == value for name, value in wanted.items()):
        return current
    with transaction.atomic():
        Gateway.objects.filter(team=None, is_default=True).exclude(slug=slug).update(is_default=False)
        return Gateway.objects.update_or_create(team=None, slug=slug, defaults=wanted)[0]


def _still_broken(current: Gateway | None, config: GatewayConfig) -> dict[str, object]:
    """A gateway whose price check made an order gives no prices until its address or dialect is another one."""
    if current is None or current.dry_run_broken_at is None:
        return {}
    if (plain_address(current.base_url), current.dialect) == (config.base_url, config.dialect.value):
        return {"has_dry_run": False}
    return {"dry_run_broken_at": None}


def give_up_dry_runs(gateway: Gateway) -> None:
    """A price check of this gateway made an order that may cost money: never ask it for a price again."""
    Gateway.objects.filter(id=gateway.id).update(has_dry_run=False, dry_run_broken_at=timezone.now())


def config_of(gateway: Gateway, *, limits: Limits | None = None) -> GatewayConfig:
    """How to reach `gateway`, trusted with what its row says that it honours, in the usual or the given limits.

    Raises GatewayNotConfigured when its key is gone from the environment, or what stands there is no set-up at all.
    """
    try:
        config = _of_team(gateway) if gateway.team_id else _from_environment(gateway)
    except ConfigError as error:
        raise GatewayNotConfigured(str(error)) from error
    return replace(
        config,
        honours_idempotency_key=gateway.honours_idempotency_key,
        dry_run=gateway.has_dry_run,
        cancel=gateway.has_cancel,
        limits=limits or config.limits,
        output_hosts=settings.OUTPUT_HOSTS,
    )


def _from_environment(gateway: Gateway) -> GatewayConfig:
    values = environment()
    if gateway.is_sandbox:
        return factory.sandbox_config(values, version=settings.VERSION)
    if gateway.slug == LUMENFALL and settings.LUMENFALL_API_KEY:
        own = {"LUMENFALL_API_KEY": settings.LUMENFALL_API_KEY}
        return factory.config_from(own, version=settings.VERSION)
    if settings.GATEWAY_BASE_URL and gateway.slug != LUMENFALL:
        config = factory.config_from(values, version=settings.VERSION)
        if config.base_url == plain_address(gateway.base_url):
            return config
    raise GatewayNotConfigured(gateway.name)


@sensitive_variables("key")
def _of_team(gateway: Gateway) -> GatewayConfig:
    if gateway.removed_at or not gateway.sealed_key:
        raise GatewayNotConfigured(gateway.name)
    try:
        key = sealing.unseal(gateway.sealed_key)
    except sealing.Unreadable:
        raise GatewayNotConfigured(gateway.name) from None
    return typed_config(base_url=gateway.base_url, dialect=gateway.dialect, key=key)


@sensitive_variables("key")
def typed_config(*, base_url: str, dialect: str, key: str) -> GatewayConfig:
    """How to reach a gateway that an admin of a team has typed. Raises ConfigError in words for that person."""
    return factory.team_config(
        base_url=base_url,
        api_key=key,
        dialect=Dialect(dialect),
        allow_local=settings.TEAM_GATEWAYS_LOCAL,
        version=settings.VERSION,
    )


def client_for(gateway: Gateway, *, limits: Limits | None = None) -> GatewayClient:
    return factory.build(config_of(gateway, limits=limits))
