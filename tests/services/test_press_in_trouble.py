"""A press while the database cannot be had: nothing is ordered, and the same form sent again orders once."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from playground.models import Generation, LedgerEntry, Membership, Run
from playground.services import estimates
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PRICE = 800_000


@contextmanager
def used_up() -> Iterator[None]:
    """The server takes no connection more; the one that this process had is gone."""

    def refused(_parameters: object) -> None:
        words = "unable to open database file"
        if connection.vendor == "postgresql":
            words = "FATAL: sorry, too many clients already"
        raise OperationalError(words)

    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "get_new_connection", refused)
        yield


@contextmanager
def locked() -> Iterator[None]:
    """Another process writes for longer than anybody waits."""
    connection.close()
    with (
        closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.3)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        connection.close()


@contextmanager
def held() -> Iterator[None]:
    """Another connection holds the team's row for longer than anybody waits, as of a machine that lost its power."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("20s",)
        cursor.execute("SET lock_timeout = '300ms'")
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM playground_team FOR UPDATE")
        yield
    finally:
        other.rollback()
        other.close()
        connection.close()


@pytest.fixture
def member(settings: Any) -> Membership:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    model = factories.make_model("kling-v3", gateway=factories.make_gateway(is_sandbox=False, is_default=True))
    wanted = estimates.Wanted(model=model, size="1280x720", seconds=4)
    now = timezone.now().timestamp()
    answer = {"state": "estimated", "unit_micros": PRICE, "provider": "fal", "checked_at": now}
    cache.set(estimates._key(wanted), answer, 600)
    return factories.make_member()


@pytest.mark.parametrize("trouble", [used_up, locked, held])
def test_press_gets_the_page_of_an_error_orders_nothing_and_may_be_made_again(trouble: Any, member: Membership) -> None:
    if trouble in (locked, held) and (trouble is locked) != (connection.vendor == "sqlite"):
        pytest.skip("SQLite locks the whole database, PostgreSQL a row")
    browser = Client(raise_request_exception=False)
    browser.force_login(member.user)
    form = {"prompt": "A fox in the snow", "model": "kling-v3", "token": "press-1", "team": member.team.slug}
    form |= {"shape": "16:9", "quality": "720p", "seconds": "4", "count": "1", "quoted_micros": str(PRICE)}

    with trouble():
        answer = browser.post("/create/", form)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "Try again in a moment" in answer.text
    assert not Run.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert [browser.post("/create/", form).status_code for _ in range(2)] == [303, 303]
    assert (Run.objects.count(), Generation.objects.count()) == (1, 1)
    assert LedgerEntry.objects.filter(kind="hold").count() == 1
