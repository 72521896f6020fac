"""Asking a gateway whether it answers and takes its key, and saying it in words: what the "Test" buttons do."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from playground.gateway import factory
from playground.gateway.egress import GATEWAY_PLACE
from playground.gateway.errors import AccountRefused, GatewayError, NotSent
from playground.gateway.types import Dialect, GatewayConfig, Limits, Timing
from playground.models import Gateway
from playground.services import gateways, places

MODELS_S, BALANCE_S = 15.0, 5.0
"""How long a page waits for the list of models and for the balance, each at most."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    ok: bool
    words: str
    model_count: int = 0
    balance_micros: int | None = None


def check(gateway: Gateway) -> CheckResult:
    """Ask the gateway for its models and balance, and say in words what it answered. Never raises for its faults."""
    try:
        config = gateways.config_of(gateway, limits=limits())
    except gateways.GatewayNotConfigured:
        if gateway.team_id:
            return CheckResult(ok=False, words=_("Its key is not here, or cannot be opened. Replace the key."))
        return CheckResult(ok=False, words=_("Its key is not in the environment."))
    return ask(config, is_own=gateway.team_id is not None)


def ask(config: GatewayConfig, *, is_own: bool) -> CheckResult:
    """As `check`, for one that need not be stored. `is_own`: its key was typed into a page, not into the environment.

    Only an account that is refused for its key is no good: one that is empty can be topped up.
    """
    try:
        with places.given_up(), factory.build(config) as client:
            models = [model for model in client.models() if model.video]
            balance = client.balance() if config.dialect is Dialect.LUMENFALL else None
    except AccountRefused as error:
        return CheckResult(ok=False, words=_refused(error, is_own=is_own))
    except NotSent as error:
        return CheckResult(ok=False, words=_not_reached(error, config))
    except GatewayError as error:
        return CheckResult(ok=False, words=_("It did not answer as expected: %(why)s") % {"why": error.message})
    count = len(models)
    words = ngettext(
        "It answers and offers %(count)d video model.", "It answers and offers %(count)d video models.", count
    )
    return CheckResult(
        ok=True,
        words=words % {"count": count},
        model_count=count,
        balance_micros=balance.available_micros if balance else None,
    )


def limits() -> Limits:
    models = Timing(connect=5, read=8, write=8, total=MODELS_S)
    return Limits(models=models, balance=Timing(connect=3, read=5, write=5, total=BALANCE_S))


def _refused(error: AccountRefused, *, is_own: bool) -> str:
    if is_own:
        words = _("It answered, but refused the key: %(why)s")
    else:
        words = _("It answered, but refused the key: %(why)s Put a valid one into the environment and start again.")
    return words % {"why": f"{error.message.rstrip('.')}."}


def _not_reached(error: NotSent, config: GatewayConfig) -> str:
    if error.code == GATEWAY_PLACE:
        return _("Its address leads into a private network. Only gateways on the open internet can be connected.")
    asked = _("No answer from %(address)s. Is the address right, and is the gateway running?")
    return asked % {"address": config.base_url}
