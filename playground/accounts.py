"""How django-allauth behaves here, and how wrong passwords are counted.

Wrong passwords are counted three ways, each in a window that slides (`ACCOUNT_RATE_LIMITS` in the settings has the
numbers): by e-mail address and client address together, by client address, and, much looser, by e-mail address alone.
The tight limit is on the pair, so that a stranger who tries somebody's address does not keep its owner out; the loose
one, above what a single client can use up, bounds guessing from many clients. A right password is not counted, a try
that was refused is not either, and a one-time link signs in whatever the counts say.
"""

import math
import time
from smtplib import SMTPException
from typing import Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter

# What is public, allauth.core.ratelimit, says yes or no, cannot take a count back, and is to go.
from allauth.core.internal import ratelimit
from django.contrib.sites.shortcuts import get_current_site
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

log = structlog.get_logger(__name__)

APP = "allauth.account"
PAIR, CLIENT, ADDRESS = "login_failed", "login_failed_client", "login_failed_address"
TOO_MANY = "too_many_login_attempts"
"""The code of the form error, by which the views answer 429."""


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": _("E-mail address or password is wrong."),
        TOO_MANY: _("Too many tries. Wait a few minutes, or ask an admin for a sign-in link."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Not by allauth's page: see `playground/services/signups.py`, and `playground/accounts_social.py`."""
        return False

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What it tells of is done: a mail server that is away takes nothing back."""
        try:
            super().send_notification_mail(*args, **kwargs)
        except (SMTPException, OSError) as error:
            log.warning("account_notice_not_mailed", why=type(error).__name__)

    def pre_authenticate(self, request: HttpRequest, **credentials: str) -> None:
        """Count this try before the password is looked at. Raises ValidationError when there were too many.

        `request.retry_after` then holds the seconds to wait.
        """
        email = f"{get_current_site(request).domain}:{credentials.get('email', '').lower()}"
        counts = ((PAIR, f"{email}:{ratelimit.get_ip(request)}"), (CLIENT, None), (ADDRESS, email))
        usage = ratelimit.RateLimitUsage(usage=[])
        for action, key in counts:
            used = ratelimit.consume(request, app=APP, action=action, key=key)
            if used is None:
                usage.rollback()
                seconds = seconds_to_wait(request, action=action, key=key)
                request.retry_after = seconds  # type: ignore[attr-defined]
                raise ValidationError(words_for(seconds), code=TOO_MANY)
            usage.usage += used.usage
        self._login_failed_rl_usage = usage  # what allauth takes back after a right password


def seconds_to_wait(request: HttpRequest, *, action: str, key: str | None = None) -> int:
    """Until the next try is taken, at least 1: when the oldest try of the fullest window leaves it."""
    waits = [1.0]
    for rate in ratelimit.get_rates(app=APP, action=action):
        if (rate.per == "key" and key is None) or (rate.per == "user" and not request.user.is_authenticated):
            continue
        tries = cache.get(ratelimit.get_cache_key(request, app=APP, action=action, rate=rate, key=key), [])
        if len(tries) >= rate.amount:
            waits.append(tries[-1] + rate.duration - time.time())
    return math.ceil(max(waits))


def words_for(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return ngettext(
        "Too many tries. Wait %(minutes)d minute, or ask an admin for a sign-in link.",
        "Too many tries. Wait %(minutes)d minutes, or ask an admin for a sign-in link.",
        minutes,
    ) % {"minutes": minutes}


def may_sign_up(request: HttpRequest) -> bool:
    """Count a try to make an account: without a bound, the holder of one invitation could ask who has an account."""
    return ratelimit.consume(request, app=APP, action="signup") is not None
