"""How django-allauth behaves here, and how wrong passwords are counted.

Wrong passwords are counted three ways (`playground/rate_limits.py` has the numbers): by e-mail address and client
address together, by client address, and, much looser, by e-mail address alone. The tight limit is on the pair, so that
a stranger who tries somebody's address does not keep its owner out; the loose one, above what a single client can use
up, bounds guessing from many clients. A try is counted before its password is looked at and given back when that was
right, so no number of tries at once gets further than the limit. A try that was refused is not counted, and a one-time
link signs in whatever the counts say.
"""

import contextlib
import math
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context as allauth_context
from django.conf import settings
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from playground.clients import address_of
from playground.models import User
from playground.services import hashing, mailing, rates

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

    def get_reset_password_from_key_url(self, key: str) -> str:
        return _at_public_address(super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return _at_public_address(super().get_email_confirmation_url(request, emailconfirmation))

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Raises NotMailed; not for a mail that was refused by itself and asked for by a stranger: see `mailing`."""
        request = allauth_context.request
        facts = {"request": request, "email": email, "current_site": get_current_site(request)} | context
        try:
            mailing.send(self.render_mail(template_prefix, email, facts), what=template_prefix.rpartition("/")[2])
        except mailing.NotMailed as error:
            if not error.is_refusal or request.resolver_match.url_name == "account_email":
                raise

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """What it tells of is done: a mail server that is away takes nothing back, and the log has it.

        So it goes out once that is stored: a server that is slow holds no rows, and nobody else's writes.
        """
        mail = super().send_notification_mail

        def mailed() -> None:
            with contextlib.suppress(mailing.NotMailed):
                mail(*args, **kwargs)

        transaction.on_commit(mailed)

    def pre_authenticate(self, request: HttpRequest, **credentials: str) -> None:
        """Count this try before the password is looked at. Raises ValidationError when there were too many.

        `request.retry_after` then holds the seconds to wait.
        """
        if seconds := rates.take_all(tries_of(request, credentials.get("email", ""))):
            raise refusal(request, seconds, words_for(seconds))

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        with hashing.place() as has_place:
            if not has_place:
                words = _("Many people sign in at once. Try again in a moment.")
                raise refusal(request, hashing.AGAIN_S, words)
            user: User | None = super().authenticate(request, **credentials)
        if user is not None and user.email.lower() != credentials.get("email", "").strip().lower():
            return None  # an address of theirs that waits to be proven
        if user is not None:
            rates.give_back(*tries_of(request, credentials.get("email", "")))
        return user


def _at_public_address(url: str) -> str:
    """A link for a mail: the request's own host is what a stranger says it is, down to its port."""
    parts = urlsplit(url)
    return settings.PUBLIC_URL + parts._replace(scheme="", netloc="").geturl()


def tries_of(request: HttpRequest, email: str) -> list[rates.Key]:
    """What a wrong password for this e-mail address counts in."""
    client, email = address_of(request), email.strip().lower()
    return [("login_client", client), ("login", f"{email} {client}"), ("login_address", email)]


def may_sign_up(request: HttpRequest) -> bool:
    """Count a try to make an account: without a bound, the holder of one invitation could ask who has an account."""
    return not rates.take("signup", address_of(request))


def refusal(request: HttpRequest, seconds: int, words: Any) -> ValidationError:
    """The error of a form for a try that was not looked at."""
    request.retry_after = seconds  # type: ignore[attr-defined]
    return ValidationError(words, code=TOO_MANY)


def words_for(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return ngettext(
        "Too many tries. Wait %(minutes)d minute, or ask an admin for a sign-in link.",
        "Too many tries. Wait %(minutes)d minutes, or ask an admin for a sign-in link.",
        minutes,
    ) % {"minutes": minutes}
