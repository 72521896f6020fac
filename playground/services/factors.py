"""Second factors: what somebody has, the drawing of an app's secret, and taking all away from who lost them."""

import structlog
from allauth.mfa.models import Authenticator
from django.db import transaction
from qrcode.main import QRCode

from playground.models import User
from playground.services import audit, profiles, sessions

log = structlog.get_logger(__name__)

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
"""Recovery codes alone are none: they stand in for one of these."""


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.id, type__in=FACTORS).exists())


def has_passkey(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.id, type=Authenticator.Type.WEBAUTHN).exists())


def is_last(factor: Authenticator) -> bool:
    """Whether nothing but recovery codes is left without this one; they go with it."""
    return not Authenticator.objects.filter(user_id=factor.user_id, type__in=FACTORS).exclude(pk=factor.pk).exists()


def qr_code(text: str) -> dict[str, str | int]:
    """A drawing for `<path d>`: one square for each dark point, and how many points a side has."""
    code = QRCode(border=4)
    code.add_data(text)
    rows = code.get_matrix()
    path = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    return {"path": path, "side": len(rows)}


def reset(*, user: User) -> dict[str, int]:
    """Take away app, passkeys and recovery codes, and sign out everywhere. Returns how many of each there were."""
    with transaction.atomic():
        mine = Authenticator.objects.select_for_update().filter(user_id=user.id)
        found: dict[str, int] = {}
        for one in mine:
            found[one.type] = found.get(one.type, 0) + 1
        mine.delete()
        found["sessions"] = sessions.end_all(user=user)
        for team in profiles.teams_of(user):
            audit.record("second_factor_reset", by=None, team=team, data={"user": str(user.id)} | found)
    log.info("second_factor_reset", user=str(user.id), **found)
    return found
