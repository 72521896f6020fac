"""All that is stored sealed, as a whole: whether it can be opened, and sealing it anew with the first key.

A canary, a known text that is sealed at the first start, tells a wrong or missing key from an installation without any
secrets. Nothing that cannot be opened is ever replaced by itself: the right key may come back.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from allauth.mfa.models import Authenticator
from django.db import DatabaseError, models, transaction

from playground.models import Canary, Gateway, User
from playground.services import audit, factors, sealing

log = structlog.get_logger(__name__)

WORDS = "a canary that sings while the keys are right"
COLUMNS: tuple[tuple[type[models.Model], str], ...] = (
    (Gateway, "sealed_key"),
    (Gateway, "webhook_secret"),
    (Canary, "sealed"),
)
"""Every column that holds sealed texts; empty where there is none."""
FACTORS = {Authenticator.Type.TOTP: "secret", Authenticator.Type.RECOVERY_CODES: "seed"}
"""What of a second factor's `data` is sealed (playground/accounts_mfa.py): of an app, and of recovery codes."""


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values were sealed anew, were sealed with the first key already, and could not be opened."""

    anew: int = 0
    were: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many values were dropped, and who lost their second factors because a secret of theirs was among them."""

    count: int
    people: tuple[User, ...] = ()


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
    factors = sum(not sealing.opens(value) for _, _, _, value in _of_factors())
    if canary is not None and not _is_canary(canary):
        is_set = "does not hold" if sealing.has_own_keys() else "is not set; it held"
        return (
            f"SECRETS_KEYS {is_set} the key that sealed what is stored. {unreadable} keys of gateways cannot be read,"
            f" and nothing is sent with them.{_of_factors_words(factors)} Put it back, behind a comma if there is a new"
            " one."
        )
    if unreadable or factors:
        return (
            f"SECRETS_KEYS does not open {unreadable} of the stored keys of gateways, and nothing is sent with them."
            f"{_of_factors_words(factors)} Put the key that sealed them back, behind a comma."
        )
    return ""


def _of_factors_words(count: int) -> str:
    return f" {count} secrets of second factors cannot be read, and no code fits those." if count else ""


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
                anew += _put(model, column, id, value, by=sealing.seal(sealing.unseal(value)))
            else:
                unreadable += 1
        found = Resealed(anew, were, unreadable)
        audit.record("secrets_rotated", by=None, team=None, data={"anew": anew, "unreadable": unreadable})
    log.info("secrets_rotated", anew=anew, were=were, unreadable=unreadable)
    return found


def forget_unreadable() -> Forgotten:
    """Drop what no key opens: keys of gateways have to be typed anew, hooks make theirs anew.

    Whose app or recovery codes are among it would be asked for a code that nobody can make: all their second factors
    are taken away, as `manage.py reset_second_factor` does.
    """
    count, locked_out = 0, set()
    with transaction.atomic():
        for model, column, id, value in list(_values()):
            if model is Canary or sealing.opens(value):
                continue
            if model is Authenticator:
                locked_out.add(id)
                count += 1
            else:
                count += _put(model, column, id, value, by="")
        owners = Authenticator.objects.filter(pk__in=locked_out).values("user_id")
        people = tuple(User.objects.filter(id__in=owners).order_by("email"))
        for user in people:
            factors.reset(user=user)
        Canary.objects.update_or_create(id=1, defaults={"sealed": sealing.seal(WORDS)})
        data = {"count": count, "second_factors": [str(user.id) for user in people]}
        audit.record("unreadable_secrets_forgotten", by=None, team=None, data=data)
    log.warning("unreadable_secrets_forgotten", count=count, people=len(people))
    return Forgotten(count, people)


def _moved_from_secret_key() -> None:
    """Of an installation that had no keys of its own before: what SECRET_KEY sealed must not hang on it any more."""
    if any(sealing.is_of_secret_key(value) for _, _, _, value in _values()):
        reseal()


Value = tuple[type[models.Model], str, object, str]
"""Its table, its column or its name in a second factor's `data`, its row, and the sealed text."""


def _values() -> Iterator[Value]:
    for model, column in COLUMNS:
        rows = model._default_manager.exclude(**{column: ""}).order_by("pk")
        for id, value in rows.values_list("pk", column):
            yield model, column, id, value
    yield from _of_factors()


def _of_factors() -> Iterator[Value]:
    rows = Authenticator.objects.filter(type__in=FACTORS).order_by("pk")
    for id, type, data in rows.values_list("pk", "type", "data"):
        if value := data.get(FACTORS[type]):
            yield Authenticator, FACTORS[type], id, value


def _put(model: type[models.Model], column: str, id: object, value: str, *, by: str) -> int:
    """`by` in place of the value: 1, or 0 where it was replaced meanwhile, and so sealed with the first key."""
    if model is Authenticator:
        return _put_in_factor(column, id, value, by)
    return model._default_manager.filter(pk=id, **{column: value}).update(**{column: by})


def _put_in_factor(name: str, id: object, value: str, by: str) -> int:
    """Beside it stands which recovery codes are used: the row is held, as it is while one of them is taken."""
    row = Authenticator.objects.select_for_update().filter(pk=id).first()
    if row is None or row.data.get(name) != value:
        return 0
    row.data[name] = by
    row.save(update_fields=["data"])
    return 1


def _is_canary(value: str) -> bool:
    try:
        return sealing.unseal(value) == WORDS
    except sealing.Unreadable:
        return False
