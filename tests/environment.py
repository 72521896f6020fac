"""What Django's settings may see in a test: throw-away data and nothing of an installation's `.env`."""

import os
import secrets
from pathlib import Path

CLOSED = {
    "SECRETS_KEYS": "c2VjcmV0cy1rZXktb2YtdGhlLXRlc3RzLTAxMjM0NTY=",
    "TEAM_GATEWAYS_LOCAL": "false",
    "LUMENFALL_API_KEY": "",
    "GATEWAY_BASE_URL": "",
    "GATEWAY_API_KEY": "",
    "GATEWAY_DIALECT": "",
    "GATEWAY_HONOURS": "",
    "GATEWAY_KEY_TRUSTED_S": "3600",
    "SANDBOX_HOOK_LOOPBACK": "false",
    "MEDIA_STORAGE_URL": "",
    "EMAIL_URL": "",
    "OIDC_ISSUER_URL": "",
    "OIDC_CLIENT_ID": "",
    "OIDC_CLIENT_SECRET": "",
    "GOOGLE_CLIENT_ID": "",
    "GOOGLE_CLIENT_SECRET": "",
    "GITHUB_CLIENT_ID": "",
    "GITHUB_CLIENT_SECRET": "",
    "SIGNUP_DOMAINS": "",
    "REQUIRE_MFA": "none",
    "DEBUG": "false",
}
"""Whatever a person has set: no gateway that costs, no store and no hooks but those of a test."""


def isolated(folder: Path) -> dict[str, str]:
    """The variables for data below `folder`, whose folders are made. A lane's database comes from the lane."""
    for name in ("media", "tmp", "static"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sqlite = f"sqlite:///{folder / 'playground.sqlite3'}"
    return {
        "DJANGO_SETTINGS_MODULE": "playground.settings",
        "PLAYGROUND_DATA": str(folder),
        "DATABASE_URL": os.environ.get("PLAYGROUND_TEST_DATABASE_URL") or sqlite,
        "SECRET_KEY": os.environ.get("SECRET_KEY") or secrets.token_urlsafe(48),
        "PUBLIC_URL": "http://localhost:8000",
    } | CLOSED
