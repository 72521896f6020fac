"""Who is signed out and only looks leaves no row of any table: every address, found by walking the URL patterns."""

import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from playground.models import Rate, Role
from playground.services import invitations, people
from tests import factories
from tests.support.oidc import running_provider
from tests.support.sharing import BROWSER, make_link
from tests.views.test_account import _load_addresses
from tests.views.test_forgery import address, patterns

pytestmark = [pytest.mark.django_db, pytest.mark.pure]

A_RATE, A_SESSION, A_COUNT = "playground_rate", "django_session", "cache"
WRONG_TOKENS_ARE_COUNTED = {
    "welcome.index",
    "signin_link.index",
    "invitations.index",
    "signup.finish",
    "shares.index",
    "shares.video",
    "share_media.video",
    "share_media.poster",
    "share_media.preview",
    "share_media.download",
}
"""One row for a client, whatever it asks for and however often, until its bucket is full again."""
LEFT_BESIDES = {
    # allauth counts by client what is not GET.
    "head": {"mfa_login_webauthn": {A_COUNT}, "account_reset_password_from_key": {A_COUNT}},
    # The question for a passkey is fetched when its button is pressed, so often a client, and has to be known again.
    "script": {"mfa_login_webauthn": {A_RATE, A_SESSION}},
}
RIGHT_TOKENS = {
    "invitation": set(),
    "sign-in link": set(),
    # Views are counted up to a limit of a client.
    "share link": {A_RATE},
    # allauth puts the token into a session, so that the page with the form has none in its address. Who has none of
    # these links, which are mailed to people with an account, leaves nothing.
    "new password": {A_SESSION},
}
WAYS = {
    "plain": {},
    "from a provider": {"QUERY_STRING": "code=x&state=y"},
    "cancelled": {"QUERY_STRING": "error=access_denied&state=y"},
    "refused": {"QUERY_STRING": "error=server_error"},
    "on to": {"QUERY_STRING": "next=/gallery/&process=connect&email=bo@example.com"},
    "htmx": {"HTTP_HX_REQUEST": "true"},
    "head": {"REQUEST_METHOD": "HEAD"},
    "script": {"HTTP_X_REQUESTED_WITH": "XMLHttpRequest"},
}


@pytest.fixture(scope="module")
def server():
    with running_provider() as server:
        yield server


@pytest.fixture
def addresses(server, settings, db) -> Iterator[list[tuple[str, str]]]:
    """With mail and every provider there is."""
    keys = {"APPS": [{"client_id": "x", "secret": "y"}]}
    settings.SOCIALACCOUNT_PROVIDERS = server.settings() | {"google": keys, "github": keys}
    settings.MAIL_IS_SET, settings.SIGNUP_DOMAINS = True, ["example.com"]
    _load_addresses()
    yield [(pattern.name, address(route, pattern)) for route, pattern in patterns()]
    settings.SOCIALACCOUNT_PROVIDERS, settings.MAIL_IS_SET, settings.SIGNUP_DOMAINS = {}, False, []
    _load_addresses()


def rows() -> dict[str, int]:
    names = connection.introspection.table_names()
    counts = ", ".join(f"(SELECT COUNT(*) FROM {connection.ops.quote_name(name)})" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {counts}")
        return dict(zip(names, cursor.fetchone(), strict=True))


def left_by(path: str, **way: str) -> set[str]:
    """The tables that have other rows after somebody with no cookie came by."""
    Rate.objects.all().delete()
    cache.clear()
    before = rows()
    Client(raise_request_exception=False).get(path, **way)
    after = rows()
    return {name for name in after if after[name] != before[name]}


@pytest.mark.parametrize("way", WAYS)
def test_no_address_leaves_a_row_but_that_of_a_limit(addresses, way):
    factories.make_member(role=Role.ADMIN)
    left = {name: tables for name, path in addresses if (tables := left_by(path, **WAYS[way]))}
    assert left == {name: {A_RATE} for name in WRONG_TOKENS_ARE_COUNTED} | LEFT_BESIDES.get(way, {})


def test_what_a_right_token_leaves(addresses, mailoutbox):
    member = factories.make_member(role=Role.ADMIN)
    Client().post("/account/password/reset/", {"email": member.user.email})
    _link, token = make_link(by=member, video=factories.make_video(by=member))
    paths = {
        "invitation": invitations.invite(by=member, role=Role.VIEWER, base_url="")[1],
        "sign-in link": people.signin_link(email=member.user.email, base_url=""),
        "share link": f"/s/{token}/",
        "new password": re.search(r"https?://[^/]+(/account/password/reset/key/\S+)", mailoutbox[0].body)[1],
    }
    assert {name: left_by(path, HTTP_USER_AGENT=BROWSER) for name, path in paths.items()} == RIGHT_TOKENS
