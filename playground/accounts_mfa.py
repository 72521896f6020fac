"""How django-allauth's second factors behave here.

The secret of an app and the seed of recovery codes are sealed with a key that is not in the database. A passkey is
bound to the host of PUBLIC_URL, whatever name the page was opened under.
"""

from typing import Any

import structlog
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from playground.models import User
from playground.services import sealing
from playground.views.devices import device_name

log = structlog.get_logger(__name__)


class MfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is wrong, or was used already."),
    }

    def encrypt(self, text: str) -> str:
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Sealed with a key that is gone: a secret nobody knows, so that no code fits."""
        try:
            return sealing.unseal(encrypted_text)
        except sealing.Unreadable:
            hint = (
                "put the key that sealed it back into SECRETS_KEYS; if it is lost, manage.py reset_second_factor EMAIL"
            )
            log.error("second_factor_unreadable", hint=hint)
            return str(generate_totp_secret())

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": settings.PASSKEY_HOST, "name": "Video Playground"}

    def generate_authenticator_name(self, user: User, type: Any) -> str:
        """What the browser calls itself: the passkey is mostly its own."""
        from allauth.core import context

        return device_name(context.request.headers.get("User-Agent", ""))
