"""Settings of signing in beyond the password: a second factor, passkeys, single sign-on, who may make an account.

Read by `playground/settings.py` after `.env`. A pair that is set by half, or a value that cannot work, is one line at
the start that names the variable.
"""

from typing import Any
from urllib.parse import urlsplit

from environs import Env, validate

from playground.addresses import split_address

__all__ = [
    "ACCOUNT_ADAPTER",
    "ACCOUNT_CHANGE_EMAIL",
    "ACCOUNT_EMAIL_NOTIFICATIONS",
    "ACCOUNT_EMAIL_SUBJECT_PREFIX",
    "ACCOUNT_EMAIL_VERIFICATION",
    "ACCOUNT_FORMS",
    "ACCOUNT_LOGIN_BY_CODE_TIMEOUT",
    "ACCOUNT_LOGIN_METHODS",
    "ACCOUNT_LOGOUT_ON_GET",
    "ACCOUNT_RATE_LIMITS",
    "ACCOUNT_REAUTHENTICATION_REQUIRED",
    "ACCOUNT_SESSION_REMEMBER",
    "ACCOUNT_SIGNUP_FIELDS",
    "ACCOUNT_USER_MODEL_USERNAME_FIELD",
    "MFA_ADAPTER",
    "MFA_ALLOW_UNVERIFIED_EMAIL",
    "MFA_FORMS",
    "MFA_PASSKEY_LOGIN_ENABLED",
    "MFA_SUPPORTED_TYPES",
    "MFA_TOTP_ISSUER",
    "MFA_TOTP_TOLERANCE",
    "MFA_WEBAUTHN_USER_VERIFICATION",
    "PASSKEYS_OFFERED",
    "PASSKEY_HOST",
    "REQUIRE_MFA",
    "SIGNUP_DOMAINS",
    "SIGNUP_ROLE",
    "SIGNUP_TEAM",
    "SOCIALACCOUNT_ADAPTER",
    "SOCIALACCOUNT_EMAIL_AUTHENTICATION",
    "SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT",
    "SOCIALACCOUNT_EMAIL_VERIFICATION",
    "SOCIALACCOUNT_PROVIDERS",
    "SOCIALACCOUNT_STORE_TOKENS",
    "USERSESSIONS_TRACK_ACTIVITY",
]

ACCOUNT_ADAPTER = "playground.accounts.Adapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 180
ACCOUNT_EMAIL_SUBJECT_PREFIX = "Video Playground: "
ACCOUNT_FORMS = {
    "confirm_login_code": "playground.forms.codes.ConfirmLoginCodeForm",
    "request_login_code": "playground.forms.addresses.RequestLoginCodeForm",
    "reset_password": "playground.forms.addresses.ResetPasswordForm",
}
# Passwords and codes are counted in limits of our own (playground/accounts.py, playground/forms/codes.py). `login`
# would count right ones too, and `login_failed` second factors by person alone, with passkeys among them.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True

LOOPBACK = {"localhost", "127.0.0.1", "::1"}

env = Env(eager=True)


def passkeys_work_on(public_url: str) -> bool:
    """Browsers make passkeys for names only, and over https; for localhost over plain http too."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    is_name = not host.replace(".", "").isdigit() and ":" not in host
    return is_name and (parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"))


def both(first: str, first_value: str, second: str, second_value: str) -> bool:
    """Whether both are set. Raises ValueError naming the one that is missing."""
    if bool(first_value) == bool(second_value):
        return bool(first_value)
    there, missing = (first, second) if first_value else (second, first)
    raise ValueError(f"{there} is set but {missing} is not")


def checked_issuer(url: str) -> str:
    """What the directory says is believed since it comes over TLS: plain http is for this machine only."""
    parts = split_address("OIDC_ISSUER_URL", url, "https", "http", example="https://login.example.com/realms/main")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("OIDC_ISSUER_URL must begin with https://")
    return url.rstrip("/")


def app(**fields: Any) -> dict[str, Any]:
    return {"APPS": [fields], "OAUTH_PKCE_ENABLED": True}


def domains(value: str) -> list[str]:
    """Names behind the @, in lower case. Raises ValueError for what is none."""
    found = [part.strip().lower().removeprefix("@") for part in value.split(",") if part.strip()]
    for domain in found:
        if "." not in domain.strip(".") or not all(part.replace("-", "a").isalnum() for part in domain.split(".")):
            raise ValueError(f"SIGNUP_DOMAINS must be names such as example.com, not {domain!r}")
    return found


# --- providers ---------------------------------------------------------------------------------------------------
SOCIALACCOUNT_PROVIDERS: dict[str, dict[str, Any]] = {}

_issuer = env.str("OIDC_ISSUER_URL", "")
_oidc_id, _oidc_secret = env.str("OIDC_CLIENT_ID", ""), env.str("OIDC_CLIENT_SECRET", "")
_oidc_name = env.str("OIDC_NAME", "Single sign-on")
if both("OIDC_ISSUER_URL", _issuer, "OIDC_CLIENT_ID", _oidc_id) | both(
    "OIDC_CLIENT_ID", _oidc_id, "OIDC_CLIENT_SECRET", _oidc_secret
):
    SOCIALACCOUNT_PROVIDERS["openid_connect"] = app(
        provider_id="oidc",
        name=_oidc_name,
        client_id=_oidc_id,
        secret=_oidc_secret,
        settings={"server_url": checked_issuer(_issuer), "oauth_pkce_enabled": True},
    )
_google_id, _google_secret = env.str("GOOGLE_CLIENT_ID", ""), env.str("GOOGLE_CLIENT_SECRET", "")
if both("GOOGLE_CLIENT_ID", _google_id, "GOOGLE_CLIENT_SECRET", _google_secret):
    SOCIALACCOUNT_PROVIDERS["google"] = app(name="Google", client_id=_google_id, secret=_google_secret) | {
        "SCOPE": ["openid", "profile", "email"]
    }
_github_id, _github_secret = env.str("GITHUB_CLIENT_ID", ""), env.str("GITHUB_CLIENT_SECRET", "")
if both("GITHUB_CLIENT_ID", _github_id, "GITHUB_CLIENT_SECRET", _github_secret):
    SOCIALACCOUNT_PROVIDERS["github"] = app(name="GitHub", client_id=_github_id, secret=_github_secret) | {
        "SCOPE": ["read:user", "user:email"]
    }

# --- who may make an account -------------------------------------------------------------------------------------
SIGNUP_DOMAINS = domains(env.str("SIGNUP_DOMAINS", ""))
SIGNUP_TEAM = env.str("SIGNUP_TEAM", "")
SIGNUP_ROLE = env.str("SIGNUP_ROLE", "viewer", validate=validate.OneOf(["viewer", "creator"]))

# --- single sign-on: docs/decisions/0029 -------------------------------------------------------------------------
SOCIALACCOUNT_ADAPTER = "playground.accounts_social.SocialAdapter"
SOCIALACCOUNT_EMAIL_VERIFICATION = "none"  # the adapter looks at what the provider says before a row is written
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False  # by address only where the adapter says that it is safe
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False

# --- a second factor ---------------------------------------------------------------------------------------------
_public_url = env.str("PUBLIC_URL", "") or "http://localhost"
PASSKEYS_OFFERED = passkeys_work_on(_public_url)
PASSKEY_HOST = urlsplit(_public_url).hostname or "localhost"
REQUIRE_MFA = env.str("REQUIRE_MFA", "none", validate=validate.OneOf(["none", "admins", "all"]))
MFA_ADAPTER = "playground.accounts_mfa.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", *(["webauthn"] if PASSKEYS_OFFERED else [])]
MFA_PASSKEY_LOGIN_ENABLED = PASSKEYS_OFFERED
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # playground/forms/mfa.py refuses what nobody's finger, face or PIN is in
MFA_TOTP_ISSUER = "Video Playground"
MFA_TOTP_TOLERANCE = 1  # half a minute either way; playground/forms/mfa.py takes each code once all the same
MFA_ALLOW_UNVERIFIED_EMAIL = True  # an address that somebody typed counts for nothing until it is proven
MFA_FORMS = {
    "authenticate": "playground.forms.mfa.CodeForm",
    "reauthenticate": "playground.forms.mfa.CodeAgainForm",
    "authenticate_webauthn": "playground.forms.mfa.PasskeyForm",
    "reauthenticate_webauthn": "playground.forms.mfa.PasskeyAgainForm",
    "login_webauthn": "playground.forms.mfa.PasskeyLoginForm",
    "activate_totp": "playground.forms.mfa.AppForm",
    "add_webauthn": "playground.forms.mfa.NewPasskeyForm",
    "edit_webauthn": "playground.forms.mfa.PasskeyNameForm",
}

# --- the rest ----------------------------------------------------------------------------------------------------
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = bool(env.str("EMAIL_URL", "").strip())
USERSESSIONS_TRACK_ACTIVITY = False  # it would write at every request
