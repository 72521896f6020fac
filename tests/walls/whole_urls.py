"""Every address that an installation can have: with mail, sign-up by domain, passkeys and each kind of provider."""

from typing import Any

from django.test.utils import override_settings
from django.urls import URLResolver, include, path

from playground import urls
from playground.views import account

SWITCHED_ON: dict[str, Any] = {
    "MAIL_IS_SET": True,
    "ACCOUNT_LOGIN_BY_CODE_ENABLED": True,
    "SIGNUP_DOMAINS": ["example.com"],
    "PASSKEYS_OFFERED": True,
    "SOCIALACCOUNT_PROVIDERS": {
        "google": {"APPS": [{"client_id": "google", "secret": "no-secret"}]},
        "github": {"APPS": [{"client_id": "github", "secret": "no-secret"}]},
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": "Directory",
                    "client_id": "oidc",
                    "secret": "no-secret",
                    "settings": {"server_url": "http://127.0.0.1:9"},
                }
            ]
        },
    },
}
with override_settings(**SWITCHED_ON):
    everything = account._patterns()

urlpatterns = [
    path("account/", include(everything)) if isinstance(entry, URLResolver) else entry for entry in urls.urlpatterns
]
handler400, handler403, handler404 = urls.handler400, urls.handler403, urls.handler404
handler429, handler500 = urls.handler429, urls.handler500
