"""All that is stored sealed, as a whole: whether it can be opened, and sealing it anew with the first key.

A canary, a known text that is sealed at the first start, tells a wrong or missing key from an installation without any
secrets. Nothing that cannot be opened is ever replaced by itself: the right key may come back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, models, transaction

from playground.models import Canary, Gateway
from playground.services import audit, sealing

log = structlog.get_logger(__name__)

WORDS = "a canary that sings while the keys are right"
COLUMNS: tuple[tuple[type[models.Model], str], ...] = (
    (Gateway, "sealed_key"),
    (Gateway, "webhook_secret"),
    (Canary, "sealed"),
)
"""Every column that holds sealed texts; empty where there is none."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, were sealed with the first key already, and could not be opened."""

    anew: int = 0
    were: int = 0
    unreadable: int = 0


def at_start() -> str:
    """Before a worker begins: make the canary, move what SECRET_KEY sealed to a key of its own. Gives `problem()`."""
    if not (wrong := problem()):
        if not Canary.objects.exists():
            Canary.objects.get_or_create(id=1, defaults={"sealed": sealing.seal(WORDS)})
        if sealing.has_own_keys():
            _moved_from_secret_key()
        return ""
    log.error("stored_secrets_cannot_be_opened", why=wrong)
    return wrong


def problem() -> str:
    """What is wrong with the keys, for whoever runs this installation; "" when what is stored can be opened."""
    canary = Canary.objects.filter(id=1).values_list("sealed", flat=True).first()
    typed = Gateway.objects.exclude(sealed_key="").values_list("sealed_key", flat=True)  # all else makes itself anew
    unreadable = sum(not sealing.opens(value) for value in typed)
    if canary is not None and not _is_canary(canary):
        is_set = "does not hold" if sealing.has_own_keys() else "is not set; it held"
        return (
            f"SECRETS_KEYS {is_set} the key that sealed what is stored. {unreadable} keys of gateways cannot be read,"
            " and nothing is sent with them. Put it back, behind a comma if there is a new one."
        )
    if unreadable:
        return (
            f"SECRETS_KEYS does not open {unreadable} of the stored keys of gateways, and nothing is sent with them."
            " Put the key that sealed them back, behind a comma."
        )
    return ""


def known_problem() -> str:
    """As `problem`, for whoever must not fail when the database is away or not migrated yet."""
    try:
        return problem()
    except DatabaseError:
        return ""


def reseal() -> Resealed:
    """Seal everything anew with the first key, all of it or nothing. What cannot be opened stays as it is.

    Afterwards the other keys open nothing that is stored, so they can be taken out of the environment.
    """
    anew = were = unreadable = 0
    with transaction.atomic():
        for model, column, id, value in _values():
            if sealing.is_of_first_key(value):
                were += 1
            elif sealing.opens(value):
                anew += _sealed_anew(model, column, id, value)
            else:
                unreadable += 1
        found = Resealed(anew, were, unreadable)
        audit.record("secrets_rotated", by=None, team=None, data={"anew": anew, "unreadable": unreadable})
    log.info("secrets_rotated", anew=anew, were=were, unreadable=unreadable)
    return found


def forget_unreadable() -> int:
    """Drop what no key opens: keys of gateways have to be typed anew, the rest makes itself. Gives how many."""
    count = 0
    with transaction.atomic():
        for model, column, id, value in _values():
            if model is not Canary and not sealing.opens(value):
                count += model._default_manager.filter(pk=id, **{column: value}).update(**{column: ""})
        Canary.objects.update_or_create(id=1, defaults={"sealed": sealing.seal(WORDS)})
        audit.record("unreadable_secrets_forgotten", by=None, team=None, data={"count": count})
    log.warning("unreadable_secrets_forgotten", count=count)
    return count


def _moved_from_secret_key() -> None:
    """Of an installation that had no keys of its own before: what SECRET_KEY sealed must not hang on it any more."""
    if any(sealing.is_of_secret_key(value) for _, _, _, value in _values()):
        reseal()


def _values() -> Iterator[tuple[type[models.Model], str, object, str]]:
    for model, column in COLUMNS:
        rows = model._default_manager.exclude(**{column: ""}).order_by("pk")
        for id, value in rows.values_list("pk", column):
            yield model, column, id, value


def _sealed_anew(model: type[models.Model], column: str, id: object, value: str) -> int:
    """1, or 0 where it was replaced meanwhile, and so sealed with the first key."""
    sealed = sealing.seal(sealing.unseal(value))
    return model._default_manager.filter(pk=id, **{column: value}).update(**{column: sealed})


def _is_canary(value: str) -> bool:
    try:
        return sealing.unseal(value) == WORDS
    except sealing.Unreadable:
        return False
